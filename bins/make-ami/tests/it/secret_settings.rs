//! What is refused is not printed.

use crate::{account, program};
use harness::secret_settings::assert_never_shown;

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let (fake, _) = account();
    // Refused, whatever else is given, before any call.
    let program = program(&fake).env("MAKE_AMI_RETIRE", "never");
    let harmless = [];
    assert_never_shown(&program, &harmless);
}
