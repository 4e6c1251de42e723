//! What is refused is not printed.

use crate::world::World;
use harness::secret_settings::assert_never_shown;

#[test]
fn no_refused_value_that_may_be_secret_is_printed() {
    let world = World::new();
    let program = harness::Program::new(env!("CARGO_BIN_EXE_job-worker"))
        .envs(world.fake.env())
        .arg("serve")
        .env("JOB_WORKER_PROGRAM", "make-ami")
        .env("JOB_WORKER_PROGRAM_DIR", world.path("bin"))
        .env("JOB_WORKER_PROVIDER", "MakeAmi")
        .env("JOB_WORKER_WORK_DIR", world.path("work"))
        .env("JOB_WORKER_DRY_RUN", "1");
    let harmless = [
        "JOB_WORKER_ACTION_VERSION",
        "JOB_WORKER_ARTIFACT_FILES",
        "JOB_WORKER_ARTIFACT_MIB",
        "JOB_WORKER_CATEGORY",
        "JOB_WORKER_CHECK_EVERY",
        "JOB_WORKER_FORMAT",
        "JOB_WORKER_JOBS",
        "JOB_WORKER_LOOK_EVERY",
        "JOB_WORKER_LOOK_FOR",
        "JOB_WORKER_POLL_EVERY",
        "JOB_WORKER_PROGRAM",
        "JOB_WORKER_PROGRAM_DIR",
        "JOB_WORKER_PROVIDER",
        "JOB_WORKER_STOP_WITHIN",
        "JOB_WORKER_WORK_DIR",
    ];
    assert_never_shown(&program, &harmless);
}
