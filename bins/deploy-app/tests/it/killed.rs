//! Killed at every step: `current` is the old release or the new one, and whole, and the next
//! deployment succeeds by itself.

use crate::world::{World, release};
use harness::Program;
use std::path::Path;
use std::time::Duration;

/// SIGKILL.
const KILL: i32 = 9;

/// The stages of a deployment that changes something, in order.
const STAGES: [&str; 9] = [
    "find", "connect", "compare", "prune", "lock", "send", "switch", "start", "health",
];

fn program(world: &World) -> Program {
    // A killed deployment gives nothing back: its lock is waited out.
    world.program().env("DEPLOY_APP_LEASE", "2s")
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
    let content = std::fs::read_to_string(folder.join("content")).ok()?;
    let is_whole = (0..40).all(|n| {
        std::fs::read_to_string(folder.join(format!("part/{n}"))).is_ok_and(|part| part == content)
    });
    let round: u8 = content.strip_prefix("round ")?.parse().ok()?;
    let large = std::fs::read(folder.join("large")).ok()?;
    let is_whole = is_whole && large.len() == 3_000_000 && large.iter().all(|byte| *byte == round);
    is_whole.then_some(content)
}

#[test]
fn killed_at_every_stage_current_is_old_or_new_and_whole() {
    let Some(world) = World::start() else { return };
    write(&world, 0);
    program(&world).run().assert_code(0);
    for (at, stage) in STAGES.iter().enumerate() {
        let (old, new) = (format!("round {at}"), format!("round {}", at + 1));
        write(&world, at + 1);
        let running = program(&world).spawn();
        running.wait_for_stderr(&format!("stage {stage}\n"), Duration::from_secs(60));
        running.signal(KILL);
        let ran = running.finish();
        assert_eq!(ran.signal, Some(KILL), "{stage}: {ran}");
        let current = round_of(&world.target().join("current"));
        assert!(
            current.as_ref() == Some(&old) || current.as_ref() == Some(&new),
            "killed at {stage}: current is {current:?}"
        );
        let ran = program(&world).run();
        ran.assert_code(0);
        assert_eq!(
            round_of(&world.target().join("current")),
            Some(new.clone()),
            "{stage}"
        );
        assert_eq!(world.answer(), Some((200, release(&ran), new)), "{stage}");
        let partial = world
            .releases()
            .into_iter()
            .find(|name| name.starts_with('.'));
        assert_eq!(partial, None, "{stage}");
    }
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
        running.wait_for_stderr(&format!("stage {stage}\n"), Duration::from_secs(60));
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
        running.wait_for_stderr("stage switch\n", Duration::from_secs(60));
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
