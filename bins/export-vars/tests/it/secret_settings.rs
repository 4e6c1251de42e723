//! What is refused is not printed.

use crate::program;
use harness::secret_settings::assert_never_shown;

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let harmless = [
        "EXPORT_VARS_ALLOW_EMPTY",
        "EXPORT_VARS_CONSUMER",
        "EXPORT_VARS_FROM_ENV_DIALECT",
        "EXPORT_VARS_EXCEPT",
        "EXPORT_VARS_FORMAT",
        "EXPORT_VARS_FROM_EXPORT",
        "EXPORT_VARS_FROM_JSON",
        "EXPORT_VARS_FROM_SSM",
        "EXPORT_VARS_FROM_STACK",
        "EXPORT_VARS_FROM_TAG",
        "EXPORT_VARS_GITLAB_VARIABLES",
        "EXPORT_VARS_MULTILINE",
        "EXPORT_VARS_ONLY",
        "EXPORT_VARS_ON_CONFLICT",
        "EXPORT_VARS_PRINT",
        "EXPORT_VARS_SET_ELSEWHERE",
    ];
    // A fault of another setting, so that nothing is ever exported.
    let program = program().env("EXPORT_VARS_ON_CONFLICT", "never");
    assert_never_shown(&program, &harmless);
}
