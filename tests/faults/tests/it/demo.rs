//! `scripts/demo` at an emulator that is not moto: it says what is missing, and makes nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::ministack::Ministack;
use harness::moto::Moto;
use harness::{Program, Ran, build_folder};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn demo(endpoint: &str) -> Ran {
    Program::new(repository().join("scripts/demo"))
        .env("ACTIONS_ENDPOINT", endpoint)
        .env("BUILD_DIR", build_folder().canonicalize().unwrap())
        .env("DEMO_DOCKER", "no")
        .dir(repository())
        .limit(Duration::from_secs(120))
        .run()
}

#[test]
fn the_demo_says_what_an_emulator_lacks_before_anything_is_made() {
    let Some(ministack) = Ministack::start() else {
        return;
    };
    demo(&ministack.url())
        .assert_code(2)
        .assert_stderr("nothing was made: the emulator at http://127.0.0.1:")
        .assert_stderr("  ec2 CreateImage: make-ami makes the image with it\n")
        .refute_stderr("Traceback");
    let (_, buckets) = ministack.s3("GET", "/", b"");
    assert!(!buckets.contains("<Bucket>"), "{buckets}");
    for (service, question, made) in [
        (
            "ec2",
            "Action=DescribeInstances&Version=2016-11-15",
            "<instanceId>",
        ),
        (
            "cloudformation",
            "Action=DescribeStacks&Version=2010-05-15",
            "<StackName>",
        ),
    ] {
        // The demo's region, which ministack keeps apart from others.
        let scope = format!("Credential=demo/20300101/eu-central-1/{service}/aws4_request");
        let signed = format!("AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0");
        let headers = [
            ("authorization", signed),
            (
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            ),
        ];
        let (status, found) = ministack.request("POST", "/", &headers, question.as_bytes());
        assert_eq!(status, 200, "{found}");
        assert!(!found.contains(made), "{found}");
    }
}

#[test]
fn the_demo_says_that_nobody_answers() {
    let nobody = format!("http://127.0.0.1:{}", harness::free_port());
    demo(&nobody)
        .assert_code(2)
        .assert_stderr("an answer: nothing listens there")
        .refute_stderr("Traceback");
}

#[test]
fn moto_lacks_nothing_that_the_demo_needs() {
    let Some(moto) = Moto::start() else { return };
    let python = build_folder()
        .canonicalize()
        .unwrap()
        .join("venv/bin/python");
    Program::new(python)
        .arg(repository().join("scripts/demo.d/needs.py"))
        .envs(moto.env())
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        .run()
        .assert_code(0)
        .assert_stdout("");
}
