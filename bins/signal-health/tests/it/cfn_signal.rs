//! The program under the name `cfn-signal`.

use crate::{INSTANCE, SIGNAL, heard, metadata};
use action::page;
use action::program::command;
use harness::page::check_block;
use harness::{FakeAws, Program, Reply};
use serde_json::Value;
use signal_health::cfn_signal::{PROGRAM, Raw};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

const HANDLE: &str = "http:PUT /arn/WaitHandle";

/// The program by a link of that name, as an image has it.
fn link() -> &'static PathBuf {
    static LINK: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = LINK.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cfn-signal");
        let program = Program::new(env!("CARGO_BIN_EXE_signal-health"));
        symlink(program.path(), &path).unwrap();
        (folder, path)
    });
    path
}

fn cfn_signal(fake: &FakeAws) -> Program {
    Program::new(link()).envs(fake.env())
}

fn stack() -> FakeAws {
    let fake = FakeAws::start();
    fake.on(SIGNAL, [heard()]);
    fake
}

const RESOURCE: [&str; 6] = [
    "--stack",
    "rag-app-dev",
    "--resource",
    "AutoScalingGroup",
    "--region",
    "eu-central-1",
];

#[test]
fn page_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/signal-health.md");
    check_block(
        path,
        "cfn-signal-settings",
        &page::settings::<Raw>(&PROGRAM),
    );
}

/// Every flag of aws-cfn-bootstrap 2.0, as its page lists them:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cfn-signal.html>
#[test]
fn every_flag_of_the_original_is_there() {
    let declared = command::<Raw>(&PROGRAM);
    let long: BTreeSet<&str> = declared
        .get_arguments()
        .filter_map(|flag| flag.get_long())
        .collect();
    let short: BTreeSet<char> = declared
        .get_arguments()
        .filter_map(|flag| flag.get_short())
        .collect();
    for flag in [
        "access-key",
        "credential-file",
        "data",
        "exit-code",
        "http-proxy",
        "https-proxy",
        "id",
        "reason",
        "region",
        "resource",
        "role",
        "secret-key",
        "stack",
        "success",
        "url",
    ] {
        assert!(long.contains(flag), "--{flag}");
    }
    for flag in ['d', 'e', 'f', 'i', 'r', 's'] {
        assert!(short.contains(&flag), "-{flag}");
    }
}

#[test]
fn the_exit_code_of_a_command_is_signalled() {
    for (code, status) in [("0", "SUCCESS"), ("7", "FAILURE")] {
        let fake = stack();
        let ran = cfn_signal(&fake)
            .args(RESOURCE)
            .args(["-e", code, "-i", INSTANCE])
            .run();
        ran.assert_code(0);
        assert_eq!(ran.stdout, "");
        let sent = &fake.requests_for(SIGNAL)[0];
        assert_eq!(sent.param("Status"), Some(status));
        assert_eq!(sent.param("StackName"), Some("rag-app-dev"));
        assert_eq!(sent.param("LogicalResourceId"), Some("AutoScalingGroup"));
        assert_eq!(sent.param("UniqueId"), Some(INSTANCE));
        let signed = sent.header("authorization").unwrap();
        assert!(signed.contains("/eu-central-1/"), "{signed}");
    }
}

#[test]
fn the_instance_is_the_id_and_has_the_credentials() {
    let fake = stack();
    metadata(&fake);
    cfn_signal(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_REGION")
        .env_remove("AWS_EC2_METADATA_DISABLED")
        .env("AWS_EC2_METADATA_SERVICE_ENDPOINT", fake.url())
        .args(["--stack", "rag-app-dev", "--resource", "AutoScalingGroup"])
        .args(["--role", "the-instance-role"])
        .run()
        .assert_code(0);
    let sent = &fake.requests_for(SIGNAL)[0];
    assert_eq!(sent.param("UniqueId"), Some(INSTANCE));
    let signed = sent.header("authorization").unwrap();
    assert!(signed.contains("ASIAIOSFODNN7EXAMPLE"), "{signed}");
}

#[test]
fn keys_of_the_command_line_and_of_a_file_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "AWSAccessKeyId=AKIAFILE\nAWSSecretKey=s3cret\n").unwrap();
    let pair = ["--access-key", "AKIAPAIR", "--secret-key", "s3cret"].map(str::to_owned);
    let by_file = ["-f".to_owned(), file.display().to_string()];
    for (flags, key) in [(&pair[..], "AKIAPAIR"), (&by_file[..], "AKIAFILE")] {
        let fake = stack();
        let ran = cfn_signal(&fake)
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .args(RESOURCE)
            .args(["-i", INSTANCE])
            .args(flags)
            .run();
        ran.assert_code(0).refute_stderr("s3cret");
        let sent = &fake.requests_for(SIGNAL)[0];
        let signed = sent.header("authorization").unwrap();
        assert!(signed.contains(key), "{signed}");
    }
    let fake = stack();
    std::fs::write(&file, "aws_access_key_id = AKIA\n").unwrap();
    cfn_signal(&fake)
        .args(RESOURCE)
        .args(["-i", INSTANCE])
        .args(&by_file)
        .run()
        .assert_code(2)
        .assert_stderr("AWSAccessKeyId=…");
    assert!(fake.operations().is_empty());
}

#[test]
fn another_endpoint_is_asked() {
    let (fake, other) = (stack(), stack());
    cfn_signal(&fake)
        .args(RESOURCE)
        .args(["-i", INSTANCE, "--url", &other.url()])
        .run()
        .assert_code(0);
    assert!(fake.operations().is_empty());
    assert_eq!(other.requests_for(SIGNAL).len(), 1);
}

#[test]
fn a_stack_at_rest_is_no_failure_and_a_missing_one_is() {
    let fake = stack();
    let rest = "Stack arn:x is in CREATE_COMPLETE state and cannot be signaled";
    fake.on(SIGNAL, [Reply::error(400, "ValidationError", rest)]);
    let program = cfn_signal(&fake).args(RESOURCE).args(["-i", INSTANCE]);
    program.clone().run().assert_code(0);
    let missing = "Stack [rag-app-dev] does not exist";
    fake.on(SIGNAL, [Reply::error(400, "ValidationError", missing)]);
    program.run().assert_code(1).assert_stderr(missing);
}

#[test]
fn a_wait_condition_is_told_without_credentials_and_without_a_content_type() {
    let fake = FakeAws::start();
    fake.on(HANDLE, [Reply::empty(200)]);
    let handle = format!(
        "{}/arn/WaitHandle?Expires=1&Signature=s1gnature",
        fake.url()
    );
    let ran = cfn_signal(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_REGION")
        .args(["-e", "1", "-r", "no disk", "-d", "/dev/sdf", "-i", "web-1"])
        .arg(&handle)
        .run();
    ran.assert_code(0).refute_stderr("s1gnature");
    let sent = &fake.requests_for(HANDLE)[0];
    assert_eq!(sent.header("content-type"), None);
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(
        body,
        serde_json::json!({ "Status": "FAILURE", "Reason": "no disk", "Data": "/dev/sdf", "UniqueId": "web-1" })
    );
}

#[test]
fn a_handle_that_is_busy_is_asked_again_and_an_old_one_is_told() {
    let fake = FakeAws::start();
    fake.on(
        HANDLE,
        [Reply::empty(503), Reply::close(), Reply::empty(200)],
    );
    let handle = format!("{}/arn/WaitHandle?Signature=s1gnature", fake.url());
    let program = cfn_signal(&fake).args(["-i", "web-1", &handle]);
    program.clone().run().assert_code(0);
    assert_eq!(fake.requests_for(HANDLE).len(), 3);
    let expired = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
    fake.on(HANDLE, [Reply::xml(expired).status(403)]);
    program
        .run()
        .assert_code(3)
        .assert_stderr("AccessDenied: Request has expired")
        .refute_stderr("s1gnature");
}

#[test]
fn a_handle_that_never_answers_is_told_at_the_deadline() {
    let fake = FakeAws::start();
    fake.on(HANDLE, [Reply::empty(500)]);
    let handle = format!("{}/arn/WaitHandle", fake.url());
    cfn_signal(&fake)
        .args(["-i", "web-1", "--timeout", "2s", &handle])
        .run()
        .assert_code(6)
        .assert_stderr("it answers 500");
}

#[test]
fn a_host_that_is_no_instance_signals_with_its_name() {
    let fake = FakeAws::start();
    fake.on(HANDLE, [Reply::empty(200)]);
    let handle = format!("{}/arn/WaitHandle", fake.url());
    cfn_signal(&fake).arg(&handle).run().assert_code(0);
    let body: Value = serde_json::from_slice(&fake.requests_for(HANDLE)[0].body).unwrap();
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(body["UniqueId"], name.trim());
}

#[test]
fn a_handle_goes_by_the_proxy_that_is_given() {
    let (fake, proxy) = (FakeAws::start(), FakeAws::start());
    fake.on(HANDLE, [Reply::empty(200)]);
    let handle = format!("{}/arn/WaitHandle", fake.url());
    let address = proxy.url();
    let address = address.trim_start_matches("http://");
    // The scripted server is no proxy; that it is asked is enough.
    cfn_signal(&fake)
        .args([
            "-i",
            "web-1",
            "--timeout",
            "1s",
            "--http-proxy",
            address,
            &handle,
        ])
        .run()
        .assert_code(6)
        .assert_stderr("the proxy of ");
    assert!(fake.operations().is_empty());
}

#[test]
fn wrong_flags_are_refused_all_at_once() {
    let fake = FakeAws::start();
    cfn_signal(&fake)
        .args(["-s", "SUCCESS", "--access-key", "AKIA"])
        .run()
        .assert_code(2)
        .assert_stderr("neither true nor false")
        .assert_stderr("given together or not at all")
        .assert_stderr("no target is given: give --stack and --resource, or the address of a wait condition handle");
    cfn_signal(&fake)
        .args(["--resource", "Group"])
        .run()
        .assert_code(2)
        .assert_stderr("CFN_SIGNAL_STACK is not set (or --stack)");
    assert!(fake.operations().is_empty());
}

#[test]
fn a_dry_run_tells_nobody() {
    let fake = stack();
    cfn_signal(&fake)
        .args(RESOURCE)
        .args(["-i", INSTANCE, "-e", "3", "--dry-run"])
        .run()
        .assert_code(0)
        .assert_stderr("plan: signal FAILURE for i-0123456789abcdef0 to AutoScalingGroup of the stack rag-app-dev in eu-central-1");
    assert!(fake.operations().is_empty());
}

#[test]
fn sigterm_ends_it() {
    let fake = FakeAws::start();
    fake.on(HANDLE, [Reply::empty(500)]);
    let handle = format!("{}/arn/WaitHandle", fake.url());
    let running = cfn_signal(&fake).args(["-i", "web-1", &handle]).spawn();
    running.wait_for_stderr("it answers 500", Duration::from_secs(30));
    running.signal(15);
    running.finish().assert_code(143);
}

#[test]
fn what_may_be_secret_is_not_printed() {
    let fake = stack();
    let program = cfn_signal(&fake)
        .env("CFN_SIGNAL_STACK", "app")
        .env("CFN_SIGNAL_RESOURCE", "Group")
        .env("CFN_SIGNAL_ID", INSTANCE)
        .env("CFN_SIGNAL_DRY_RUN", "1");
    let harmless = [
        "CFN_SIGNAL_CREDENTIAL_FILE",
        "CFN_SIGNAL_ID",
        "CFN_SIGNAL_REGION",
        "CFN_SIGNAL_RESOURCE",
        "CFN_SIGNAL_STACK",
        "CFN_SIGNAL_SUCCESS",
    ];
    harness::secret_settings::assert_never_shown(&program, &harmless);
}
