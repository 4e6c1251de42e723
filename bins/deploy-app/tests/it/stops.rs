//! Stopping what runs, and going back to what was proven in the way in which it was.

use harness::Program;

use crate::world::World;

/// Fails when nothing runs, as a plain `kill` does, and does not wait for the end.
const KILL: &str = "kill $(cat \"$STATE/pid\") && rm \"$STATE/pid\"";

/// A start that ends whatever becomes of what it started.
const BEGIN: &str =
    "#!/bin/sh\nsetsid \"$PYTHON\" app.py \"$PORT\" \"$STATE/pid\" >/dev/null 2>&1 &\nsleep 0.5\n";

/// Ready to deploy with another stop command, and with little patience.
fn stopped_by(world: &World, stop: &str) -> Program {
    world
        .program()
        .env(
            "DEPLOY_APP_STOP",
            format!("{}sh -c '{stop}'", world.variables()),
        )
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "3s")
}

#[test]
fn a_stop_command_that_finds_nothing_keeps_nobody_from_going_back_and_on() {
    let Some(world) = World::start() else { return };
    world.write("start", BEGIN);
    let program = stopped_by(&world, KILL);
    program.clone().run().assert_code(0);
    let first = world.current().unwrap();
    let good = std::fs::read_to_string(world.source().join("app.py")).unwrap();
    world.write("app.py", "raise SystemExit(1)\n");
    program
        .clone()
        .run()
        .assert_code(1)
        .assert_stderr("nothing seems to be running: going on")
        .assert_stderr(&format!(
            "rolled back: release {first} runs again and is healthy"
        ));
    assert_eq!(world.answer().map(|answer| answer.1), Some(first.clone()));
    // Nothing runs, and nothing keeps a good one away either.
    stopped_by(&world, KILL)
        .env("DEPLOY_APP_START", "true")
        .env("DEPLOY_APP_HEALTH_URL", "none")
        .run()
        .assert_code(0);
    assert_eq!(world.answer(), None);
    world.write("app.py", &good);
    world.write("content", "two");
    program.run().assert_code(0);
    assert_eq!(
        world.answer().map(|answer| answer.2),
        Some("two".to_owned())
    );
}

#[test]
fn what_comes_back_is_run_by_its_own_commands() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let first = world.current().unwrap();
    // The next application is started and asked in another way, and is no good.
    let renamed = |from: &str, to: &str| {
        std::fs::rename(world.source().join(from), world.source().join(to)).unwrap();
        format!("{}./{to}", world.variables())
    };
    let changed = world
        .program()
        .env("DEPLOY_APP_START", renamed("start", "run"))
        .env("DEPLOY_APP_STOP", renamed("stop", "halt"))
        .env("DEPLOY_APP_HEALTH_BODY", "two");
    world.write("content", "neither");
    let short = changed.clone().env("DEPLOY_APP_HEALTH_TIMEOUT", "3s");
    short
        .run()
        .assert_code(1)
        .assert_stderr("but without `two` in it")
        .assert_stderr(&format!(
            "rolled back: release {first} runs again and is healthy"
        ));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    world.write("content", "two");
    changed.clone().run().assert_code(0);
    let second = world.current().unwrap();
    assert_eq!(world.answer(), Some((200, second, "two".to_owned())));
    // A person goes back with the settings of today.
    changed
        .clone()
        .arg("rollback")
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(0)
        .assert_stderr("./halt")
        .assert_stderr("./start");
    changed.clone().arg("rollback").run().assert_code(0);
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    // How it is run is for its user only.
    let kept = world.target().join(".deploy/proven").join(&first);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_command_with_a_secret_is_not_kept() {
    let Some(world) = World::start() else { return };
    let start = format!("TOKEN=s3cr3t-t0ken {}./start", world.variables());
    world
        .program()
        .env("DEPLOY_APP_START", start)
        .env("TOKEN", "s3cr3t-t0ken")
        .env("DEPLOY_APP_SECRET", "TOKEN")
        .run()
        .assert_code(0);
    let first = world.current().unwrap();
    let kept = std::fs::read_to_string(world.target().join(".deploy/proven").join(&first));
    assert_eq!(kept.unwrap().trim(), "");
    // What is not known is run as the settings say.
    world.write("broken", "");
    world
        .program()
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "2s")
        .run()
        .assert_code(1)
        .assert_stderr("rolled back");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn the_stop_command_of_today_helps_where_the_one_before_fails() {
    let Some(world) = World::start() else { return };
    stopped_by(&world, "exit 3").run().assert_code(0);
    let first = world.current().unwrap();
    world.write("content", "two");
    // It runs, and neither the old command nor the same one again stops it.
    let ran = stopped_by(&world, "exit 3").run();
    ran.assert_code(1).assert_stderr("exit status 3");
    assert_eq!(world.answer().map(|answer| answer.1), Some(first));
    world.program().run().assert_code(0);
    assert_eq!(
        world.answer().map(|answer| answer.2),
        Some("two".to_owned())
    );
}

#[test]
fn what_only_was_told_to_end_is_waited_for() {
    let Some(world) = World::start() else { return };
    world.write("start", BEGIN);
    world.write("anonymous", "");
    let app = std::fs::read_to_string(world.source().join("app.py")).unwrap();
    let slow = "import signal, threading\nsignal.signal(signal.SIGTERM, lambda *_: threading.Timer(1.5, lambda: os._exit(0)).start())\n";
    world.write(
        "app.py",
        &app.replace("class Server", &format!("{slow}class Server")),
    );
    let program = stopped_by(&world, KILL);
    program.clone().run().assert_code(0);
    world.write("content", "two");
    program.run().assert_code(0);
    let (_, _, content) = world.answer().unwrap();
    assert_eq!(content, "two");
}

#[test]
fn what_answers_already_does_not_pass_for_the_release() {
    let Some(world) = World::start() else { return };
    world.write("anonymous", "");
    world.deploy();
    let first = world.current().unwrap();
    world.write("content", "two");
    let unstoppable = world.program().env_remove("DEPLOY_APP_STOP");
    let kept = world.target().join(".deploy/proven").join(&first);
    std::fs::write(kept, "").unwrap();
    let refused = "the start is refused: something answers at http://127.0.0.1:";
    let dry = unstoppable.clone().env("DEPLOY_APP_DRY_RUN", "1");
    dry.clone().run().assert_code(0).assert_stderr(refused);
    unstoppable
        .clone()
        .run()
        .assert_code(1)
        .assert_stderr("something answers at http://127.0.0.1:")
        .assert_stderr("hint: set DEPLOY_APP_STOP");
    assert_eq!(world.current(), Some(first));
    assert_eq!(world.answer().unwrap().2, "one");
    // Whoever says that nothing need be stopped is warned.
    world
        .program()
        .env("DEPLOY_APP_STOP", "true")
        .env("DEPLOY_APP_START", "true")
        .run()
        .assert_code(0)
        .assert_stderr("the old process may be what is found healthy");
    // The first release is no exception: what answers is not ours, and is not asked to go.
    std::fs::rename(world.target(), world.state().join("away")).unwrap();
    dry.run().assert_code(0).assert_stderr(refused);
    let dry = world.program().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("stop what answers at http://127.0.0.1:");
    unstoppable
        .run()
        .assert_code(1)
        .assert_stderr("something answers at");
    assert_eq!(world.current(), None);
}

#[test]
fn with_runtime_none_nothing_is_stopped() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    world.files_only().run().assert_code(0);
    assert_ne!(world.current(), Some(first.clone()));
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
}
