//! What remains when something goes wrong.

use crate::noise::noise;
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
    let unstoppable = world.program().env("DEPLOY_APP_STOP", "true");
    let first = release(unstoppable.run().assert_code(0));
    world.write("content", "two");
    // The stop command does nothing and the start command lies: the old one still answers 200.
    let ran = unstoppable.env("DEPLOY_APP_START", "true").run();
    ran.assert_code(1)
        .assert_stderr(&format!("it answers 200, but as release `{first}`"));
    assert_eq!(world.current(), Some(first));
}

#[test]
fn a_lease_of_an_older_version_stops_the_deployment_and_an_expired_one_does_not() {
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
        .assert_stderr("waiting for another deployment: build other:1, with an older version of deploy-app, holds the lock")
        .assert_stderr("held by build other:1, with an older version of deploy-app");
    assert!(
        lock.join("token").exists(),
        "somebody else's lock must stay"
    );
    assert_eq!(world.releases(), [first]);
    hold(now - 1);
    let ran = world.program().run();
    ran.assert_code(0);
    assert_eq!(world.answer(), Some((200, release(&ran), "two".to_owned())));
    world.assert_unlocked();
}

/// The agent of whoever holds the lock.
fn agent(world: &World) -> String {
    let record = std::fs::read_to_string(world.target().join(".deploy/holder")).unwrap();
    record.lines().nth(3).unwrap().to_owned()
}

/// A hook that goes on once the file is there.
fn until_there(go: &std::path::Path) -> String {
    format!("while [ ! -e {} ]; do sleep 0.05; done", go.display())
}

#[test]
fn a_lock_is_held_for_as_long_as_the_deployment_takes_and_is_free_once_it_is_killed() {
    let Some(world) = World::start() else { return };
    world.deploy();
    world.write("content", "two");
    let hook = until_there(&world.state().join("go"));
    let running = world
        .program()
        .env("DEPLOY_APP_BEFORE", hook)
        .env("CODEBUILD_BUILD_ID", "web:1")
        .spawn();
    running.wait_for_stderr("stage before\n", Duration::from_secs(60));
    let dry = world.program().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr("wait: build web:1 has held the lock since ");
    world
        .program()
        .env("DEPLOY_APP_LOCK_WAIT", "1s")
        .run()
        .assert_code(7)
        .assert_stderr("held by build web:1 has held the lock since ")
        .assert_stderr(&format!("kill {}", agent(&world)));
    running.signal(9);
    running.finish();
    let ran = world.program().run();
    ran.assert_code(0)
        .assert_stderr("build web:1 held the lock before and ended without giving it back");
    assert_eq!(world.answer(), Some((200, release(&ran), "two".to_owned())));
}

#[test]
fn whoever_lost_the_lock_with_the_agent_takes_nothing_down() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    let hook = until_there(&world.state().join("go"));
    let loser = world.program().env("DEPLOY_APP_AFTER", hook).spawn();
    loser.wait_for_stderr("stage after\n", Duration::from_secs(60));
    let winner = world.program().spawn();
    winner.wait_for_stderr("waiting for another deployment", Duration::from_secs(60));
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &agent(&world)])
        .status();
    assert!(killed.unwrap().success());
    let won = winner.finish();
    won.assert_code(0);
    loser
        .finish()
        .assert_code(7)
        .assert_stderr("was lost to another deployment");
    let current = world.current().unwrap();
    assert_ne!(current, first);
    assert_eq!(current, release(&won));
    assert_eq!(world.answer(), Some((200, current, "two".to_owned())));
}

#[test]
fn whose_agent_was_killed_connects_again_and_goes_by_what_was_decided_on_the_host() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    // The first time it waits, and then it fails.
    let seen = world.state().join("seen");
    let hook = format!(
        "[ ! -e {0} ] || exit 3; : >{0}; while :; do sleep 0.1; done",
        seen.display()
    );
    let running = world.program().env("DEPLOY_APP_AFTER", hook).spawn();
    running.wait_for_stderr("stage after\n", Duration::from_secs(60));
    let began = std::time::Instant::now();
    while !seen.exists() && began.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &agent(&world)])
        .status();
    assert!(killed.unwrap().success());
    running
        .finish()
        .assert_code(1)
        .assert_stderr("the agent on the host ended")
        .assert_stderr("cannot run the hook after the start: exit status 3")
        .assert_stderr(&format!("rolled back by the agent: release {first}"));
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn what_the_holder_of_the_lock_is_deploying_is_not_pruned() {
    let Some(world) = World::start() else { return };
    let program = || world.program().env("DEPLOY_APP_KEEP_RELEASES", "3");
    for content in ["1", "2", "3"] {
        world.write("content", content);
        program().run().assert_code(0);
    }
    world.write("content", "4");
    let go = world.state().join("go");
    let hook = format!("while [ ! -e {} ]; do sleep 0.1; done", go.display());
    let holder = program().env("DEPLOY_APP_BEFORE", hook).spawn();
    holder.wait_for_stderr("stage before\n", Duration::from_secs(60));
    world.write("content", "5");
    let waiting = program().spawn();
    waiting.wait_for_stderr("waiting for another deployment", Duration::from_secs(60));
    std::fs::write(go, "").unwrap();
    holder.finish().assert_code(0);
    waiting.finish().assert_code(0);
    assert_eq!(world.answer().unwrap().2, "5");
    assert_eq!(world.releases().len(), 3);
}

#[test]
fn the_last_words_of_a_talkative_application_are_told_and_kept() {
    let Some(world) = World::start() else { return };
    let start = std::fs::read_to_string(world.source().join("start")).unwrap();
    let talk = "#!/bin/sh\nseq -f '%0200.0f' 400\necho 'FATAL: no such table'\n";
    world.write("start", &start.replace("#!/bin/sh\n", talk));
    world.write("broken", "");
    let bundle = world.state().join("bundle");
    world
        .program()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .run()
        .assert_code(1)
        .assert_stderr("log: FATAL: no such table");
    let kept = std::fs::read_to_string(bundle.join("application.log")).unwrap();
    assert!(kept.contains("FATAL: no such table"));
    // On the host as well, until the next deployment.
    let logs = || {
        let found = std::fs::read_dir(world.target().join(".deploy/logs")).unwrap();
        let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect::<Vec<_>>()
    };
    let failed = logs();
    assert!(failed.iter().any(|name| name.ends_with("-start.log")));
    std::fs::remove_file(world.source().join("broken")).unwrap();
    world.deploy();
    assert!(logs().iter().all(|name| !failed.contains(name)));
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
        .env("DEPLOY_APP_SECRET", "TOKEN");
    let ran = program.run();
    ran.assert_code(1)
        .assert_stderr("token is [secret]")
        .refute_stderr("hunter2");
    program
        .clone()
        .env("TOKEN", "abc")
        .run()
        .assert_code(2)
        .assert_stderr("too short");
    // Names under which nothing would be hidden.
    for names in ["TOKEN,OTHER", "TOKEN OTHER", "hunter2-itself"] {
        program
            .clone()
            .env("DEPLOY_APP_SECRET", names)
            .run()
            .assert_code(2)
            .assert_stderr("DEPLOY_APP_SECRET")
            .refute_stderr("hunter2");
    }
    program
        .env("DEPLOY_APP_SECRET", "TOKN")
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_SECRET names TOKN, and no such variable is set");
}

#[test]
fn a_connection_that_is_cut_is_made_again_to_roll_back() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    // The start command of the new release kills the sshd process of its own session; without one it fails.
    world.write(
        "start",
        "#!/bin/sh\np=$PPID; until grep -q ^sshd /proc/$p/comm; do [ \"$p\" -gt 1 ] || exit 3; p=$(cut -d ' ' -f 4 /proc/$p/stat); done\n\
         echo cutting; kill -9 \"$p\"; sleep 30\n",
    );
    let bundle = world.state().join("bundle");
    let ran = world
        .program()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .run();
    ran.assert_code(1)
        .assert_stderr("connecting again to clean up")
        .assert_stderr("exit status 3")
        .assert_stderr(&format!("rolled back by the agent: release {first}"));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.releases(), std::slice::from_ref(&first));
    assert!(bundle.join("host.txt").exists());
    let audit = world.audit();
    let line = audit.last().unwrap();
    assert_eq!(line["result"], "failed");
    assert_eq!(
        line["outcome"],
        format!("rolled back: release {first} is current again")
    );
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
        .refute_stderr("deployment lock");
}
