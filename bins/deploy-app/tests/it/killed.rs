//! Killed at every step: `current` is the old release or the new one, and whole, and the next
//! deployment succeeds by itself.

use crate::compose::Docker;
use crate::ollama::ollama;
use crate::world::{World, release};
use harness::Program;
use std::path::Path;
use std::time::Duration;

/// SIGKILL.
const KILL: i32 = 9;

/// How long a stage may be waited for. Over Session Manager the host learns only by a minute's silence that a client was
/// killed: the session waits for it to come back. Until then the lock is held.
const STAGE_LIMIT: Duration = Duration::from_secs(180);

/// The stages of a deployment that changes something, in order.
const STAGES: [&str; 12] = [
    "find", "connect", "compare", "prune", "lock", "send", "before", "switch", "start", "health",
    "after", "finish",
];

fn program(world: &World) -> Program {
    mortal(world, world.program())
}

/// A killed deployment gives nothing back: its lock is waited out.
pub(crate) fn mortal(world: &World, program: Program) -> Program {
    let told = world.state().join("after");
    program
        .env("DEPLOY_APP_BEFORE", "true")
        .env(
            "DEPLOY_APP_AFTER",
            format!("echo $RELEASE_ID >>{}", told.display()),
        )
        .limit(2 * STAGE_LIMIT)
}

/// The releases whose hook after the proof ran.
fn told(world: &World) -> Vec<String> {
    let text = std::fs::read_to_string(world.state().join("after")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Ends the agent at once, with what decides alone and what runs for it: as when the host is switched off.
fn end_agent(world: &World) {
    let holder = std::fs::read_to_string(world.target().join(".deploy/holder")).unwrap();
    let agent = holder.lines().nth(3).unwrap_or_default().to_owned();
    let found = std::process::Command::new("pgrep")
        .args(["-P", &agent])
        .output()
        .unwrap();
    let children = String::from_utf8(found.stdout).unwrap();
    let all = children.split_whitespace().chain([agent.as_str()]);
    let _ = std::process::Command::new("kill")
        .arg("-KILL")
        .args(all)
        .status();
}

/// Runs until `is_there`, and is killed at once, together with all that it has on the host.
fn kill_when(world: &World, program: &Program, is_there: impl Fn() -> bool) {
    let running = program.spawn();
    let began = std::time::Instant::now();
    while !is_there() {
        assert!(began.elapsed() < STAGE_LIMIT);
        std::thread::sleep(Duration::from_millis(2));
    }
    end_agent(world);
    running.signal(KILL);
    assert_eq!(running.finish().signal, Some(KILL));
}

/// What a release of a round holds: a few files that are changed together, and one that takes time.
fn write(world: &World, round: usize) {
    world.write("content", &format!("round {round}"));
    for n in 0..40 {
        world.write(&format!("part/{n}"), &format!("round {round}"));
    }
    std::fs::write(world.source().join("large"), vec![round as u8; 3_000_000]).unwrap();
}

/// The round that a tree is of, when all of it is of one.
fn round_of(folder: &Path) -> Option<String> {
    // The agent decides alone on a release whose deployment was killed: `current` may change while it is read.
    let folder = folder.canonicalize().ok()?;
    let content = std::fs::read_to_string(folder.join("content")).ok()?;
    let is_whole = (0..40).all(|n| {
        std::fs::read_to_string(folder.join(format!("part/{n}"))).is_ok_and(|part| part == content)
    });
    let round: u8 = content.strip_prefix("round ")?.parse().ok()?;
    let large = std::fs::read(folder.join("large")).ok()?;
    let is_whole = is_whole && large.len() == 3_000_000 && large.iter().all(|byte| *byte == round);
    is_whole.then_some(content)
}

/// Kills at every one of the stages; the deployment after it must make the new application answer.
fn kill_at(stages: &[&str], world: &World, program: &Program) {
    // An application that does not name its release: the old one cannot be told from the new by its answer.
    world.write("anonymous", "");
    write(world, 0);
    program.run().assert_code(0);
    for (at, stage) in stages.iter().enumerate() {
        let (old, new) = (format!("round {at}"), format!("round {}", at + 1));
        write(world, at + 1);
        let running = program.spawn();
        running.wait_for_stderr(&format!("stage {stage}\n"), STAGE_LIMIT);
        running.signal(KILL);
        let ran = running.finish();
        assert_eq!(ran.signal, Some(KILL), "{stage}: {ran}");
        let current = round_of(&world.target().join("current"));
        assert!(
            current.as_ref() == Some(&old) || current.as_ref() == Some(&new),
            "killed at {stage}: current is {current:?}"
        );
        let ran = program.run();
        ran.assert_code(0);
        assert_eq!(
            round_of(&world.target().join("current")),
            Some(new.clone()),
            "{stage}"
        );
        assert_eq!(world.answer(), Some((200, String::new(), new)), "{stage}");
        assert_eq!(told(world).last(), Some(&release(&ran)), "{stage}: after");
        let proven = world.target().join(".deploy/proven").join(release(&ran));
        assert!(proven.exists(), "{stage}");
        let partial = world
            .releases()
            .into_iter()
            .find(|name| name.starts_with('.'));
        assert_eq!(partial, None, "{stage}");
    }
}

#[test]
fn killed_at_every_stage_current_is_old_or_new_and_whole() {
    let Some(world) = World::start() else { return };
    kill_at(&STAGES, &world, &program(&world));
}

#[test]
fn killed_at_every_stage_of_compose_the_new_container_runs_in_the_end() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let ollama = ollama("{\"status\":\"success\"}");
    let program = mortal(&docker.world, docker.program()).envs(ollama.settings("llama3.2:3b"));
    let stages = [
        "build", "before", "switch", "start", "model", "health", "after", "finish",
    ];
    kill_at(&stages, &docker.world, &program);
}

#[test]
fn killed_once_current_has_changed_the_next_deployment_starts_it() {
    let Some(world) = World::start() else { return };
    world.write("anonymous", "");
    let first = release(program(&world).run().assert_code(0));
    for content in ["two", "three"] {
        world.write("content", content);
        let before = world.current();
        kill_when(&world, &program(&world), || world.current() != before);
        let dry = program(&world).env("DEPLOY_APP_DRY_RUN", "1").run();
        dry.assert_code(0)
            .assert_stderr("start the current release again, because ");
        let ran = program(&world).run();
        ran.assert_code(0)
            .assert_stderr("starting it again")
            .refute_stderr("nothing to deploy");
        assert_eq!(ran.exports()["DEPLOY_CHANGED"], "1");
        assert_eq!(
            world.answer(),
            Some((200, String::new(), content.to_owned()))
        );
        assert_eq!(told(&world).last(), Some(&release(&ran)));
        let audit = world.audit();
        assert_eq!(audit.last().unwrap()["release"], release(&ran).as_str());
        program(&world)
            .run()
            .assert_code(0)
            .assert_stderr("nothing to deploy");
    }
    // Going back as well: what is there then is a release that was healthy once, and not what runs.
    let before = world.current();
    let back = program(&world).arg("rollback").arg(&first);
    kill_when(&world, &back, || world.current() != before);
    back.run().assert_code(0);
    assert_eq!(world.answer(), Some((200, String::new(), "one".to_owned())));
}

#[test]
fn what_a_killed_deployment_left_is_not_gone_back_to() {
    let Some(world) = World::start() else { return };
    let first = release(program(&world).run().assert_code(0));
    world.write("content", "two");
    let before = world.current();
    kill_when(&world, &program(&world), || world.current() != before);
    let killed = world.current().unwrap();
    world.write("broken", "");
    let ran = program(&world).run();
    ran.assert_code(1).assert_stderr(&format!(
        "rolled back: release {first} runs again and is healthy"
    ));
    assert_ne!(killed, first);
    assert_eq!(world.current(), Some(first.clone()));
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    let audit = world.audit();
    let line = audit.last().unwrap();
    assert_eq!(line["result"], "failed");
    assert!(line["outcome"].as_str().unwrap().starts_with("rolled back"));
}

#[test]
fn with_nothing_proven_a_failed_deployment_says_that_there_is_nothing_to_go_back_to() {
    let Some(world) = World::start() else { return };
    kill_when(&world, &program(&world), || world.current().is_some());
    let killed = world.current().unwrap();
    world.write("broken", "");
    program(&world)
        .run()
        .assert_code(1)
        .assert_stderr(&format!(
            "release {killed}, which was current, was never proven healthy, and there is no other to go back to"
        ));
    assert_eq!((world.answer(), world.current()), (None, None));
}

#[test]
fn killed_while_sending_or_switching_at_any_moment() {
    let Some(world) = World::start() else { return };
    write(&world, 0);
    program(&world).run().assert_code(0);
    for round in 1..=6 {
        write(&world, round);
        let running = program(&world).spawn();
        let stage = if round % 2 == 0 { "send" } else { "switch" };
        running.wait_for_stderr(&format!("stage {stage}\n"), STAGE_LIMIT);
        std::thread::sleep(Duration::from_millis(40 * round as u64));
        running.signal(KILL);
        running.finish();
        assert!(
            round_of(&world.target().join("current")).is_some(),
            "{round}"
        );
    }
    program(&world).run().assert_code(0);
    assert_eq!(
        round_of(&world.target().join("current")).as_deref(),
        Some("round 6")
    );
}

#[test]
fn killed_in_place_the_next_deployment_puts_everything_right() {
    let Some(world) = World::start() else { return };
    let program = || program(&world).env("DEPLOY_APP_LAYOUT", "in-place");
    write(&world, 0);
    program().run().assert_code(0);
    for round in 1..=4 {
        write(&world, round);
        world.write(&format!("only-in-{round}"), "x");
        let running = program().spawn();
        running.wait_for_stderr("stage switch\n", STAGE_LIMIT);
        std::thread::sleep(Duration::from_millis(60 * round as u64));
        running.signal(KILL);
        running.finish();
        // Back to the start: what of the killed one lies there must go again.
        std::fs::remove_file(world.source().join(format!("only-in-{round}"))).unwrap();
        write(&world, 0);
        program().run().assert_code(0);
        assert_eq!(
            round_of(&world.target()).as_deref(),
            Some("round 0"),
            "{round}"
        );
        assert!(
            !world.target().join(format!("only-in-{round}")).exists(),
            "{round}"
        );
    }
}
