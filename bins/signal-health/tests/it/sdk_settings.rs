//! The settings of the AWS SDK, and its panics.

use crate::{program, world};
use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let fake = world();
    assert_refused(&program(&fake), &fake);
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    assert_panic_is_a_failure(&program(&world()), 5);
}
