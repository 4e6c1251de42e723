//! The same application, started in another way, and what becomes of it when somebody is killed meanwhile.

use std::time::Duration;

use harness::Program;

use crate::killed::mortal;
use crate::world::World;

/// SIGKILL.
const KILL: i32 = 9;

#[test]
fn another_start_command_for_the_same_files_is_a_deployment() {
    let Some(world) = World::start() else { return };
    let started_by = |before: &str| {
        world.program().env(
            "DEPLOY_APP_START",
            format!("{before}\n{}./start", world.variables()),
        )
    };
    // Nothing that a shell or JSON has its own view of gets lost on the way to the host and back.
    let program = started_by("printf 'a\\nb \"%s\"' \"\\\\\" >/dev/null");
    program.clone().run().assert_code(0);
    let first = world.current().unwrap();
    program
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
    let started = || std::fs::read_to_string(world.state().join("starts")).unwrap();
    assert_eq!(started().lines().count(), 1);
    // One that fails brings back what ran, in the way in which it ran.
    let reason = "the files are those of the current release, which was started by `printf 'a\\nb";
    started_by("exit 3;")
        .run()
        .assert_code(1)
        .assert_stderr(reason)
        .assert_stderr(&format!("rolled back: release {first} runs again"));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    let program = started_by("echo another way");
    let dry = program.clone().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("0 added, 0 changed, 0 removed, 0 B to send")
        .assert_stderr(reason);
    program
        .clone()
        .run()
        .assert_code(0)
        .assert_stderr("another way");
    let second = world.current().unwrap();
    assert_ne!(second, first);
    let inode = |release: &str| {
        let file = world.target().join("releases").join(release).join("app.py");
        std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(file).unwrap())
    };
    assert_eq!(inode(&second), inode(&first));
    assert_eq!(world.answer(), Some((200, second, "one".to_owned())));
    program
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
    // Neither how it is ended nor who is asked makes another application of it.
    program
        .env("DEPLOY_APP_STOP", "true")
        .env("DEPLOY_APP_HEALTH_BODY", "one")
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
}

/// Puts a wait before a command of the application, for as long as a file of this name is there; then the command fails.
fn held(world: &World, command: &str) {
    let text = std::fs::read_to_string(world.source().join(command)).unwrap();
    let hold = "#!/bin/sh\nif [ -e \"$STATE/hold\" ]; then echo held; while [ -e \"$STATE/hold\" ]; do sleep 0.1; done; exit 1; fi\n";
    world.write(command, &text.replace("#!/bin/sh\n", hold));
    crate::world::executable(&world.source().join(command));
}

/// Kills the program while a command is held.
fn kill_while_held(world: &World, program: &Program, command: &str) {
    let hold = world.state().join("hold");
    std::fs::write(&hold, "").unwrap();
    let running = program.spawn();
    running.wait_for_stderr(&format!("{command}: held\n"), Duration::from_secs(60));
    running.signal(KILL);
    assert_eq!(running.finish().signal, Some(KILL));
    std::fs::remove_file(hold).unwrap();
}

#[test]
fn killed_before_the_old_one_was_stopped_it_is_stopped_in_its_own_way_after_all() {
    let Some(world) = World::start() else { return };
    held(&world, "stop");
    mortal(&world, world.program()).run().assert_code(0);
    // The next one runs elsewhere and knows nothing of how this one is ended.
    let port = harness::free_port();
    let other = |command: &str| {
        let (variables, state) = (world.variables(), world.state());
        format!(
            "{variables}PORT={port} STATE={}/other ./{command}",
            state.display()
        )
    };
    std::fs::create_dir(world.state().join("other")).unwrap();
    let program = mortal(&world, world.program())
        .env("DEPLOY_APP_START", other("start"))
        .env("DEPLOY_APP_STOP", other("stop"))
        .env(
            "DEPLOY_APP_HEALTH_URL",
            format!("http://127.0.0.1:{port}/collection"),
        );
    kill_while_held(&world, &program, "stop");
    assert!(world.answer().is_some(), "it was not stopped");
    program.run().assert_code(0);
    assert_eq!(world.answer(), None, "two of them run");
    program
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
    let pid = std::fs::read_to_string(world.state().join("other/pid")).unwrap();
    std::process::Command::new("kill")
        .arg(pid)
        .status()
        .unwrap();
}

#[test]
fn killed_while_it_went_back_the_release_that_was_healthy_once_comes_back_all_the_same() {
    let Some(world) = World::start() else { return };
    held(&world, "start");
    let program = mortal(&world, world.program());
    program.run().assert_code(0);
    let first = world.current().unwrap();
    let bad = program.clone().env("DEPLOY_APP_START", "exit 3");
    kill_while_held(&world, &bad, "start");
    assert_eq!(world.answer(), None);
    bad.run().assert_code(1).assert_stderr(&format!(
        "rolled back: release {first} runs again and is healthy"
    ));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    // With the settings that are good it is not even another release.
    kill_while_held(&world, &bad, "start");
    program.run().assert_code(0);
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.current(), Some(first));
}

#[test]
fn what_failed_is_stopped_where_nothing_of_ours_runs_next() {
    let Some(world) = World::start() else { return };
    world.files_only().run().assert_code(0);
    let first = world.current().unwrap();
    world
        .program()
        .env("DEPLOY_APP_HEALTH_BODY", "never")
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "2s")
        .run()
        .assert_code(1)
        .assert_stderr(&format!("release {first} is current again"));
    assert_eq!(world.current(), Some(first));
    assert!(!world.state().join("pid").exists(), "it runs still");
}
