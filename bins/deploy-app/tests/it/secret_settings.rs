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
    let harmless = [
        "DEPLOY_APP_AGENT_DIR",
        "DEPLOY_APP_COMPOSE_FILE",
        "DEPLOY_APP_EPHEMERAL",
        "DEPLOY_APP_HEALTH_CA",
        "DEPLOY_APP_HEALTH_COUNT",
        "DEPLOY_APP_HEALTH_STATUS",
        "DEPLOY_APP_HOST_KEY_PARAMETER",
        "DEPLOY_APP_HOST_PATH",
        "DEPLOY_APP_INCLUDE",
        "DEPLOY_APP_INSTANCE_TAG",
        "DEPLOY_APP_KEEP_RELEASES",
        "DEPLOY_APP_LAYOUT",
        "DEPLOY_APP_LOCK_WAIT",
        "DEPLOY_APP_OLLAMA_STALL",
        "DEPLOY_APP_OLLAMA_WARM_UP",
        "DEPLOY_APP_PROJECT",
        "DEPLOY_APP_RELEASE",
        "DEPLOY_APP_RUNTIME",
        "DEPLOY_APP_SHARED",
        "DEPLOY_APP_SOURCE",
        "DEPLOY_APP_SSH_CONFIG",
        "DEPLOY_APP_SUDO",
        "DEPLOY_APP_TARGET",
        "DEPLOY_APP_TARGET_GROUP_ARN",
        "DEPLOY_APP_TRANSFER_BUCKET",
        "DEPLOY_APP_TRANSPORT",
        "DEPLOY_APP_TRUST_ON_FIRST_USE",
        "INSTANCE_ID",
    ];
    assert_never_shown(&program, &harmless);
}
