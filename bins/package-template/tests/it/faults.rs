//! Everything that can be wrong, each with its words and its exit code.

use std::time::Duration;

use harness::{FakeAws, Reply};

use crate::world::{Bucket, program, project, uploading, write};

#[test]
fn nothing_set_lists_every_missing_setting() {
    let folder = project();
    let ran = program(&folder).run();
    ran.assert_code(2).assert_stdout("(exit 2)\n");
    ran.assert_stderr("PACKAGE_TEMPLATE_FILE is not set")
        .assert_stderr("PACKAGE_TEMPLATE_BUCKET is not set");
}

#[test]
fn several_faults_and_a_typo_are_reported_at_once() {
    let folder = project();
    let ran = program(&folder)
        .env("PACKAGE_TEMPLATE_BUKET", "x")
        .args([
            "cfn/app.yml",
            "--bucket",
            "My_Bucket",
            "--bucket-owner",
            "12",
            "--timeout",
            "soon",
        ])
        .run();
    ran.assert_code(2).assert_stderr("4 settings are wrong");
    ran.assert_stderr(
        "PACKAGE_TEMPLATE_BUKET: no such setting (did you mean PACKAGE_TEMPLATE_BUCKET?)",
    );
}

#[test]
fn what_is_not_a_template_never_meets_aws() {
    let long = "x".repeat(1_000_001);
    for (content, said) in [
        ("Resources: [", "not valid YAML"),
        ("- a\n", "a template is a mapping of sections"),
        ("Description: x\n", "the template has no Resources"),
        (
            "Resources:\n  N:\n    Type: AWS::CloudFormation::Stack\n    Properties:\n      TemplateURL: nested.yml\n",
            "cfn/app.yml:5:20: TemplateURL of N",
        ),
        (
            &format!("Resources:\n  A: {{Type: AWS::S3::Bucket}}\n#{long}"),
            "CloudFormation's limit is 1000000",
        ),
    ] {
        let (aws, folder) = (FakeAws::start(), project());
        write(folder.path(), "cfn/app.yml", content);
        let ran = uploading(&folder, &aws).run();
        ran.assert_code(2)
            .assert_stderr(said)
            .assert_stderr("nothing was touched");
        assert!(aws.requests().is_empty(), "{said}");
    }
}

#[test]
fn a_configuration_that_does_not_fit_is_refused() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    let with_config =
        uploading(&folder, &aws).args(["dev.json=config.json", "--config", "config.json"]);
    with_config.run().assert_code(0);
    write(
        folder.path(),
        "dev.json",
        r#"{"Parameters": {"AmiId": "ami-1"}}"#,
    );
    let ran = with_config.run();
    ran.assert_code(2)
        .assert_stderr("dev.json:1:17: cfn/app.yml declares no parameter AmiId");
    ran.assert_stderr("did you mean AMIId?");
    let ran = uploading(&folder, &aws)
        .args(["dev.json", "--config", "dev.jsn"])
        .run();
    ran.assert_code(2).assert_stderr("did you mean dev.json?");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 1);
}

#[test]
fn what_must_not_travel_is_refused_by_name() {
    let (aws, folder) = (FakeAws::start(), project());
    let key = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n",
        "MIIEpAIBAAKCAQEAvY0v".repeat(3)
    );
    write(folder.path(), "app/id_rsa", &key);
    write(folder.path(), "app/.env", "PASSWORD=1");
    let ran = uploading(&folder, &aws).arg("app").run();
    ran.assert_code(2).assert_stderr("cannot bundle 2 files");
    ran.assert_stderr("`app/id_rsa`: it holds a private key (RSA PRIVATE KEY)")
        .assert_stderr("`app/.env`");
    ran.refute_stderr("MIIE").refute_stderr("PASSWORD");
    write(folder.path(), "app/.leaveout", "id_rsa\n.env\n");
    uploading(&folder, &aws)
        .args(["app", "--ignore-file", ".leaveout", "--print-digest"])
        .run()
        .assert_code(0);
    uploading(&folder, &aws)
        .arg("missing")
        .run()
        .assert_code(2)
        .assert_stderr("cannot read `missing`");
    uploading(&folder, &aws)
        .arg("dev.json=app.yml")
        .run()
        .assert_code(2)
        .assert_stderr("already has the name");
    assert!(aws.requests().is_empty());
}

#[test]
fn what_version_control_and_file_managers_left_is_refused() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    for name in [".git/HEAD", "app/.DS_Store", "app/__MACOSX/x"] {
        write(folder.path(), name, "x");
    }
    let program = uploading(&folder, &aws);
    let ran = program.clone().arg("app").run();
    ran.assert_code(2)
        .assert_stderr("cannot bundle 2 files")
        .assert_stderr("`app/.DS_Store`: it belongs to version control or a file manager")
        .assert_stderr("`app/__MACOSX`")
        .assert_stderr("--exclude .DS_Store --exclude __MACOSX")
        .assert_stderr("PACKAGE_TEMPLATE_EXCLUDE");
    // The root of a checkout.
    let ran = program.clone().arg(".=.").run();
    ran.assert_code(2)
        .assert_stderr("`./.git`")
        .refute_stderr("HEAD");
    assert!(aws.requests().is_empty());
    program
        .clone()
        .args(["app", "--exclude", ".DS_Store", "--exclude", "__MACOSX"])
        .run()
        .assert_code(0);
    let ran = program
        .arg(".=.")
        .env(
            "PACKAGE_TEMPLATE_EXCLUDE",
            ".git\n.DS_Store\n__MACOSX\n/cfn/",
        )
        .run();
    ran.assert_code(0);
    assert_eq!(aws.requests_for("s3:PutObject").len(), 2);
}

#[test]
fn aws_says_no() {
    let denied = || Reply::error(403, "AccessDenied", "Access Denied");
    for (operation, reply, code, said) in [
        (
            "s3:GetBucketVersioning",
            denied(),
            3,
            "allow s3:GetBucketVersioning",
        ),
        ("s3:HeadObject", Reply::empty(403), 3, "s3:ListBucket"),
        ("s3:PutObject", denied(), 3, "allow s3:PutObject"),
        (
            "s3:GetBucketVersioning",
            Reply::error(404, "NoSuchBucket", "The specified bucket does not exist"),
            2,
            "create the bucket source-bucket first",
        ),
        (
            "s3:GetBucketVersioning",
            Reply::error(301, "PermanentRedirect", "another endpoint"),
            2,
            "PACKAGE_TEMPLATE_REGION",
        ),
        (
            "s3:HeadObject",
            Reply::error(503, "SlowDown", "Reduce your request rate"),
            4,
            "cannot look up",
        ),
    ] {
        let (aws, folder) = (FakeAws::start(), project());
        let bucket = Bucket::in_fake(&aws);
        aws.on(operation, [reply]);
        let ran = uploading(&folder, &aws).run();
        ran.assert_code(code).assert_stderr(said);
        ran.assert_stdout(&format!("(exit {code})\n"))
            .refute_stderr("service error");
        assert!(bucket.current().is_none());
    }
}

#[test]
fn an_owner_that_does_not_match_is_named() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    aws.on(
        "s3:GetBucketVersioning",
        [Reply::error(403, "AccessDenied", "Access Denied")],
    );
    let ran = uploading(&folder, &aws)
        .args(["--bucket-owner", "123456789012"])
        .run();
    ran.assert_code(3)
        .assert_stderr("does not belong to account 123456789012");
}

#[test]
fn throttling_and_one_lost_connection_are_survived() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    aws.first("s3:GetBucketVersioning", [Reply::close()]);
    aws.first("s3:HeadObject", [Reply::error(503, "SlowDown", "slow")]);
    uploading(&folder, &aws)
        .env("AWS_MAX_ATTEMPTS", "4")
        .run()
        .assert_code(0);
}

#[test]
fn something_other_than_s3_answers() {
    for operation in ["s3:GetBucketVersioning", "s3:HeadObject", "s3:PutObject"] {
        for status in [200, 502] {
            let (aws, folder) = (FakeAws::start(), project());
            let bucket = Bucket::in_fake(&aws);
            aws.on(
                operation,
                [Reply::html(
                    status,
                    "<html><body>Please log in</body></html>",
                )],
            );
            let ran = uploading(&folder, &aws).run();
            // A write that a stranger confirms may have left something behind.
            let code = if (operation, status) == ("s3:PutObject", 200) {
                5
            } else {
                4
            };
            ran.assert_code(code)
                .assert_stdout(&format!("(exit {code})\n"));
            assert!(bucket.current().is_none());
        }
        let (aws, folder) = (FakeAws::start(), project());
        Bucket::in_fake(&aws);
        aws.on(operation, [Reply::close()]);
        uploading(&folder, &aws).run().assert_code(4);
    }
}

#[test]
fn no_credentials_no_region() {
    let (aws, folder) = (FakeAws::start(), project());
    let program = uploading(&folder, &aws);
    let ran = program
        .clone()
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .run();
    ran.assert_code(2)
        .assert_stderr("no AWS credentials were found; nothing was touched");
    program
        .env_remove("AWS_REGION")
        .run()
        .assert_code(2)
        .assert_stderr("no AWS region is set");
    assert!(aws.requests().is_empty());
}

#[test]
fn after_a_failed_build_phase_nothing_is_done() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    let program = uploading(&folder, &aws).env("CODEBUILD_BUILD_SUCCEEDING", "0");
    program
        .run()
        .assert_code(2)
        .assert_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
    assert!(aws.requests().is_empty());
    program.arg("--even-if-failed").run().assert_code(0);
}

#[test]
fn the_deadline_is_kept_and_a_signal_stops() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    aws.on("s3:PutObject", [Reply::hang(Duration::from_secs(60))]);
    let ran = uploading(&folder, &aws).args(["--timeout", "1s"]).run();
    ran.assert_code(6)
        .assert_stderr("did not answer")
        .assert_stderr("it first looks at what was done");
    assert!(ran.duration < Duration::from_secs(20), "{ran}");

    let running = uploading(&folder, &aws).arg("--log=info").spawn();
    let patience = std::time::Instant::now() + Duration::from_secs(20);
    while aws.requests_for("s3:PutObject").len() < 2 && std::time::Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    running.signal(15);
    running.finish().assert_code(143);
}
