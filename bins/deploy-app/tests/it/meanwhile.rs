//! What happens between two steps of a deployment, which a slow line keeps apart.

use std::time::Duration;

use harness::Program;
use harness::slow_link::SlowLink;

use crate::world::World;

const PATIENCE: Duration = Duration::from_secs(60);

/// A deployment whose every question to the host takes this long.
fn slowly(world: &World, round_trip: Duration) -> Program {
    let link = SlowLink::start(world.sshd.port(), round_trip);
    world
        .direct()
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", link.port()))
}

#[test]
fn an_application_that_changes_before_it_is_sent_is_no_release() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    // The same length, another length, gone; the file that is right is sent with it.
    for change in [
        |world: &World| world.write("notes", "OTHER"),
        |world: &World| world.write("notes", "o"),
        |world: &World| std::fs::remove_file(world.source().join("notes")).unwrap(),
    ] {
        world.write("content", "two");
        world.write("notes", "other");
        let running = slowly(&world, Duration::from_millis(200)).spawn();
        running.wait_for_stderr("stage lock\n", PATIENCE);
        change(&world);
        let ran = running.finish();
        ran.assert_code(1)
            .assert_stderr("did the application's folder change")
            .assert_stderr("notes");
        assert_eq!(world.current(), Some(first.clone()));
        assert_eq!(world.releases(), vec![first.clone()]);
        assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
        world.assert_unlocked();
    }
    world.write("notes", "other");
    world.deploy();
    assert_eq!(world.answer().unwrap().2, "two");
}

#[test]
fn the_next_deployment_need_not_wait_until_everything_is_on_the_disk() {
    let Some(world) = World::start() else { return };
    let running = slowly(&world, Duration::from_millis(500)).spawn();
    running.wait_for_stderr("everything is on the host's disk\n", PATIENCE);
    // Were the lock given back after that, its record would still name the holder for a round trip.
    let holder = std::fs::read_to_string(world.target().join(".deploy/holder"));
    assert_eq!(holder.unwrap(), "");
    running.finish().assert_code(0);
}
