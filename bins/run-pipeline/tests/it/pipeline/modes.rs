//! The CloudFormation action's other modes, Commands actions, and S3 deployments.

use harness::{FakeAws, Reply};
use serde_json::Value;

use super::{BUILDSPEC, PIPELINE, fake, program};
use crate::world::serve_stacks;

pub(super) fn mode(name: &str) -> String {
    let with_name = format!("{name}\n                ChangeSetName: changes");
    PIPELINE.replace("CREATE_UPDATE", &with_name)
}

fn count(fake: &FakeAws, operation: &str) -> usize {
    fake.requests_for(&format!("cloudformation:{operation}"))
        .len()
}

#[test]
fn a_failed_stack_is_replaced_and_a_good_one_updated() {
    let fake = fake(BUILDSPEC);
    serve_stacks(&fake, Some("ROLLBACK_COMPLETE"), &["CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), &mode("REPLACE_ON_FAILURE")).envs(fake.env());
    let ran = program.run();
    ran.assert_code(0)
        .assert_stderr("is ROLLBACK_COMPLETE: it is deleted and created again")
        .assert_stderr("the stack app in eu-west-1 is deleted");
    assert_eq!(count(&fake, "DeleteStack"), 1);
    assert_eq!(count(&fake, "CreateStack"), 1);
    program.run().assert_code(0);
    assert_eq!(count(&fake, "DeleteStack"), 1);
    assert_eq!(count(&fake, "UpdateStack"), 1);
}

#[test]
fn a_stack_is_deleted_and_one_that_is_not_there_is_nothing() {
    let fake = fake(BUILDSPEC);
    serve_stacks(&fake, Some("CREATE_COMPLETE"), &["CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), &mode("DELETE_ONLY")).envs(fake.env());
    program
        .run()
        .assert_code(0)
        .assert_stderr("deleting the stack app")
        .assert_stderr("the stack app in eu-west-1 is deleted");
    program
        .run()
        .assert_code(0)
        .assert_stderr("there is nothing to do");
    assert_eq!(count(&fake, "DeleteStack"), 1);
    assert_eq!(count(&fake, "CreateStack"), 0);
}

/// The pipeline with one stage that makes the change set and one that executes it.
fn in_two_stages() -> String {
    let made = mode("CHANGE_SET_REPLACE").replace("Namespace: App", "Namespace: MadeSet");
    let execute = "        - Name: Execute
          Actions:
            - Name: Execute
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              Configuration: {ActionMode: CHANGE_SET_EXECUTE, StackName: app, ChangeSetName: changes}
              Namespace: App
";
    format!("{made}{execute}")
}

#[test]
fn a_change_set_is_shown_and_executed() {
    for first in [None, Some("CREATE_COMPLETE")] {
        let fake = fake(BUILDSPEC);
        let stacks = serve_stacks(&fake, first, &["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]);
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), &in_two_stages()).envs(fake.env());
        let ran = program.run();
        ran.assert_code(0)
            .assert_stderr("Modify Topic (AWS::SNS::Topic), replaced")
            .assert_stderr("executing a change set of the stack app");
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(report["App"]["Image"], "ami-0123456789abcdef0");
        assert_eq!(
            stacks.lock().unwrap().parameters["AMIId"],
            "ami-0123456789abcdef0"
        );
        let kind = fake.requests_for("cloudformation:CreateChangeSet")[0]
            .param("ChangeSetType")
            .unwrap()
            .to_owned();
        assert_eq!(kind, if first.is_some() { "UPDATE" } else { "CREATE" });
        // Nothing would change any more.
        let again = program.run();
        again
            .assert_code(0)
            .assert_stderr("is empty: nothing would change")
            .assert_stderr("there is nothing to execute");
        assert_eq!(count(&fake, "ExecuteChangeSet"), 1);
        let report: Value = serde_json::from_str(&again.stdout).unwrap();
        assert_eq!(report["App"]["Image"], "ami-0123456789abcdef0");
        assert_eq!(count(&fake, "CreateStack") + count(&fake, "UpdateStack"), 0);
    }
}

#[test]
fn the_place_of_an_artifact_is_where_it_was_uploaded() {
    let fake = fake(BUILDSPEC);
    let stacks = serve_stacks(&fake, None, &["CREATE_COMPLETE"]);
    fake.on("s3:PutObject", [Reply::empty(200)]);
    let folder = tempfile::tempdir().unwrap();
    let definition = PIPELINE.replace(
        "{\"Fn::GetParam\":[\"Made\",\"out.json\",\"note\"]}",
        "{\"Fn::GetArtifactAtt\":[\"Made\",\"URL\"]}",
    );
    let program = program(folder.path(), &definition).envs(fake.env());
    program
        .run()
        .assert_code(2)
        .assert_stderr("Fn::GetArtifactAtt needs a bucket")
        .assert_stderr("--artifact-bucket");
    program
        .args(["--artifact-bucket", "kept"])
        .run()
        .assert_code(0);
    let note = stacks.lock().unwrap().parameters["Note"].clone();
    let known = "https://s3.eu-west-1.amazonaws.com/kept/demo/Made/";
    assert!(note.starts_with(known) && note.ends_with(".zip"), "{note}");
    assert_eq!(fake.requests_for("s3:PutObject").len(), 1);
}

#[test]
fn a_template_too_large_for_a_request_goes_through_the_bucket() {
    let padding = format!("# {}\n", "x".repeat(60_000));
    let files = [
        ("buildspecs/bake.yml", BUILDSPEC),
        ("app.yml", &format!("{padding}{}", super::APP)),
        ("config.json", super::CONFIG),
    ];
    for (definition, operation) in [
        (PIPELINE.to_owned(), "CreateStack"),
        (mode("CHANGE_SET_REPLACE"), "CreateChangeSet"),
    ] {
        let fake = FakeAws::start();
        crate::world::serve_source(&fake, crate::world::zip(&files));
        serve_stacks(&fake, None, &["CREATE_COMPLETE"]);
        fake.on("s3:PutObject", [Reply::empty(200)]);
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path(), &definition).envs(fake.env());
        program
            .run()
            .assert_code(2)
            .assert_stderr("more than 51200 reach CloudFormation through a bucket")
            .assert_stderr("--artifact-bucket");
        assert_eq!(count(&fake, operation), 0);
        program
            .args(["--artifact-bucket", "kept"])
            .run()
            .assert_code(0);
        let sent = &fake.requests_for(&format!("cloudformation:{operation}"))[0];
        let url = sent.param("TemplateURL").unwrap();
        assert_eq!(sent.param("TemplateBody"), None);
        let put = &fake.requests_for("s3:PutObject")[0];
        assert_eq!(
            url,
            format!("https://s3.eu-west-1.amazonaws.com{}", put.path)
        );
        assert!(url.contains("/kept/demo/templates/"), "{url}");
        assert!(put.text().contains("AWS::SNS::Topic"));
    }
}

#[test]
fn the_outputs_of_a_stack_are_an_artifact_under_the_name_they_are_given() {
    let fake = fake(BUILDSPEC);
    serve_stacks(&fake, None, &["CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let next = "        - Name: Read
          Actions:
            - Name: Read
              ActionTypeId: {Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}
              InputArtifacts: [{Name: Outputs}]
              Commands: ['cat made/outputs.json', 'IMAGE=$(sed -n s/.*Image.*:.*.ami-/ami-/p made/outputs.json | cut -c-21)']
              OutputVariables: [IMAGE]
              Namespace: Read
";
    let deploy = PIPELINE.replace(
        "                StackName: app\n",
        "                StackName: app\n                OutputFileName: made/outputs.json\n",
    );
    let made = deploy.replace(
        "              Namespace: App\n",
        "              Namespace: App\n              OutputArtifacts: [{Name: Outputs}]\n",
    );
    let ran = program(folder.path(), &format!("{made}{next}"))
        .envs(fake.env())
        .run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["Read"]["IMAGE"], "ami-0123456789abcdef0");
    assert_eq!(report["App"]["Image"], "ami-0123456789abcdef0");
    // Without a name there is no artifact.
    let none = made.replace("                OutputFileName: made/outputs.json\n", "");
    program(folder.path(), &format!("{none}{next}"))
        .envs(fake.env())
        .run()
        .assert_code(2)
        .assert_stderr("no action of this run has made the artifact Outputs");
}

#[test]
fn the_root_cause_of_a_failed_deployment_stands_last() {
    let fake = fake(BUILDSPEC);
    serve_stacks(&fake, None, &["ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), PIPELINE)
        .envs(fake.env())
        .run()
        .assert_code(5)
        .assert_stderr("root cause: CREATE_FAILED Group");
}

#[test]
fn commands_run_with_variables_and_make_some() {
    let fake = fake(BUILDSPEC);
    fake.on("s3:PutObject", [Reply::empty(200)]);
    let at = PIPELINE.find("        - Name: Deploy\n").unwrap();
    let definition = format!(
        "{}{}",
        &PIPELINE[..at],
        "        - Name: Run
          Actions:
            - Name: Commands
              ActionTypeId: {Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}
              InputArtifacts: [{Name: Src}, {Name: Made}]
              OutputArtifacts: [{Name: Site, Files: ['site/**']}]
              Commands:
                - mkdir -p site/deep
                - cp \"$CODEBUILD_SRC_DIR_Made/out.json\" site/deep/out.json
                - echo \"<p>$WHAT\" > site/index.html
                - SUM=\"$WHAT!\"
              EnvironmentVariables: [{Name: WHAT, Value: '#{AMIcreation.AMI_ID}'}, {Name: KEY, Value: 'app:key', Type: SECRETS_MANAGER}]
              OutputVariables: [SUM]
              Namespace: Ran
        - Name: Publish
          Actions:
            - Name: Site
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: S3, Version: '1'}
              InputArtifacts: [{Name: Site}]
              Configuration: {BucketName: web, Extract: 'true', ObjectKey: v1, CacheControl: no-store}
            - Name: Zip
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: S3, Version: '1'}
              InputArtifacts: [{Name: Site}]
              Configuration: {BucketName: web, Extract: 'false', ObjectKey: 'site-#{Ran.SUM}.zip'}
"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("stores.json"),
        r#"{"secrets-manager": {"app": {"key": "secret-value"}}}"#,
    )
    .unwrap();
    let ran = program(folder.path(), &definition)
        .envs(fake.env())
        .args(["--store-file", "stores.json"])
        .run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["Ran"]["SUM"], "ami-0123456789abcdef0!");
    let mut put: Vec<String> = fake
        .requests_for("s3:PutObject")
        .iter()
        .map(|request| request.path.clone())
        .collect();
    put.sort();
    assert_eq!(
        put,
        [
            "/web/site-ami-0123456789abcdef0!.zip",
            "/web/v1/site/deep/out.json",
            "/web/v1/site/index.html",
        ]
    );
}
