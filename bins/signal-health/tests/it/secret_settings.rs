//! What is refused is not printed.

use harness::secret_settings::assert_never_shown;

use crate::{INSTANCE, world};

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let fake = world();
    let program = harness::Program::new(env!("CARGO_BIN_EXE_signal-health"))
        .envs(fake.env())
        .env("INSTANCE_ID", INSTANCE)
        .env("SIGNAL_HEALTH_STACK", "app")
        .env("SIGNAL_HEALTH_RESOURCE", "Group")
        .env("SIGNAL_HEALTH_URL", fake.url())
        .env("SIGNAL_HEALTH_DRY_RUN", "1");
    let harmless = [
        "INSTANCE_ID",
        "SIGNAL_HEALTH_CA",
        "SIGNAL_HEALTH_COUNT",
        "SIGNAL_HEALTH_LIFECYCLE_HOOK",
        "SIGNAL_HEALTH_RESOURCE",
        "SIGNAL_HEALTH_STACK",
        "SIGNAL_HEALTH_STATUS",
    ];
    assert_never_shown(&program, &harmless);
}
