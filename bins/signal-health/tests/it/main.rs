//! Runs the built `signal-health` as an instance does at boot: the application, the metadata
//! service and CloudFormation are one scripted server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod cfn_signal;
mod lifecycle_hook;
mod sdk_settings;
mod secret_settings;

use action::page;
use harness::page::check_block;
use harness::{FakeAws, Program, Reply};
use serde_json::json;
use signal_health::{PROGRAM, Raw};
use std::collections::BTreeSet;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

const INSTANCE: &str = "i-0123456789abcdef0";
const SIGNAL: &str = "cloudformation:SignalResource";
const HEALTH: &str = "http:GET /collection";

fn heard() -> Reply {
    Reply::xml(
        "<SignalResourceResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
         <ResponseMetadata><RequestId>{{request-id}}</RequestId></ResponseMetadata></SignalResourceResponse>",
    )
}

/// An application that answers 200 and a stack that listens.
fn world() -> FakeAws {
    let fake = FakeAws::start();
    fake.on(HEALTH, [Reply::bytes("{}")]);
    fake.on(SIGNAL, [heard()]);
    fake
}

/// The program as the launch template starts it, but with credentials and an id of its own.
fn program(fake: &FakeAws) -> Program {
    Program::new(env!("CARGO_BIN_EXE_signal-health"))
        .envs(fake.env())
        .env("INSTANCE_ID", INSTANCE)
        .args(["--stack", "rag-app-dev", "--resource", "AutoScalingGroup"])
        .args(["--url", &format!("{}/collection", fake.url())])
}

#[test]
fn page_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    check_block(path, "settings", &page::settings::<Raw>(&PROGRAM));
    check_block(path, "permissions", &page::permissions(&PROGRAM));
    let fake = world();
    let ran = program(&fake).run();
    let log = &ran.assert_code(0).stderr;
    let mut log = log.replace(&fake.url(), "http://127.0.0.1:8001");
    // On a busy machine it takes longer.
    for seconds in 1..60 {
        log = log.replace(&format!("({seconds} s so far)"), "(0 s so far)");
    }
    check_block(path, "quick-start", &format!("```text\n{log}```"));
}

#[test]
fn an_application_that_answers_is_signalled_once_as_success() {
    let fake = world();
    let ran = program(&fake).run();
    ran.assert_code(0);
    assert_eq!(ran.stdout, "");
    let [sent] = &fake.requests_for(SIGNAL)[..] else {
        panic!("one signal was due: {:?}", fake.operations())
    };
    assert_eq!(sent.param("StackName"), Some("rag-app-dev"));
    assert_eq!(sent.param("LogicalResourceId"), Some("AutoScalingGroup"));
    assert_eq!(sent.param("UniqueId"), Some(INSTANCE));
    assert_eq!(sent.param("Status"), Some("SUCCESS"));
    assert_eq!(fake.requests_for(HEALTH).len(), 3);
    fake.assert_all_scripted();
}

#[test]
fn an_application_that_comes_late_is_waited_for() {
    let fake = world();
    let late = [Reply::close(), Reply::empty(502), Reply::bytes("{}")];
    fake.on(HEALTH, late);
    let ran = program(&fake).run();
    ran.assert_code(0).assert_stderr("it answers 502");
    let sent = &fake.requests_for(SIGNAL)[0];
    assert_eq!(sent.param("Status"), Some("SUCCESS"));
    // Nothing is signalled before the application has answered three times in a row.
    let asked = fake.requests_for(HEALTH);
    assert_eq!(asked.len(), 5);
    assert!(asked[4].number < sent.number);
}

#[test]
fn an_application_that_never_answers_is_signalled_as_failure() {
    let fake = world();
    fake.on(HEALTH, [Reply::empty(500)]);
    let ran = program(&fake).args(["--timeout", "1s"]).run();
    ran.assert_code(1)
        .assert_stderr("did not answer 200 3 times in a row on i-0123456789abcdef0 within 1s")
        .assert_stderr("last seen: it answers 500")
        .assert_stderr("FAILURE was signalled to AutoScalingGroup of the stack rag-app-dev");
    assert_eq!(ran.stdout, "(exit 1)\n");
    assert_eq!(
        fake.requests_for(SIGNAL)[0].param("Status"),
        Some("FAILURE")
    );
}

#[test]
fn a_redirect_is_no_answer_of_the_application() {
    let fake = world();
    let elsewhere = Reply::empty(302).header("location", format!("{}/login", fake.url()));
    fake.on(HEALTH, [elsewhere]);
    program(&fake)
        .args(["--timeout", "1s"])
        .run()
        .assert_code(1)
        .assert_stderr("last seen: it answers 302");
    assert!(!fake.operations().contains(&"http:GET /login".to_owned()));
}

#[test]
fn a_redirect_can_be_a_good_answer() {
    let fake = world();
    let elsewhere = Reply::empty(302).header("location", "/login");
    fake.on(HEALTH, [elsewhere]);
    let ran = program(&fake)
        .args(["--status", "200,301-399"])
        .args([
            "--header",
            "Host: app.example.com",
            "--header",
            "X-Probe: 1",
        ])
        .run();
    ran.assert_code(0);
    let asked = &fake.requests_for(HEALTH)[0];
    assert_eq!(asked.header("host"), Some("app.example.com"));
    assert_eq!(asked.header("x-probe"), Some("1"));
}

#[test]
fn an_application_can_be_asked_over_https() {
    let application = FakeAws::start_tls();
    application.on(HEALTH, [Reply::bytes("{\"ready\": true}")]);
    let fake = world();
    let https = Program::new(env!("CARGO_BIN_EXE_signal-health"))
        .envs(fake.env())
        .env("INSTANCE_ID", INSTANCE)
        .args(["--stack", "rag-app-dev", "--resource", "AutoScalingGroup"])
        .args(["--url", &format!("{}/collection", application.url())])
        .args(["--timeout", "2s"]);
    https
        .clone()
        .run()
        .assert_code(1)
        .assert_stderr("last seen: TLS: ");
    let ca = application.ca_bundle();
    let known = https.clone().arg("--ca").arg(&ca);
    known.clone().args(["--body", "ready"]).run().assert_code(0);
    known
        .args(["--body", "done"])
        .run()
        .assert_code(1)
        .assert_stderr("without `done` in it");
    https.args(["--ca", "none"]).run().assert_code(0);
    program(&fake)
        .arg("--ca")
        .arg(&ca)
        .run()
        .assert_code(2)
        .assert_stderr("--ca: is for an https:// address");
}

#[test]
fn a_group_that_scales_out_by_itself_has_nobody_to_tell() {
    let fake = world();
    let message = "Stack arn:aws:cloudformation:eu-west-1:123456789012:stack/rag-app-dev/0a1b is in UPDATE_COMPLETE state and cannot be signaled";
    fake.on(SIGNAL, [Reply::error(400, "ValidationError", message)]);
    program(&fake)
        .run()
        .assert_code(0)
        .assert_stderr("waits for no signal");
}

#[test]
fn a_signal_that_cannot_be_sent_is_a_failure_that_says_why() {
    for (code, reply, said) in [
        (
            1,
            Reply::error(400, "ValidationError", "Stack [rag-app-dev] does not exist"),
            "Stack [rag-app-dev] does not exist",
        ),
        (
            1,
            Reply::error(
                400,
                "ValidationError",
                "Resource AutoScalingGroup does not exist for stack rag-app-dev",
            ),
            "Resource AutoScalingGroup does not exist",
        ),
        (
            3,
            Reply::error(
                403,
                "AccessDenied",
                "not authorized to perform: cloudformation:SignalResource",
            ),
            "hint: allow cloudformation:SignalResource",
        ),
        (
            4,
            Reply::html(500, "<html>no such operation</html>"),
            "body is text/html",
        ),
    ] {
        let fake = world();
        fake.on(SIGNAL, [reply]);
        let ran = program(&fake).env("AWS_MAX_ATTEMPTS", "1").run();
        ran.assert_code(code).assert_stderr(said);
        assert_eq!(ran.stdout, format!("(exit {code})\n"));
    }
}

#[test]
fn a_failure_that_nobody_hears_is_still_the_applications() {
    let fake = world();
    fake.on(HEALTH, [Reply::empty(500)]);
    fake.on(SIGNAL, [Reply::error(403, "AccessDenied", "no")]);
    program(&fake)
        .args(["--timeout", "1s"])
        .run()
        .assert_code(1)
        .assert_stderr("last seen: it answers 500")
        .assert_stderr("and the failure could not be signalled: cannot signal FAILURE");
}

#[test]
fn a_throttled_signal_is_sent_again() {
    let fake = world();
    let throttled = Reply::error(400, "Throttling", "Rate exceeded");
    fake.on(SIGNAL, [throttled, Reply::close(), heard()]);
    program(&fake).run().assert_code(0);
    assert_eq!(fake.requests_for(SIGNAL).len(), 3);
}

/// The metadata service as IMDSv2: a token first, and nothing without it.
fn metadata(fake: &FakeAws) {
    fake.on(
        "http:PUT /latest/api/token",
        [Reply::bytes("token-of-the-session")
            .header("x-aws-ec2-metadata-token-ttl-seconds", "21600")],
    );
    let guarded = |answer: &'static str| {
        move |request: &harness::Request| match request.header("x-aws-ec2-metadata-token") {
            Some("token-of-the-session") => Reply::bytes(answer),
            _ => Reply::empty(401),
        }
    };
    let path = |name: &str| format!("http:GET /latest/meta-data/{name}");
    fake.on_call(&path("instance-id"), guarded(INSTANCE));
    fake.on_call(&path("placement/region"), guarded("eu-central-1"));
    fake.on_call(
        &path("iam/security-credentials/"),
        guarded("the-instance-role"),
    );
    let credentials = json!({
        "Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
        "SecretAccessKey": "secret", "Token": "session", "Expiration": "2099-01-01T00:00:00Z",
        "LastUpdated": "2026-01-01T00:00:00Z",
    });
    let credentials: &'static str = Box::leak(credentials.to_string().into_boxed_str());
    fake.on_call(
        &path("iam/security-credentials/the-instance-role"),
        guarded(credentials),
    );
}

/// Nothing but what a launch template's user data has.
fn bare(fake: &FakeAws) -> Program {
    program(fake)
        .env_remove("INSTANCE_ID")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_REGION")
        .env_remove("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", fake.url())
}

#[test]
fn everything_comes_from_the_instance_itself() {
    let fake = world();
    metadata(&fake);
    bare(&fake).run().assert_code(0);
    let sent = &fake.requests_for(SIGNAL)[0];
    assert_eq!(sent.param("UniqueId"), Some(INSTANCE));
    let signed = sent.header("authorization").unwrap();
    assert!(
        signed.contains("ASIAIOSFODNN7EXAMPLE") && signed.contains("/eu-central-1/"),
        "{signed}"
    );
    fake.assert_all_scripted();
}

#[test]
fn a_role_that_comes_late_at_boot_is_waited_for() {
    let fake = world();
    metadata(&fake);
    let late = "http:GET /latest/meta-data/iam/security-credentials/";
    fake.first(late, [Reply::empty(404), Reply::empty(404)]);
    // People read the console output, and not what the library dumps.
    bare(&fake)
        .run()
        .assert_code(0)
        .refute_stderr("ServiceError");
    assert_eq!(fake.requests_for(SIGNAL).len(), 1);
}

#[test]
fn no_credentials_is_a_refusal_that_has_signalled_nothing() {
    let fake = world();
    let ran = program(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .args(["--timeout", "1s"])
        .run();
    ran.assert_code(2)
        .assert_stderr("no AWS credentials were found");
    assert_eq!(fake.operations(), [""; 0]);
}

#[test]
fn no_metadata_service_says_where_to_run() {
    let fake = world();
    let ran = program(&fake)
        .env_remove("INSTANCE_ID")
        .env_remove("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
        .args(["--timeout", "1s"])
        .run();
    ran.assert_code(2)
        .refute_stderr("DispatchFailure")
        .assert_stderr("cannot find out the id of this instance")
        .assert_stderr("not in a container");
    assert!(fake.requests_for(SIGNAL).is_empty());
}

/// As off EC2: the cause is what the last try met.
#[test]
fn at_the_deadline_the_metadata_service_is_told_with_what_it_met() {
    let fake = FakeAws::start();
    fake.on(
        "http:PUT /latest/api/token",
        [Reply::hang(Duration::from_secs(60))],
    );
    let nobody = format!("http://127.0.0.1:{}", harness::free_port());
    for (address, met) in [(nobody, "onnection refused"), (fake.url(), "read timeout")] {
        let ran = program(&fake)
            .env_remove("INSTANCE_ID")
            .env_remove("AWS_EC2_METADATA_DISABLED")
            .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
            .args(["--timeout", "3s"])
            .run();
        ran.assert_code(2)
            .assert_stderr("cannot find out the id of this instance")
            .assert_stderr(met)
            .refute_stderr("was not asked");
    }
}

#[test]
fn wrong_settings_are_refused_all_at_once() {
    let fake = world();
    let ran = Program::new(env!("CARGO_BIN_EXE_signal-health"))
        .envs(fake.env())
        .env("SIGNAL_HEALTH_STACK", "1st")
        .env("SIGNAL_HEALTH_URL", "ftp://127.0.0.1:8001/collection")
        .env("SIGNAL_HEALTH_COUNT", "0")
        .env("SIGNAL_HEALTH_RESOURSE", "AutoScalingGroup")
        .run();
    ran.assert_code(2)
        .assert_stderr("5 settings are wrong; nothing was touched")
        .assert_stderr("SIGNAL_HEALTH_STACK: \"1st\" is neither a stack's name")
        .assert_stderr("does not start with http://")
        .assert_stderr("SIGNAL_HEALTH_COUNT: \"0\" is not a number from 1 to 100")
        .assert_stderr("SIGNAL_HEALTH_RESOURCE is not set (or --resource)")
        .assert_stderr("did you mean SIGNAL_HEALTH_RESOURCE?");
    assert!(fake.operations().is_empty());
}

#[test]
fn what_only_builds_need_is_no_setting() {
    let fake = world();
    for (flag, variable) in [
        ("--export-file", "SIGNAL_HEALTH_EXPORT_FILE"),
        ("--even-if-failed", "SIGNAL_HEALTH_EVEN_IF_FAILED"),
    ] {
        let told = program(&fake).arg(flag).run();
        told.assert_code(2)
            .assert_stderr(&format!("unexpected argument '{flag}' found"));
        let told = program(&fake).env(variable, "1").run();
        told.assert_code(2)
            .assert_stderr(&format!("{variable}: no such setting"));
    }
    assert!(fake.operations().is_empty());
    // Nor does it ask how a build went.
    program(&fake)
        .env("CODEBUILD_BUILD_SUCCEEDING", "0")
        .run()
        .assert_code(0);
}

#[test]
fn a_dry_run_asks_the_application_and_tells_nobody() {
    let fake = world();
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let ran = program(&fake)
        .args(["--dry-run", "--plan-file"])
        .arg(&plan)
        .run();
    ran.assert_code(0)
        .assert_stderr("signal SUCCESS for i-0123456789abcdef0 to AutoScalingGroup of the stack rag-app-dev in eu-west-1")
        .assert_stderr("now: it answers 200");
    assert_eq!(fake.operations(), [HEALTH]);
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    assert_eq!(plan["stack"], "rag-app-dev");
    assert_eq!(plan["count"], 3);
}

#[test]
fn sigterm_stops_the_wait_and_tells_nobody() {
    let fake = world();
    fake.on(HEALTH, [Reply::empty(503)]);
    let running = program(&fake).spawn();
    running.wait_for_stderr("it answers 503", Duration::from_secs(30));
    running.signal(15);
    let ran = running.finish();
    ran.assert_code(143).assert_stderr("nothing was signalled");
    assert!(fake.requests_for(SIGNAL).is_empty());
}

#[test]
fn the_deadline_holds_while_it_signals_and_the_error_says_what_aws_said() {
    let fake = world();
    fake.on(SIGNAL, [Reply::error(400, "Throttling", "Rate exceeded")]);
    let started = Instant::now();
    let ran = program(&fake).args(["--timeout", "4s"]).run();
    ran.assert_code(6)
        .assert_stderr("cannot signal SUCCESS")
        .assert_stderr("Throttling: Rate exceeded")
        .assert_stderr("--timeout");
    // Of an application that does not answer, time is kept to tell so.
    fake.on(HEALTH, [Reply::empty(500)]);
    let ran = program(&fake).args(["--timeout", "4s"]).run();
    ran.assert_code(1)
        .assert_stderr("and the failure could not be signalled: cannot signal FAILURE")
        .assert_stderr("Throttling: Rate exceeded");
    // Without a deadline the retries of one signal take most of a minute.
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn sigterm_is_answered_while_it_signals() {
    let fake = world();
    let (tell, asked) = mpsc::channel();
    let tell = Mutex::new(tell);
    fake.on_call(SIGNAL, move |_| {
        let _ = tell.lock().unwrap().send(());
        Reply::hang(Duration::from_secs(600))
    });
    let running = program(&fake).spawn();
    asked.recv_timeout(Duration::from_secs(60)).unwrap();
    let stopped = Instant::now();
    running.signal(15);
    let ran = running.finish();
    ran.assert_code(143)
        .assert_stderr("stopped while signalling SUCCESS")
        .assert_stderr("the stack may have received it");
    assert!(stopped.elapsed() < Duration::from_secs(20));
}

/// The answer to a signal holds nothing; a part of it or a web page is none all the same.
#[test]
fn a_cut_answer_and_a_web_page_are_no_signal_that_was_heard() {
    for (reply, said) in [
        (
            Reply::xml("<SignalResourceResponse><Respon"),
            "was incomplete (HTTP 200): it ended after 31 bytes",
        ),
        (Reply::html(200, "<html>log in</html>"), "log in"),
    ] {
        let fake = world();
        fake.on(SIGNAL, [reply]);
        let ran = program(&fake).env("AWS_MAX_ATTEMPTS", "1").run();
        ran.assert_code(4).assert_stderr(said);
    }
}

#[test]
fn only_documented_iam_actions_are_called() {
    let fake = world();
    lifecycle_hook::waiting(&fake);
    program(&fake)
        .args(["--lifecycle-hook", "application-answers"])
        .run()
        .assert_code(0);
    let called: BTreeSet<String> = fake
        .operations()
        .into_iter()
        .filter(|operation| !operation.starts_with("http:"))
        .collect();
    let documented: BTreeSet<String> = PROGRAM
        .permissions
        .iter()
        .map(|needed| needed.action.to_owned())
        .collect();
    assert_eq!(called, documented);
}
