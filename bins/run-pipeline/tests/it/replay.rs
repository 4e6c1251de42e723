//! `replay`: an action of a scripted execution runs here as it ran there.

use harness::codepipeline::{CodePipeline, Execution, Frame};
use harness::{FakeAws, Program, Reply};
use serde_json::{Value, json};

use crate::world::{assert_documented, zip};

const BUILDSPEC: &str = "version: 0.2
env: {exported-variables: [OUT]}
phases:
  build:
    commands:
      - echo \"what=$WHAT level=$LEVEL version=$CODEBUILD_RESOLVED_SOURCE_VERSION project=$CODEBUILD_BUILD_ID\"
      - OUT=\"$WHAT\"
";

fn kind(category: &str, provider: &str) -> Value {
    json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"})
}

fn definition() -> Value {
    json!({"name": "shop", "roleArn": "arn:aws:iam::111122223333:role/r", "version": 3, "pipelineType": "V2",
        "variables": [{"name": "LEVEL", "defaultValue": "dev"}], "stages": [
        {"name": "Source", "actions": [{"name": "App", "actionTypeId": kind("Source", "S3"), "namespace": "AppVariables",
            "configuration": {"S3Bucket": "src", "S3ObjectKey": "k.zip"}, "outputArtifacts": [{"name": "Src"}]}]},
        {"name": "Build", "beforeEntry": {"conditions": [{"result": "FAIL", "rules": [{"name": "Alarm",
                "ruleTypeId": {"category": "Rule", "owner": "AWS", "provider": "CloudWatchAlarm", "version": "1"}}]}]},
            "actions": [
            {"name": "Make", "actionTypeId": kind("Build", "CodeBuild"), "namespace": "MakeVariables",
                "configuration": {"ProjectName": "p", "EnvironmentVariables": "[{\"name\":\"WHAT\",\"value\":\"#{AppVariables.VersionId}\"}]"},
                "inputArtifacts": [{"name": "Src"}]},
            {"name": "Check", "runOrder": 2, "actionTypeId": kind("Compute", "Commands"), "commands": ["echo \"level=$LEVEL made=$MADE\"", "test -f app.txt"],
                "environmentVariables": [{"name": "LEVEL", "value": "#{variables.LEVEL}", "type": "PLAINTEXT"},
                    {"name": "MADE", "value": "#{MakeVariables.OUT}", "type": "PLAINTEXT"}],
                "inputArtifacts": [{"name": "Src"}]},
            {"name": "Notify", "runOrder": 3, "actionTypeId": kind("Invoke", "Lambda"), "configuration": {"FunctionName": "f"}},
        ]},
    ]})
}

fn ran(name: &str, provider: &str, status: &str, input: Value, output: Value) -> Value {
    let (stage, action) = name.split_once('/').unwrap();
    let mut input = input;
    input["actionTypeId"] = kind("Build", provider);
    json!({"pipelineExecutionId": "e1", "actionExecutionId": format!("id-{action}-{status}"), "pipelineVersion": 3,
        "stageName": stage, "actionName": action, "status": status, "input": input, "output": output})
}

fn fake() -> FakeAws {
    let stored =
        json!([{"name": "Src", "s3location": {"bucket": "artifacts", "key": "shop/Src/x"}}]);
    let build = |status: &str| {
        ran(
            "Build/Make",
            "CodeBuild",
            status,
            json!({"inputArtifacts": stored, "namespace": "MakeVariables", "configuration": {"ProjectName": "p"},
                "resolvedConfiguration": {"ProjectName": "p", "EnvironmentVariables": "[{\"name\":\"WHAT\",\"value\":\"v7\"}]"}}),
            json!({"executionResult": {"externalExecutionId": "p:1"}, "outputVariables": {"OUT": "v7"}}),
        )
    };
    let actions = vec![
        ran(
            "Source/App",
            "S3",
            "Succeeded",
            json!({"namespace": "AppVariables"}),
            json!({"outputVariables": {"VersionId": "v7"}}),
        ),
        build("Failed"),
        build("Succeeded"),
        ran(
            "Build/Check",
            "Commands",
            "Failed",
            json!({"inputArtifacts": stored}),
            json!({}),
        ),
        ran(
            "Build/Notify",
            "Lambda",
            "Failed",
            json!({"configuration": {"FunctionName": "f"}, "resolvedConfiguration": {"FunctionName": "f"}}),
            json!({}),
        ),
    ];
    let execution = Execution::new(
        "e1",
        vec![Frame {
            status: "Failed",
            actions,
        }],
    )
    .with(json!({
        "artifactRevisions": [{"name": "Src", "revisionId": "v7"}],
        "variables": [{"name": "LEVEL", "resolvedValue": "prod"}],
    }));
    let fake = FakeAws::start();
    CodePipeline::with(definition(), [execution]).serve(&fake);
    let build = json!({"id": "p:1", "projectName": "p", "timeoutInMinutes": 5, "source": {"type": "CODEPIPELINE", "buildspec": "ci/spec.yml"},
        "environment": {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "LEVEL", "value": "of the build", "type": "PLAINTEXT"}]}});
    fake.on(
        "codebuild:BatchGetBuilds",
        [Reply::json(&json!({"builds": [build]}))],
    );
    let source = zip(&[("ci/spec.yml", BUILDSPEC), ("app.txt", "x")]);
    fake.on("s3:GetObject", [Reply::bytes(source)]);
    fake
}

fn program(action: &str) -> Program {
    Program::new(env!("CARGO_BIN_EXE_run-pipeline")).args([
        "replay",
        "e1",
        "--pipeline-name",
        "shop",
        "--action",
        action,
    ])
}

#[test]
fn a_build_has_what_it_had_there() {
    let fake = fake();
    let temporary = tempfile::tempdir().unwrap();
    let ran = program("Make")
        .envs(fake.env())
        .env("TMPDIR", temporary.path())
        .run();
    ran.assert_code(0)
        .assert_stderr("fetched the artifact Src from s3://artifacts/shop/Src/x")
        .assert_stderr("Source/App (S3, kept from the run e1)")
        .assert_stderr("what=v7 level=of the build version=v7 project=p:")
        .refute_stderr("Build/Check");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["MakeVariables"]["OUT"], "v7");
    assert_eq!(report["codepipeline"]["PipelineExecutionId"], "e1");
    assert_eq!(
        std::fs::read_dir(temporary.path()).unwrap().count(),
        0,
        "nothing is left"
    );
    fake.assert_all_scripted();
    assert_documented(&fake);
}

#[test]
fn a_commands_action_has_the_variables_of_the_execution() {
    let fake = fake();
    program("Build/Check")
        .envs(fake.env())
        .run()
        .assert_code(0)
        .assert_stderr("Build/Make (CodeBuild, kept from the run e1)")
        .assert_stderr("level=prod made=v7");
}

#[test]
fn what_is_given_here_stands_for_what_is_there() {
    let fake = fake();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("ci")).unwrap();
    std::fs::write(
        folder.path().join("ci/spec.yml"),
        "version: 0.2\nphases: {build: {commands: [echo mended $LEVEL]}}\n",
    )
    .unwrap();
    let mended = format!("Src={}", folder.path().display());
    program("Make")
        .args(["--artifact", &mended])
        .envs(fake.env())
        .run()
        .assert_code(0)
        .assert_stderr("mended of the build");
    assert_eq!(fake.requests_for("s3:GetObject").len(), 0);
}

#[test]
fn what_cannot_be_replayed_is_refused() {
    let fake = fake();
    program("Mak")
        .envs(fake.env())
        .run()
        .assert_code(2)
        .assert_stderr("no action Mak has begun")
        .assert_stderr("did you mean Make?");
    program("Notify")
        .envs(fake.env())
        .run()
        .assert_code(2)
        .assert_stderr(
            "no program replaces the Lambda function f; name one with --lambda f=PROGRAM",
        );
    program("Make")
        .run()
        .assert_code(2)
        .assert_stderr("CodePipeline of AWS itself would be asked");
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .args(["replay", "e1", "--pipeline-name", "shop"])
        .run()
        .assert_code(2)
        .assert_stderr("--action");
}
