//! What remains when something goes wrong.

use crate::world::{World, release};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// SIGTERM.
const TERM: i32 = 15;

#[test]
fn an_unhealthy_release_is_rolled_back() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    world.write("broken", "");
    let ran = world.program().run();
    ran.assert_code(1)
        .assert_stdout("(exit 1)\n")
        .assert_stderr("did not become healthy")
        .assert_stderr("it answers 500")
        .assert_stderr("log: serving")
        .assert_stderr(&format!(
            "rolled back: release {first} runs again and is healthy"
        ));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.current(), Some(first.clone()));
    assert_eq!(world.releases(), [first]);
    world.assert_unlocked();
    std::fs::remove_file(world.source().join("broken")).unwrap();
    let third = world.deploy();
    assert_eq!(world.answer(), Some((200, third, "two".to_owned())));
}

#[test]
fn a_first_release_that_is_unhealthy_is_taken_down_without_a_trace() {
    let Some(world) = World::start() else { return };
    world.write("broken", "");
    world
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("did not become healthy");
    assert_eq!(world.answer(), None);
    assert_eq!(world.current(), None);
    assert_eq!(world.releases(), Vec::<String>::new());
    world.assert_unlocked();
}

#[test]
fn a_start_command_that_fails_is_rolled_back_with_its_output() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("start", "#!/bin/sh\necho no such database >&2\nexit 3\n");
    let ran = world.program().run();
    // The release before has its own start script, so it comes back.
    ran.assert_code(1)
        .assert_stderr("no such database")
        .assert_stderr("exit status 3")
        .assert_stderr("rolled back");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn an_application_of_another_release_does_not_pass_for_this_one() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    // The stop command does nothing and the start command lies: the old one still answers 200.
    let ran = world
        .program()
        .env("DEPLOY_APP_STOP", "true")
        .env("DEPLOY_APP_START", "true")
        .run();
    ran.assert_code(1)
        .assert_stderr(&format!("it answers 200, but as release `{first}`"));
    assert_eq!(world.current(), Some(first));
}

#[test]
fn a_held_lock_stops_the_deployment_and_an_expired_one_does_not() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    let lock = world.target().join(".deploy/lock");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let hold = |expires: u64| {
        std::fs::create_dir_all(&lock).unwrap();
        std::fs::write(lock.join("owner"), "build other:1\n").unwrap();
        std::fs::write(lock.join("expires"), format!("{expires}\n")).unwrap();
        std::fs::write(lock.join("token"), "other\n").unwrap();
    };
    hold(now + 600);
    world.write("content", "two");
    let ran = world.program().env("DEPLOY_APP_LOCK_WAIT", "1s").run();
    ran.assert_code(7)
        .assert_stderr("waiting for another deployment: build other:1 holds the lock")
        .assert_stderr("held by build other:1")
        .assert_stderr("rm -rf");
    assert!(
        lock.join("token").exists(),
        "somebody else's lock must stay"
    );
    assert_eq!(world.releases(), [first]);
    hold(now - 1);
    let ran = world.program().run();
    ran.assert_code(0)
        .assert_stderr("took over the lock of build other:1, which is gone");
    assert_eq!(world.answer(), Some((200, release(&ran), "two".to_owned())));
    world.assert_unlocked();
}

#[test]
fn two_deployments_at_once_do_not_mix() {
    let Some(world) = World::start() else { return };
    world.deploy();
    world.write("content", "two");
    let running = [world.program().spawn(), world.program().spawn()];
    let codes: Vec<_> = running
        .map(|running| running.finish())
        .iter()
        .map(|ran| ran.code)
        .collect();
    // The second waits for the first, and finds nothing to do.
    assert!(codes.iter().all(|code| *code == Some(0)), "{codes:?}");
    let (status, answering, content) = world.answer().unwrap();
    assert_eq!((status, content.as_str()), (200, "two"));
    assert_eq!(world.current(), Some(answering));
    world.assert_unlocked();
}

#[test]
fn an_interrupted_upload_leaves_nothing() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    std::fs::write(world.source().join("big"), noise(48 * 1024 * 1024)).unwrap();
    let running = world.program().spawn();
    running.wait_for_stderr("sending release", Duration::from_secs(30));
    std::thread::sleep(Duration::from_millis(200));
    running.signal(TERM);
    let ran = running.finish();
    ran.assert_code(143).assert_stderr("SIGTERM received");
    assert_eq!(world.releases(), std::slice::from_ref(&first));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.current(), Some(first));
    world.assert_unlocked();
    world.deploy();
}

#[test]
fn an_interrupt_while_waiting_for_health_brings_the_old_release_back() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("broken", "");
    let running = world
        .program()
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "60s")
        .spawn();
    running.wait_for_stderr("it answers 500", Duration::from_secs(30));
    running.signal(TERM);
    let ran = running.finish();
    ran.assert_code(143).assert_stderr("rolled back");
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.releases(), [first]);
    world.assert_unlocked();
}

#[test]
fn a_start_command_that_hangs_ends_at_the_deadline_and_is_rolled_back() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("start", "#!/bin/sh\nexec sleep 600\n");
    let ran = world.program().env("DEPLOY_APP_TIMEOUT", "6s").run();
    ran.assert_code(6)
        .assert_stderr("did not end before the deadline")
        .assert_stderr("rolled back");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    world.assert_unlocked();
}

#[test]
fn declared_secrets_are_hidden_in_what_the_host_prints() {
    let Some(world) = World::start() else { return };
    world.write(
        "start",
        "#!/bin/sh\necho \"token is hunter2hunter2\"\nexit 1\n",
    );
    let program = world
        .program()
        .env("TOKEN", "hunter2hunter2")
        .env("DEPLOY_APP_SECRETS", "TOKEN");
    let ran = program.run();
    ran.assert_code(1)
        .assert_stderr("token is [secret]")
        .refute_stderr("hunter2");
    program
        .env("TOKEN", "abc")
        .run()
        .assert_code(2)
        .assert_stderr("too short");
}

#[test]
fn a_connection_that_is_cut_is_made_again_to_roll_back() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    // The start command of the new release kills the sshd process of its own session.
    world.write(
        "start",
        "#!/bin/sh\np=$PPID; while [ \"$(cat /proc/$p/comm)\" = sh ]; do p=$(cut -d ' ' -f 4 /proc/$p/stat); done\n\
         echo cutting; kill -9 \"$p\"; sleep 30\n",
    );
    let ran = world.program().run();
    ran.assert_code(1)
        .assert_stderr("connecting again to clean up")
        .assert_stderr("rolled back");
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.releases(), [first]);
    world.assert_unlocked();
}

#[test]
fn a_host_that_is_gone_for_good_is_listed_as_what_remains() {
    let Some(world) = World::start() else { return };
    world.deploy();
    world.write("broken", "");
    let running = world
        .program()
        .env("DEPLOY_APP_SSH_TIMEOUT", "2s")
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "60s")
        .spawn();
    running.wait_for_stderr("it answers 500", Duration::from_secs(30));
    // The server and then the sessions, so that nobody can come back.
    let pid = std::fs::read_to_string(world.sshd.folder().join("pid")).unwrap();
    let pid = pid.trim();
    let sessions = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let kill = std::process::Command::new("kill")
        .arg("-KILL")
        .arg(pid)
        .args(sessions.split_whitespace())
        .status();
    assert!(kill.unwrap().success());
    let ran = running.finish();
    ran.assert_code(5)
        .assert_stderr("could not be reached again")
        .assert_stderr("switched to and not proven")
        .assert_stderr("rm -rf");
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..length / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect()
}
