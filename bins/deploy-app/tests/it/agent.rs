//! How the agent gets onto the host, and where it does not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use harness::sshd::Options;

use crate::room::Mounted;
use crate::world::{Tools, World, executable};

/// The names of what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_server_with_one_command_at_a_time_is_deployed_to() {
    let options = Options {
        config: vec!["MaxSessions 1".to_owned()],
        ..Options::default()
    };
    let Some(world) = World::start_with(&options) else {
        return;
    };
    let program = world
        .program()
        .env("DEPLOY_APP_AGENT_DIR", world.state().join("agent"));
    program
        .run()
        .assert_code(0)
        .assert_stderr("putting the agent onto the host");
    world.write("content", "two");
    world.program().run().assert_code(0);
    assert_eq!(world.answer().unwrap().2, "two");
}

#[test]
fn the_agent_is_there_once_for_the_user_alone_and_old_ones_go_with_old_releases() {
    let Some(world) = World::start() else { return };
    let folder = world.state().join("agent");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    let (old, new) = ("0".repeat(64), "1".repeat(64));
    for (name, hours) in [(old.as_str(), 2), (&new, 0), ("deploy", 2)] {
        let file = std::fs::File::create(folder.join(name)).unwrap();
        let put = SystemTime::now() - Duration::from_secs(3600 * hours);
        file.set_modified(put).unwrap();
    }
    let program = world
        .files_only()
        .env("DEPLOY_APP_AGENT_DIR", &folder)
        .env("DEPLOY_APP_KEEP_RELEASES", "1");
    let told = "putting the agent onto the host";
    program.run().assert_code(0).assert_stderr(told);
    let put = names(&folder);
    let is_one = |name: &&String| ![&old, &new].contains(name) && name.len() == 64;
    let agent = put.iter().find(is_one).unwrap().clone();
    assert_eq!(put.len(), 4, "{put:?}");
    world.write("content", "two");
    program.run().assert_code(0).refute_stderr(told);
    assert_eq!(world.releases().len(), 1);
    let mut kept = [agent.as_str(), &new, "deploy"];
    kept.sort_unstable();
    assert_eq!(names(&folder), kept);
    // What was altered is not started.
    let agent = folder.join(agent);
    let marker = world.state().join("ran");
    let altered = folder.join("altered");
    std::fs::write(
        &altered,
        format!("#!/bin/sh\necho >'{}'\n", marker.display()),
    )
    .unwrap();
    executable(&altered);
    std::fs::rename(&altered, &agent).unwrap();
    program.run().assert_code(0).assert_stderr(told);
    assert!(!marker.exists());
    // Nor what others may have altered.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    program.run().assert_code(0).assert_stderr(told);
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn hosts_without_an_agent_are_refused() {
    let tools = Tools::new();
    tools.write("uname", "#!/bin/sh\necho riscv64\n");
    let Some(world) = World::start_with(&tools.options()) else {
        return;
    };
    world
        .files_only()
        .run()
        .assert_code(2)
        .assert_stderr("there is no agent for riscv64")
        .assert_stderr("x86_64 and aarch64");
    assert!(!world.target().exists());
}

/// A file system on which nothing may be executed.
fn no_exec(at: &Path) -> Option<Mounted> {
    Mounted::tmpfs(at, "noexec,size=64m")
}

#[test]
fn a_target_where_nothing_may_be_executed_is_deployed_to() {
    let Some(world) = World::start() else { return };
    let Some(_mounted) = no_exec(&world.target()) else {
        return;
    };
    std::fs::create_dir(world.target().join(".deploy")).unwrap();
    world.files_only().run().assert_code(0);
    assert!(world.current().is_some());
    let agent = world.target().join(".deploy/agent");
    assert!(!agent.exists() || names(&agent).is_empty());
}

#[test]
fn where_nothing_may_be_executed_the_run_is_refused() {
    let Some(world) = World::start() else { return };
    let folder = world.state().join("noexec");
    let Some(_mounted) = no_exec(&folder) else {
        return;
    };
    world
        .files_only()
        .env("DEPLOY_APP_AGENT_DIR", folder.join("agent"))
        .run()
        .assert_code(2)
        .assert_stderr("the agent can be executed in none of the folders that were tried")
        .assert_stderr(&format!("tried {}", folder.join("agent").display()))
        .assert_stderr("hint: set DEPLOY_APP_AGENT_DIR");
    assert!(!world.target().exists());
    assert!(names(&folder.join("agent")).is_empty());
}
