//! A second opinion. moto and ministack serve no part of the job API (`tests/faults/lacks.txt`); what botocore carries
//! of it is AWS's own model, and everything that the worker sends must fit it.

use crate::world::{World, image, stop};
use serde_json::json;

#[test]
fn every_request_of_the_job_api_fits_awss_model() {
    let world = World::new();
    let good = world.jobs.start(image("Bake"));
    let mut wrong = image("Wrong");
    wrong
        .configuration
        .insert("NO_SUCH_SETTING".to_owned(), "x".repeat(6000));
    let wrong = world.jobs.start(wrong);
    let late = world.jobs.start(image("Late"));
    let worker = world.worker().spawn();
    world.until("looks", |world| world.calls().len() >= 6);
    world.jobs.time_out(late);
    world.set("ready", "");
    world.until_over(good);
    world.until_over(wrong);
    stop(worker).assert_code(0);
    let requests = world.fake.requests();
    let jobs = requests
        .iter()
        .filter(|request| request.service == "codepipeline");
    let sent: Vec<_> = jobs
        .map(|request| {
            let body = serde_json::from_slice(&request.body).unwrap();
            (request.operation.as_str(), "request", body)
        })
        .collect();
    for operation in [
        "PollForJobs",
        "AcknowledgeJob",
        "PutJobSuccessResult",
        "PutJobFailureResult",
    ] {
        assert!(
            sent.iter().any(|(name, ..)| *name == operation),
            "{operation} was not tried"
        );
    }
    if let Some(faults) = harness::schema::against_model("codepipeline", &sent) {
        assert_eq!(faults, Vec::<String>::new());
    }
    // The model does say something against what does not fit.
    let bad = json!({"jobId": "j", "nonce": ""});
    if let Some(faults) =
        harness::schema::against_model("codepipeline", &[("AcknowledgeJob", "request", bad)])
    {
        assert_eq!(faults.len(), 2, "{faults:?}");
    }
}
