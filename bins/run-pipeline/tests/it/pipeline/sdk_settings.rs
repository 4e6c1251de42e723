//! The settings of the AWS SDK, and its panics.

use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};

use super::{BUILDSPEC, PIPELINE, fake, program};

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let (fake, folder) = (fake(BUILDSPEC), tempfile::tempdir().unwrap());
    let program = program(folder.path(), PIPELINE).envs(fake.env());
    assert_refused(&program, &fake);
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    let (fake, folder) = (fake(BUILDSPEC), tempfile::tempdir().unwrap());
    let program = program(folder.path(), PIPELINE).envs(fake.env());
    assert_panic_is_a_failure(&program, 5);
}
