//! The settings of the AWS SDK, and its panics.

use crate::program;
use harness::sdk_settings::{assert_panic_is_a_failure, assert_refused};
use harness::{FakeAws, Program};

fn asking(fake: &FakeAws) -> Program {
    program().envs(fake.env()).args(["--from-stack", "app"])
}

#[test]
fn wrong_settings_of_the_sdk_are_refused_before_any_call() {
    let fake = FakeAws::start();
    assert_refused(&asking(&fake), &fake);
    // A build asks for the types of its variables, whatever is exported.
    let build = program()
        .envs(fake.env())
        .env("CODEBUILD_BUILD_ID", "web:0a")
        .arg("A=1");
    assert_refused(&build, &fake);
    // Who asks nobody needs no settings.
    let alone = program().env("AWS_MAX_ATTEMPTS", "0").arg("A=1").run();
    alone.assert_code(0).assert_stdout("export A='1'\n");
}

#[test]
fn a_panic_of_the_sdk_is_a_failure() {
    assert_panic_is_a_failure(&asking(&FakeAws::start()), 1);
}
