//! The settings of the AWS SDK, and its panics.

use crate::{account, program};
use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let (fake, _) = account();
    assert_refused(&program(&fake), &fake);
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    let (fake, _) = account();
    assert_panic_is_a_failure(&program(&fake), 5);
}
