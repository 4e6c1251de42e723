//! What goes wrong between the worker and CodePipeline.

use crate::world::{World, image, stop};
use harness::Reply;
use harness::jobs::Status;

const ALL: [&str; 4] = [
    "codepipeline:PollForJobs",
    "codepipeline:AcknowledgeJob",
    "codepipeline:GetJobDetails",
    "codepipeline:PutJobSuccessResult",
];

fn throttled() -> Reply {
    Reply::error(400, "ThrottlingException", "Rate exceeded")
}

#[test]
fn throttles_are_waited_out() {
    let world = World::new();
    for call in ALL {
        world.fake.first(call, [throttled()]);
    }
    world.set("ready", "");
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until_over(action);
    stop(worker).assert_code(0).assert_stderr("Rate exceeded");
    assert_eq!(world.jobs.last(action).status, Status::Succeeded);
    assert!(world.jobs.all().iter().all(|job| job.reports == 1));
}

#[test]
fn answers_that_are_lost_or_no_answers_change_nothing() {
    let world = World::new();
    for call in [
        "codepipeline:AcknowledgeJob",
        "codepipeline:PutJobSuccessResult",
    ] {
        world.fake.lose_reply(call);
        world
            .fake
            .first(call, [Reply::html(502, "<html>bad gateway</html>")]);
    }
    world.set("ready", "");
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until_over(action);
    let ran = stop(worker);
    ran.assert_code(0);
    assert_eq!(world.jobs.last(action).status, Status::Succeeded);
    // The first report arrived although its answer was lost: the image of a job that goes on is not removed.
    assert!(world.jobs.all().iter().all(|job| job.reports == 1), "{ran}");
    assert_eq!(world.images().len(), 1);
}

#[test]
fn output_variables_that_are_too_large_or_too_many_fail_the_job_and_name_what_was_made() {
    let large = format!("export LOG='{}'\n", "x".repeat(122_880));
    let many: String = (0..9000)
        .map(|n| format!("export VARIABLE_{n}='x'\n"))
        .collect();
    for more in [large, many] {
        let world = World::new();
        world.set("more", &more);
        world.set("ready", "");
        let action = world.jobs.start(image("Bake"));
        let worker = world.worker().spawn();
        world.until_over(action);
        stop(worker).assert_code(0);
        let details = &world.jobs.last(action).report.unwrap()["failureDetails"];
        assert_eq!(details["type"], "ConfigurationError");
        let message = details["message"].as_str().unwrap();
        assert!(message.contains("CodePipeline allows 122880"), "{message}");
        assert!(
            message.contains(&format!("AMI_ID={}", world.images()[0])),
            "{message}"
        );
        assert!(world.jobs.offences().is_empty());
    }
}

#[test]
fn outputs_that_codepipeline_refuses_after_all_are_a_failure_and_not_a_loop() {
    let world = World::new();
    world.set("ready", "");
    let action = world.jobs.start(image("Bake"));
    let refused = Reply::error(400, "OutputVariablesSizeExceededException", "too large");
    let worker = world.worker().spawn();
    world.until("handed back", |world| world.jobs.all().len() == 2);
    world
        .fake
        .first("codepipeline:PutJobSuccessResult", [refused]);
    world.until_over(action);
    stop(worker).assert_code(0);
    assert_eq!(world.jobs.last(action).status, Status::Failed);
}
