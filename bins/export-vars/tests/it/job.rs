//! A CodePipeline job's output variables, against a scripted CodePipeline.

use crate::program;
use harness::{FakeAws, Program, Reply};
use serde_json::json;
use std::time::{Duration, Instant};

const ID: &str = "11111111-abcd-1111-abcd-111111abcdef";
const PUT: &str = "codepipeline:PutJobSuccessResult";

fn reporting(fake: &FakeAws) -> Program {
    program()
        .envs(fake.env())
        .env("AWS_MAX_ATTEMPTS", "2")
        .args(["--format", "job", "--job-id", ID])
}

#[test]
fn success_is_reported_once_with_the_variables() {
    let fake = FakeAws::start();
    fake.on(PUT, [Reply::json(&json!({}))]);
    let ran = reporting(&fake)
        .args(["AMI_ID=ami-0123abcd", "NOTE=it's \"here\""])
        .run();
    ran.assert_code(0)
        .assert_stdout("")
        .assert_stderr(&format!("job {ID} succeeded with AMI_ID, NOTE"));
    let [request] = &fake.requests()[..] else {
        panic!("{:?}", fake.operations())
    };
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    let wanted = json!({"jobId": ID, "outputVariables": {"AMI_ID": "ami-0123abcd", "NOTE": "it's \"here\""}});
    assert_eq!(body, wanted);
}

#[test]
fn a_continuation_token_goes_without_variables() {
    let fake = FakeAws::start();
    fake.on(PUT, [Reply::json(&json!({}))]);
    reporting(&fake)
        .args(["--continuation-token", "ami-0123abcd"])
        .run()
        .assert_code(0)
        .assert_stderr(&format!("job {ID} goes on"));
    let body: serde_json::Value = serde_json::from_slice(&fake.requests()[0].body).unwrap();
    assert_eq!(
        body,
        json!({"jobId": ID, "continuationToken": "ami-0123abcd"})
    );
}

#[test]
fn nothing_is_reported_in_a_dry_run_or_when_a_variable_is_refused() {
    let fake = FakeAws::start();
    let ran = reporting(&fake).args(["--dry-run", "A=1"]).run();
    ran.assert_code(0).assert_stderr(&format!(
        "plan: report success of job {ID} with these output variables"
    ));
    reporting(&fake).arg("A-B=1").run().assert_code(2);
    assert_eq!(fake.operations(), Vec::<String>::new());
}

#[test]
fn what_codepipeline_says_is_told_with_its_request_id() {
    let fake = FakeAws::start();
    let answer = |code: &str, message: &str| {
        fake.on(PUT, [Reply::error(400, code, message)]);
        reporting(&fake).arg("A=1").run()
    };
    answer("InvalidJobStateException", "The job has ended.")
        .assert_code(7)
        .assert_stderr(&format!("cannot report success of job {ID} in eu-west-1"))
        .assert_stderr("cause: InvalidJobStateException: The job has ended. (request id ")
        .assert_stderr("hint: the job has ended already: by an earlier try whose answer was lost");
    answer("JobNotFoundException", "No such job.")
        .assert_code(2)
        .assert_stderr("hint: a job is known only to the account and region of its pipeline");
    answer(
        "OutputVariablesSizeExceededException",
        "Exceeded the total size limit.",
    )
    .assert_code(1);
    answer("AccessDeniedException", "User is not authorized.")
        .assert_code(3)
        .assert_stderr("allow codepipeline:PutJobSuccessResult");
}

#[test]
fn a_service_that_is_busy_is_asked_again_and_a_web_page_is_no_answer() {
    let fake = FakeAws::start();
    fake.first(
        PUT,
        [Reply::error(400, "ThrottlingException", "Rate exceeded")],
    );
    fake.on(PUT, [Reply::json(&json!({}))]);
    reporting(&fake).arg("A=1").run().assert_code(0);
    assert_eq!(fake.requests_for(PUT).len(), 2);
    let fake = FakeAws::start();
    fake.on(
        PUT,
        [Reply::html(
            500,
            "<html><body>Internal Server Error</body></html>",
        )],
    );
    reporting(&fake)
        .arg("A=1")
        .run()
        .assert_code(4)
        .assert_stderr("cause: HTTP 500, body is text/html; charset=utf-8 (first 80 bytes: \"<html><body>Internal Server Error")
        .assert_stderr("hint: something other than AWS answered: check AWS_ENDPOINT_URL");
}

#[test]
fn an_answer_that_is_cut_is_lost_and_not_nonsense() {
    let fake = FakeAws::start();
    fake.on(PUT, [Reply::cut("{\"whole\": true}", 3)]);
    reporting(&fake)
        .arg("A=1")
        .run()
        .assert_code(4)
        .assert_stderr("was incomplete (HTTP 200): ")
        .assert_stderr("hint: the answer was lost; running again first looks at what was done")
        .refute_stderr("something other than AWS answered");
}

#[test]
fn the_deadline_ends_a_call_that_is_never_answered() {
    let fake = FakeAws::start();
    fake.on(PUT, [Reply::hang(Duration::from_secs(50))]);
    reporting(&fake)
        .args(["--timeout", "1s", "A=1"])
        .run()
        .assert_code(6)
        .assert_stderr("the deadline passed before the job was reported");
}

#[test]
fn a_lost_answer_is_not_taken_for_a_failure_of_the_job() {
    let fake = FakeAws::start();
    fake.lose_reply(PUT);
    let ended = Reply::error(400, "InvalidJobStateException", "The job has ended.");
    fake.on(PUT, [Reply::json(&json!({})), ended]);
    reporting(&fake)
        .arg("A=1")
        .run()
        .assert_code(7)
        .assert_stderr("the job has ended already: by an earlier try whose answer was lost");
    assert_eq!(fake.requests_for(PUT).len(), 2);
}

#[test]
fn a_signal_ends_a_call_that_is_never_answered() {
    let fake = FakeAws::start();
    fake.on(PUT, [Reply::hang(Duration::from_secs(50))]);
    let running = reporting(&fake).arg("A=1").spawn();
    let started = Instant::now();
    while fake.operations().is_empty() && started.elapsed() < Duration::from_secs(40) {
        std::thread::yield_now();
    }
    running.signal(15);
    running
        .finish()
        .assert_code(143)
        .assert_stderr("stopped before the job was reported: SIGTERM received")
        .assert_stdout("(exit 143)\n");
}
