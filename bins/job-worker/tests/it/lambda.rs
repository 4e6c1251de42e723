//! The same as a Lambda function: one file named `bootstrap`, started without arguments.

use crate::world::{World, image};
use harness::jobs::Status;
use harness::{Program, Reply, Running};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const NEXT: &str = "http:GET /2018-06-01/runtime/invocation/next";

/// A function of the program that is called for every job of an action, each time with `seconds` to answer.
fn function(world: &World, program: &str, action: usize, seconds: u64) -> Running {
    let jobs = world.jobs.clone();
    let calls = Arc::new(Mutex::new(0));
    world.fake.on_call(NEXT, move |_| {
        // A function that has nothing to do is frozen.
        let Some(event) = jobs.event(action) else {
            return Reply::hang(Duration::from_millis(300)).status(200);
        };
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        let until = SystemTime::now() + Duration::from_secs(seconds);
        let until = until.duration_since(UNIX_EPOCH).unwrap().as_millis();
        Reply::bytes(event.to_string())
            .header("lambda-runtime-aws-request-id", format!("request-{calls}"))
            .header("lambda-runtime-deadline-ms", until.to_string())
    });
    for call in 1..20 {
        let answer = format!("http:POST /2018-06-01/runtime/invocation/request-{call}/response");
        world.fake.on(&answer, [Reply::empty(202)]);
    }
    // The zip holds the program beside `bootstrap`.
    let bootstrap = world.path("bin/bootstrap");
    if !bootstrap.exists() {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_job-worker"), &bootstrap).unwrap();
    }
    Program::new(&bootstrap)
        .envs(world.fake.env())
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            world.fake.url().trim_start_matches("http://"),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", "make-ami")
        .env("JOB_WORKER_PROGRAM", program)
        .env("JOB_WORKER_PROGRAM_DIR", world.path("bin"))
        .env("JOB_WORKER_WORK_DIR", world.path("tmp"))
        .env("JOB_WORKER_LOOK_FOR", "1s")
        .spawn()
}

#[test]
fn an_image_is_made_over_several_events_with_tokens() {
    let world = World::new();
    let action = world.jobs.start(image("Bake"));
    let function = function(&world, "make-ami", action, 300);
    world.until("two looks", |world| world.calls().len() >= 3);
    world.set("ready", "");
    world.until_over(action);
    let last = world.jobs.last(action);
    assert_eq!(last.status, Status::Succeeded);
    let ami = world.images().remove(0);
    assert_eq!(
        last.report.unwrap()["outputVariables"]["AMI_ID"],
        ami.as_str()
    );
    assert!(world.jobs.all().iter().all(|job| job.reports == 1));
    let environment = std::fs::read_to_string(world.path("state/environment")).unwrap();
    assert!(!environment.contains("AWS_LAMBDA"), "{environment}");
    // A function is not asked for jobs, and acknowledges none.
    let asked = world.fake.operations();
    assert!(
        !asked
            .iter()
            .any(|call| call.contains("Poll") || call.contains("Acknowledge")),
        "{asked:?}"
    );
    drop(function);
}

#[test]
fn what_does_not_end_in_the_functions_time_is_handed_back() {
    let world = World::new();
    world.set(
        "script",
        "[ -e \"$S/again\" ] || { : >\"$S/again\"; sleep 60; }",
    );
    let action = world.jobs.start(image("Run"));
    // Of 27 seconds, 25 are kept for stopping the program and for the report.
    let function = function(&world, "plain", action, 27);
    world.until_over(action);
    let all = world.jobs.all();
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[1].status, Status::Succeeded);
    drop(function);
}

#[test]
fn a_function_that_is_told_to_stop_hands_its_job_back() {
    let world = World::new();
    world.set("script", "sleep 60");
    let action = world.jobs.start(image("Run"));
    let function = function(&world, "plain", action, 300);
    world.until("the program runs", |world| !world.calls().is_empty());
    function.signal(15);
    function.finish().assert_code(0);
    let all = world.jobs.all();
    assert_eq!(all[0].status, Status::Succeeded, "{all:?}");
    assert!(all[1].token.is_some(), "{all:?}");
}

#[test]
fn another_event_is_an_error_and_the_next_one_is_served() {
    let world = World::new();
    let action = world.jobs.start(image("Bake"));
    world.set("ready", "");
    let error = "http:POST /2018-06-01/runtime/invocation/other/error";
    world.fake.on(error, [Reply::empty(202)]);
    let stray =
        Reply::bytes("{\"key\": \"value\"}").header("lambda-runtime-aws-request-id", "other");
    world.fake.first(NEXT, [stray]);
    let function = function(&world, "make-ami", action, 300);
    world.until_over(action);
    let said = world.fake.requests_for(error);
    assert!(String::from_utf8_lossy(&said[0].body).contains("not the event of a CodePipeline"));
    drop(function);
}
