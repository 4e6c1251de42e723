//! The settings of the AWS SDK, and its panics.

use crate::world::{project, uploading};
use harness::FakeAws;
use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let (folder, fake) = (project(), FakeAws::start());
    assert_refused(&uploading(&folder, &fake), &fake);
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    let (folder, fake) = (project(), FakeAws::start());
    assert_panic_is_a_failure(&uploading(&folder, &fake), 5);
}
