//! The connection is lost after the switch: the agent proves the release, or goes back, and the next run says so.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use harness::Program;
use harness::cut_proxy::{CutProxy, Direction};
use harness::dropbear::Dropbear;
use harness::sshd::Options;

use crate::ollama::ollama;
use crate::world::{World, release};

/// SIGKILL.
const KILL: i32 = 9;

/// Whether it comes true in a time that is long enough for a busy machine.
fn comes_true(mut is_true: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(60) {
        if is_true() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Whether nobody holds the lock.
fn is_free(world: &World) -> bool {
    match std::fs::File::open(world.target().join(".deploy/holder")) {
        Ok(holder) => holder.try_lock_shared().is_ok(),
        Err(_) => true,
    }
}

fn is_proven(world: &World, release: &str) -> bool {
    world.target().join(".deploy/proven").join(release).exists()
}

/// The content that the release has.
fn content(world: &World, release: &str) -> String {
    let at = world
        .target()
        .join("releases")
        .join(release)
        .join("content");
    std::fs::read_to_string(at).unwrap()
}

/// What is current is whole, runs, and is proven.
fn is_whole(world: &World) -> String {
    let current = world.current().expect("current is gone");
    assert!(is_proven(world, &current), "{current} is not proven");
    let answer = (200, current.clone(), content(world, &current));
    assert_eq!(world.answer(), Some(answer));
    current
}

#[test]
fn a_host_that_forwards_nothing_and_takes_one_command_is_deployed_to() {
    let options = Options {
        config: vec![
            "AllowTcpForwarding no".to_owned(),
            "MaxSessions 1".to_owned(),
        ],
        ..Options::default()
    };
    let Some(world) = World::start_with(&options) else {
        return;
    };
    let ollama = ollama("{\"status\":\"success\"}");
    let program = world.direct().envs(ollama.settings("llama3.2:3b"));
    program.run().assert_code(0);
    is_whole(&world);
    world.write("broken", "");
    program
        .run()
        .assert_code(1)
        .assert_stderr("it answers 500")
        .assert_stderr("rolled back");
    is_whole(&world);
}

#[test]
fn a_host_with_dropbear_that_forwards_nothing_is_deployed_to() {
    let Some(host) = Dropbear::start(&["-j", "-k"]) else {
        return;
    };
    let Some(world) = World::start() else { return };
    let program = at_dropbear(&world, &host, host.port());
    program.run().assert_code(0);
    is_whole(&world);
}

fn at_dropbear(world: &World, host: &Dropbear, port: u16) -> Program {
    world
        .direct()
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{port}"))
        .env("DEPLOY_APP_USER", "root")
        .env("DEPLOY_APP_SSH_KEY", host.user_key_path())
        .env("DEPLOY_APP_HOST_KEY", host.host_key_line())
        // Its user has another home, in which nothing of the tests is found.
        .env("DEPLOY_APP_START", command(world, "start"))
        .env("DEPLOY_APP_STOP", command(world, "stop"))
}

fn command(world: &World, name: &str) -> String {
    format!("{}PYTHON=/usr/bin/python3 ./{name}", world.variables())
}

/// A release that takes its time to become healthy: not before the file is there.
fn slow(world: &World, content: &str) -> std::path::PathBuf {
    let ready = world.state().join(format!("ready-{content}"));
    world.write("content", content);
    let start = format!(
        "#!/bin/sh\nPATH=$PATH:/usr/bin:/bin\nsetsid sh -c 'while [ ! -e {0} ]; do sleep 0.05; done; exec \"$PYTHON\" app.py \"$PORT\" \"$STATE/pid\"' </dev/null >/dev/null 2>&1 &\n",
        ready.display()
    );
    world.write("start", &start);
    ready
}

/// Begins a deployment through a proxy, and loses it while the release is asked for its health.
fn lost_at_health(world: &World, program: Program, proxy: &CutProxy) {
    let program = program.env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", proxy.port()));
    let running = program.spawn();
    running.wait_for_stderr("stage health\n", Duration::from_secs(60));
    proxy.cut();
    running.signal(KILL);
    running.finish();
    assert!(!is_free(world), "nobody judges");
}

#[test]
fn the_agent_keeps_a_release_that_becomes_healthy_and_the_retry_exports_it() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    let ready = slow(&world, "two");
    let patient = || world.direct().env("DEPLOY_APP_HEALTH_TIMEOUT", "60s");
    let proxy = CutProxy::start(world.sshd.port());
    lost_at_health(&world, patient(), &proxy);
    // Whoever comes meanwhile is told who judges.
    let waiting = patient().spawn();
    waiting.wait_for_stderr(
        "the agent decides alone on release",
        Duration::from_secs(60),
    );
    std::fs::write(ready, "").unwrap();
    let ran = waiting.finish();
    ran.assert_code(0)
        .assert_stderr("lost its connection after the switch")
        .assert_stderr("the agent found it healthy, and kept it")
        .refute_stderr("starting it again");
    let second = release(&ran);
    assert_ne!(first, second);
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "1");
    assert_eq!(is_whole(&world), second);
    let audit = world.audit();
    let line = audit.last().unwrap();
    assert_eq!(
        (&line["result"], &line["release"]),
        (&"done".into(), &second.as_str().into())
    );
    assert!(
        line["decided"].is_string() && line["time"].is_string(),
        "{line}"
    );
    // It is told once.
    let ran = patient().run();
    ran.assert_code(0)
        .assert_stderr("nothing to deploy")
        .refute_stderr("lost its connection");
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "0");
}

#[test]
fn the_agent_goes_back_from_a_release_that_does_not_become_healthy() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    world.write("broken", "");
    let proxy = CutProxy::start(world.sshd.port());
    lost_at_health(&world, world.direct(), &proxy);
    assert!(comes_true(|| is_free(&world)));
    assert_eq!(is_whole(&world), first);
    let audit = world.audit();
    let line = audit.last().unwrap();
    assert_eq!(line["result"], "failed");
    assert!(
        line["failure"].as_str().unwrap().contains("it answers 500"),
        "{line}"
    );
    let dry = world.direct().env("DEPLOY_APP_DRY_RUN", "1").run();
    dry.assert_code(0)
        .assert_stderr(&format!("the agent went back to release {first}"));
    std::fs::remove_file(world.source().join("broken")).unwrap();
    let ran = world.direct().run();
    ran.assert_code(0)
        .assert_stderr(&format!("the agent went back to release {first}"));
    assert_eq!(is_whole(&world), release(&ran));
}

#[test]
fn a_run_that_lost_its_connection_exports_what_the_agent_decided() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let ready = slow(&world, "two");
    let proxy = CutProxy::start(world.sshd.port());
    let program = world
        .direct()
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "60s")
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", proxy.port()));
    let running = program.spawn();
    running.wait_for_stderr("stage health\n", Duration::from_secs(60));
    proxy.cut();
    proxy.open();
    running.wait_for_stderr("connecting again", Duration::from_secs(60));
    std::fs::write(ready, "").unwrap();
    let ran = running.finish();
    ran.assert_code(0)
        .assert_stderr("the agent found it healthy, and kept it");
    assert_eq!(is_whole(&world), release(&ran));
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "1");
    world.assert_unlocked();
    // The same with one that fails.
    world.write("broken", "");
    let before = world.current();
    let running = program.env("DEPLOY_APP_HEALTH_TIMEOUT", "3s").spawn();
    running.wait_for_stderr("stage health\n", Duration::from_secs(60));
    proxy.cut();
    proxy.open();
    running
        .finish()
        .assert_code(1)
        .assert_stderr("rolled back by the agent: release");
    assert_eq!(world.current(), before);
    is_whole(&world);
}

#[test]
fn the_agent_outlives_the_session_of_dropbear() {
    let Some(host) = Dropbear::start(&[]) else {
        return;
    };
    let Some(world) = World::start() else { return };
    at_dropbear(&world, &host, host.port()).run().assert_code(0);
    let first = world.current().unwrap();
    world.write("broken", "");
    let proxy = CutProxy::start(host.port());
    lost_at_health(&world, at_dropbear(&world, &host, proxy.port()), &proxy);
    assert!(comes_true(|| is_free(&world)));
    assert_eq!(is_whole(&world), first);
}

/// Cuts at this piece, and kills the program or lets it connect again.
fn cut_at(world: &World, proxy: &CutProxy, (direction, piece): (Direction, usize), killed: bool) {
    let told = format!("{direction:?} {piece}, killed: {killed}");
    let program = world
        .direct()
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", proxy.port()));
    proxy.cut_at(direction, piece);
    let running = program.spawn();
    let (id, is_over) = (running.id().to_string(), AtomicBool::new(false));
    let ran = std::thread::scope(|scope| {
        scope.spawn(|| {
            // It may end before so many pieces have come.
            assert!(comes_true(
                || proxy.has_cut() || is_over.load(Ordering::SeqCst)
            ));
            match killed {
                true => drop(Command::new("kill").args(["-KILL", &id]).status()),
                false => proxy.open(),
            }
        });
        let ran = running.finish();
        is_over.store(true, Ordering::SeqCst);
        ran
    });
    assert!(killed || matches!(ran.code, Some(0 | 1)), "{told}: {ran}");
    assert!(comes_true(|| is_free(world)), "{told}");
    is_whole(world);
    let ran = world.direct().run();
    ran.assert_code(0);
    assert_eq!(is_whole(world), release(&ran), "{told}");
    proxy.open();
}

/// One in so many pieces is tried, `HARNESS_EVERY_CUT=1` for all of them.
fn one_in(pieces: usize) -> usize {
    match std::env::var("HARNESS_EVERY_CUT") {
        Ok(_) => 1,
        Err(_) => (pieces / 4).max(1),
    }
}

#[test]
fn the_connection_is_cut_at_every_piece_in_both_directions() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let proxy = CutProxy::start(world.sshd.port());
    world.write("content", "counted");
    world
        .direct()
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", proxy.port()))
        .run()
        .assert_code(0);
    let directions = [Direction::ToServer, Direction::ToClient];
    let pieces = directions.map(|direction| proxy.pieces(direction));
    for (direction, pieces) in directions.into_iter().zip(pieces) {
        for (number, piece) in (0..pieces).step_by(one_in(pieces)).enumerate() {
            world.write("content", &format!("{direction:?} {piece}"));
            cut_at(&world, &proxy, (direction, piece), number % 2 == 0);
        }
    }
}
