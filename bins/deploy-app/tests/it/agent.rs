//! How the agent gets onto the host, and where it does not.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::sshd::Options;

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
fn the_agent_is_there_once_for_the_user_alone_and_old_ones_go() {
    let Some(world) = World::start() else { return };
    let folder = world.state().join("agent");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(folder.join("0".repeat(64)), "an old one").unwrap();
    let program = world.files_only().env("DEPLOY_APP_AGENT_DIR", &folder);
    let told = "putting the agent onto the host";
    program.run().assert_code(0).assert_stderr(told);
    let put = names(&folder);
    assert!(
        matches!(put.as_slice(), [one] if one.len() == 64 && *one != "0".repeat(64)),
        "{put:?}"
    );
    program.run().assert_code(0).refute_stderr(told);
    // What was altered is not started.
    let agent = folder.join(&put[0]);
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

/// A file system on which nothing may be executed, until this is dropped.
struct NoExec(PathBuf);

impl NoExec {
    fn mount(at: &Path) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "noexec,size=64m", "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at.to_owned()));
        }
        harness::missing("the right to mount");
        None
    }
}

impl Drop for NoExec {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_target_where_nothing_may_be_executed_is_deployed_to() {
    let Some(world) = World::start() else { return };
    let Some(_mounted) = NoExec::mount(&world.target()) else {
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
    let Some(_mounted) = NoExec::mount(&folder) else {
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
