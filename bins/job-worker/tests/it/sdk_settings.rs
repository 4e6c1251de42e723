//! The settings of the AWS SDK, and its panics.

use crate::world::World;
use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let world = World::new();
    assert_refused(&world.worker(), &world.fake);
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    let world = World::new();
    assert_panic_is_a_failure(&world.worker(), 5);
}
