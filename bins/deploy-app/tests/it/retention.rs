//! Old releases go before the lock is waited for.

use crate::world::World;

#[test]
fn a_lock_that_somebody_holds_does_not_keep_old_releases_from_going() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    let second = world.deploy();
    world.write("content", "three");
    let third = world.deploy();
    world.leave_lock();
    world.write("content", "four");
    world
        .program()
        .env("DEPLOY_APP_KEEP_RELEASES", "3")
        .env("DEPLOY_APP_LOCK_WAIT", "1s")
        .run()
        .assert_code(7)
        .assert_stderr(&format!("\nremoved old releases: {first}\n"))
        .assert_stderr(&format!("done so far: removed old releases: {first}\n"));
    // Room for the new one, which never came; what runs stays.
    assert_eq!(world.releases(), [second, third.clone()]);
    assert_eq!(world.current(), Some(third));
    let token = world.target().join(".deploy/lock/token");
    assert_eq!(std::fs::read_to_string(token).unwrap(), "other\n");
}
