//! Why a deployment failed: validations, nested stacks, roles and emulators without DescribeEvents, and what is said of it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use harness::ministack::Ministack;
use harness::{FakeAws, Program, Reply};

use super::modes::mode;
use super::{BUILDSPEC, PIPELINE, fake, program};
use crate::world::{ID, Stacks, assert_documented, provisioning, serve_stacks, validation};

const ROLLED_BACK: &[&str] = &["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"];

fn updated(course: &'static [&'static str]) -> (FakeAws, Arc<Mutex<Stacks>>) {
    let fake = fake(BUILDSPEC);
    let stacks = serve_stacks(&fake, Some("CREATE_COMPLETE"), course);
    (fake, stacks)
}

fn run(folder: &Path, fake: &FakeAws) -> Program {
    program(folder, PIPELINE).envs(fake.env())
}

#[test]
fn every_validation_that_failed_is_a_root_cause() {
    let (fake, stacks) = updated(ROLLED_BACK);
    let events = ["Logs", "Data"].map(|one| validation(one, "FAIL", "already exists."));
    stacks.lock().unwrap().failures.insert(ID, events.to_vec());
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(1)
        .assert_stderr(
            "root cause: Data (AWS::S3::Bucket): already exists. (NAME_CONFLICT_VALIDATION at /Resources/Data)",
        )
        .assert_stderr("root cause: Logs (AWS::S3::Bucket): already exists.")
        .assert_stderr("--disable-validation");
    assert_documented(&fake);
}

#[test]
fn the_cause_is_looked_for_in_the_nested_stack_that_failed() {
    const INNER: &str = "arn:aws:cloudformation:eu-west-1:000000000000:stack/app-Inner/2";
    let (fake, stacks) = updated(ROLLED_BACK);
    let nested = ("Inner", "AWS::CloudFormation::Stack", INNER);
    let queue = ("Queue", "AWS::SQS::Queue", "queue");
    for (stack, event) in [
        (ID, provisioning(nested, "Embedded stack was not updated")),
        (INNER, provisioning(queue, "no such key")),
    ] {
        stacks.lock().unwrap().failures.insert(stack, vec![event]);
    }
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(1)
        .assert_stderr("root cause: UPDATE_FAILED Queue (AWS::SQS::Queue): no such key");
}

#[test]
fn without_describe_events_the_events_of_the_stack_have_to_do() {
    for (reply, said) in [
        (
            Reply::error(403, "AccessDenied", "no"),
            Some("cloudformation:DescribeEvents is not allowed"),
        ),
        (Reply::error(400, "InvalidAction", "no"), None),
        (Reply::error(501, "InternalFailure", "no"), None),
    ] {
        let (fake, stacks) = updated(ROLLED_BACK);
        fake.on("cloudformation:DescribeEvents", [reply]);
        // When the deployment has begun.
        let world = Arc::clone(&stacks);
        fake.intercept(move |request| {
            if request.name() == "cloudformation:DescribeStacks" && request.turn == 1 {
                world.lock().unwrap().happens("Group", "UPDATE_FAILED");
            }
            harness::Fate::Served
        });
        let folder = tempfile::tempdir().unwrap();
        let ran = run(folder.path(), &fake).run();
        ran.assert_code(1).assert_stderr(
            "root cause: UPDATE_FAILED Group (AWS::AutoScaling::AutoScalingGroup): no capacity",
        );
        match said {
            Some(said) => ran.assert_stderr(said),
            None => ran.refute_stderr("DescribeEvents"),
        };
    }
}

#[test]
fn a_change_set_that_a_validation_refused_says_which() {
    let (fake, stacks) = updated(&["UPDATE_COMPLETE"]);
    {
        let mut stacks = stacks.lock().unwrap();
        stacks.change_set_fails = Some("The following hook(s)/validation failed: [X]");
        let refused = validation("Data", "FAIL", "already exists.");
        stacks.failures.insert("changes", vec![refused]);
    }
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), &mode("CHANGE_SET_REPLACE"))
        .envs(fake.env())
        .run()
        .assert_code(1)
        .assert_stderr("the change set changes of the stack app in eu-west-1 failed")
        .assert_stderr("The following hook(s)/validation failed: [X]")
        .assert_stderr("root cause: Data (AWS::S3::Bucket): already exists.")
        .assert_stderr("--disable-validation");
}

#[test]
fn what_a_validation_warns_of_is_shown_with_the_change_set() {
    let (fake, stacks) = updated(&["UPDATE_COMPLETE"]);
    let warned = validation("Data", "WARN", "the bucket is not empty.");
    {
        let mut stacks = stacks.lock().unwrap();
        stacks.failures.insert("changes", vec![warned]);
    }
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), &mode("CHANGE_SET_REPLACE"))
        .envs(fake.env())
        .run()
        .assert_code(0)
        .assert_stderr("CloudFormation warns: Data (AWS::S3::Bucket): the bucket is not empty.");
}

#[test]
fn a_roll_back_that_failed_names_the_ways_on() {
    let (fake, _) = updated(&["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_FAILED"]);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(5)
        .assert_stderr("aws cloudformation continue-update-rollback --stack-name app")
        .assert_stderr("`--force-rollback` skips every resource that is UPDATE_FAILED");
    // And so does the next try.
    run(folder.path(), &fake)
        .run()
        .assert_code(2)
        .assert_stderr("continue-update-rollback")
        .assert_stderr("--force-rollback");
}

#[test]
fn express_mode_proves_nothing() {
    let (fake, stacks) = updated(&["UPDATE_COMPLETE"]);
    stacks.lock().unwrap().is_express = true;
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(0)
        .assert_stderr("was deployed in express mode");
}

#[test]
fn a_stack_whose_name_cannot_be_one_is_refused() {
    let (fake, _) = updated(&["UPDATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let definition = PIPELINE.replace("StackName: app", "StackName: my_app");
    program(folder.path(), &definition)
        .envs(fake.env())
        .run()
        .assert_code(2)
        .assert_stderr("StackName \"my_app\" is neither a stack's name");
    assert!(
        fake.requests_for("cloudformation:DescribeStacks")
            .is_empty()
    );
}

/// A server of others, which has seen what CloudFormation answers.
#[test]
fn ministack_says_which_validation_failed() {
    let Some(ministack) = Ministack::start() else {
        return;
    };
    let scope = "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/s3/aws4_request, SignedHeaders=host, Signature=x";
    let headers = [("authorization", scope.to_owned())];
    let place = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    let (status, body) = ministack.request("PUT", "/taken", &headers, place);
    assert_eq!(status, 200, "{body}");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("source");
    std::fs::create_dir(&source).unwrap();
    let template =
        "Resources:\n  Data: {Type: 'AWS::S3::Bucket', Properties: {BucketName: taken}}\n";
    std::fs::write(source.join("app.yml"), template).unwrap();
    let definition = "Resources:
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Name: demo
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: '1'}
              Configuration: {S3Bucket: source, S3ObjectKey: template.zip, PollForSourceChanges: 'false'}
              OutputArtifacts: [{Name: Src}]
        - Name: Deploy
          Actions:
            - Name: Deploy
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              Configuration: {ActionMode: CREATE_UPDATE, StackName: app, TemplatePath: 'Src::app.yml'}
              InputArtifacts: [{Name: Src}]
";
    std::fs::write(folder.path().join("pipeline.yml"), definition).unwrap();
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["pipeline.yml", "--source", "source"])
        .envs(ministack.env())
        .run()
        .assert_code(5)
        .assert_stderr("ended in ROLLBACK_COMPLETE")
        .assert_stderr(
            "root cause: Data (AWS::S3::Bucket): Resource of type 'AWS::S3::Bucket' with identifier 'taken' already exists.",
        )
        .assert_stderr("NAME_CONFLICT_VALIDATION at /Resources/Data")
        .assert_stderr("--disable-validation");
}
