//! The settings of the AWS SDK, and its panics.

use crate::aws::ID;
use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};
use harness::{FakeAws, Program};

/// On the way to an instance, without a host: what is wrong is found before.
fn program(fake: &FakeAws) -> Program {
    let program = Program::new(env!("CARGO_BIN_EXE_deploy-app")).envs(fake.env());
    let source = program.home().join("app");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("run"), "").unwrap();
    program
        .env("INSTANCE_ID", ID)
        .env("DEPLOY_APP_RUNTIME", "none")
        .env("DEPLOY_APP_SOURCE", source)
}

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let fake = FakeAws::start();
    assert_refused(&program(&fake), &fake);
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    assert_panic_is_a_failure(&program(&FakeAws::start()), 5);
}
