//! What is refused is not printed.

use crate::aws::ID;
use harness::Program;
use harness::secret_settings::assert_never_shown;

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    // Refused, whatever else is given, before any call.
    let program = Program::new(env!("CARGO_BIN_EXE_deploy-app"))
        .env("INSTANCE_ID", ID)
        .env("DEPLOY_APP_LAYOUT", "never");
    let harmless = [];
    assert_never_shown(&program, &harmless);
}
