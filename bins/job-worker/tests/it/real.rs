//! The real `make-ami` under the worker, over the scripted EC2.

use crate::world::{World, image, stop};
use harness::Program;
use harness::codebuild::CodeBuild;
use harness::ec2::{Ec2World, Instance, Outcome};
use harness::jobs::Status;

/// A worker of the make-ami that was built, and the account that it works in.
fn account(outcome: Outcome) -> Option<(World, Ec2World, Program)> {
    Program::of_workspace("make-ami")?;
    let world = World::new();
    let account = Ec2World::with([Instance::running("i-0123456789abcdef0")]);
    account.outcomes([outcome]);
    account.serve(&world.fake);
    CodeBuild::default().serve(&world.fake);
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_job-worker"))
        .parent()
        .unwrap()
        .to_owned();
    let folder = std::env::var_os("ACTIONS_BIN").map_or(built, Into::into);
    let worker = world
        .worker()
        .env("JOB_WORKER_LOOK_FOR", "2s")
        .args(["--program-dir"])
        .arg(folder);
    Some((world, account, worker))
}

#[test]
fn an_image_that_takes_a_while_is_made_once_and_verified() {
    let Some((world, account, worker)) = account(Outcome::Available { after_polls: 8 }) else {
        return;
    };
    let mut action = image("Bake");
    action
        .configuration
        .insert("AMI_NAME".to_owned(), "web-42".to_owned());
    let action = world.jobs.start(action);
    let worker = worker.spawn();
    world.until_over(action);
    let ran = stop(worker);
    let last = world.jobs.last(action);
    assert_eq!(last.status, Status::Succeeded, "{last:?}\n{ran}");
    let images = account.images();
    assert_eq!(images.len(), 1);
    let variables = &last.report.unwrap()["outputVariables"];
    assert_eq!(variables["AMI_ID"], images[0].id.as_str());
    assert_eq!(variables["AMI_NAME"], "web-42");
    assert!(world.jobs.all().len() > 2, "it was looked at several times");
    assert_eq!(world.fake.requests_for("ec2:CreateImage").len(), 1);
}

#[test]
fn an_image_that_fails_is_reported_with_the_reason_and_removed() {
    let failed = Outcome::Failed {
        after_polls: 5,
        code: "Client.InternalError".to_owned(),
        message: "the snapshot broke".to_owned(),
    };
    let Some((world, account, worker)) = account(failed) else {
        return;
    };
    let action = world.jobs.start(image("Bake"));
    let worker = worker.spawn();
    world.until_over(action);
    let ran = stop(worker);
    let last = world.jobs.last(action);
    assert_eq!(last.status, Status::Failed, "{ran}");
    let details = last.report.unwrap()["failureDetails"].clone();
    assert!(
        details["message"]
            .as_str()
            .unwrap()
            .contains("the snapshot broke"),
        "{details}"
    );
    assert!(account.images().is_empty());
}

#[test]
fn a_job_that_is_given_up_leaves_no_image() {
    let Some((world, account, worker)) = account(Outcome::Never) else {
        return;
    };
    let action = world.jobs.start(image("Bake"));
    let worker = worker.spawn();
    // Only what is in hand, or offered, can be noticed; a job that nobody saw is listed alone.
    world.until("a look", |world| {
        world.jobs.all().len() > 1 && world.jobs.last(action).status == Status::InProgress
    });
    world.jobs.time_out(action);
    world.until("the image is gone", |_| account.images().is_empty());
    stop(worker).assert_stderr("removed what it had made");
}
