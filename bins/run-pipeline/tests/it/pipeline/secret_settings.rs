//! What is refused is not printed.

use harness::secret_settings::assert_never_shown;

use super::{BUILDSPEC, PIPELINE, fake, program};

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let (fake, folder) = (fake(BUILDSPEC), tempfile::tempdir().unwrap());
    let program = program(folder.path(), PIPELINE)
        .envs(fake.env())
        .env("RUN_PIPELINE_DRY_RUN", "1");
    let harmless = [
        "RUN_PIPELINE_ACCOUNT",
        "RUN_PIPELINE_ALLOW_AWS",
        "RUN_PIPELINE_APPROVE",
        "RUN_PIPELINE_ARTIFACT",
        "RUN_PIPELINE_BIN_DIR",
        "RUN_PIPELINE_BUILD_ENV_DIALECT",
        "RUN_PIPELINE_BUILD_ENV_FILE",
        "RUN_PIPELINE_CHECK_CONFIG",
        "RUN_PIPELINE_DRAWING",
        "RUN_PIPELINE_EXPLAIN",
        "RUN_PIPELINE_FIX",
        "RUN_PIPELINE_FORMAT",
        "RUN_PIPELINE_FROM",
        "RUN_PIPELINE_LIVE",
        "RUN_PIPELINE_ONLY",
        "RUN_PIPELINE_PARAMETER_FILE",
        "RUN_PIPELINE_PIPELINE_ID",
        "RUN_PIPELINE_PROJECT_FILE",
        "RUN_PIPELINE_RETRY_MODE",
        "RUN_PIPELINE_SKIP",
        "RUN_PIPELINE_SOURCE",
        "RUN_PIPELINE_ARCHIVE_ENTRY",
        "RUN_PIPELINE_START_EXECUTION",
        "RUN_PIPELINE_STORE_FILE",
        "RUN_PIPELINE_STUB",
        "RUN_PIPELINE_UNTIL",
    ];
    assert_never_shown(&program, &harmless);
}
