//! `follow` over a scripted CodePipeline: its log, its end, and what it starts.

use harness::codebuild::{Build, CodeBuild};
use harness::codepipeline::{CodePipeline, Execution, Frame};
use harness::moto::Moto;
use harness::{FakeAws, Program, Reply};
use serde_json::{Value, json};

use crate::world::{assert_documented, validation};

const BUILD: &str = "shop-build:0a0a0a0a-0000-4000-8000-000000000000";
const STACK: &str = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/1";

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .arg("follow")
        .args(["--pipeline-name", "shop"])
        .env("RUN_PIPELINE_TIMEOUT", "60s")
}

/// An action of an execution.
fn action(name: &str, provider: &str, status: &str, more: Value) -> Value {
    let (stage, action) = name.split_once('/').unwrap();
    let category = match provider {
        "S3" => "Source",
        "CodeBuild" => "Build",
        "Manual" => "Approval",
        "Commands" => "Compute",
        _ => "Deploy",
    };
    let mut one = json!({
        "pipelineExecutionId": "e1", "actionExecutionId": format!("id-{action}"), "pipelineVersion": 3,
        "stageName": stage, "actionName": action, "status": status, "startTime": 1_767_225_600.0, "lastUpdateTime": 1_767_225_612.5,
        "input": {"actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
            "namespace": format!("{action}Variables")},
        "output": {},
    });
    for (key, value) in more.as_object().unwrap() {
        for (inner, value) in value.as_object().unwrap() {
            one[key][inner] = value.clone();
        }
    }
    one
}

fn source() -> Value {
    action(
        "Source/App",
        "S3",
        "Succeeded",
        json!({"output": {"outputVariables": {"VersionId": "v7"}}}),
    )
}

fn build(status: &str, more: Value) -> Value {
    let mut one = action(
        "Build/Make",
        "CodeBuild",
        status,
        json!({"output": {"executionResult": {"externalExecutionId": BUILD, "externalExecutionUrl": "https://console/build"}}}),
    );
    for (key, value) in more.as_object().unwrap() {
        one["output"][key] = value.clone();
    }
    one
}

fn deploy(status: &str, result: Value) -> Value {
    action(
        "Deploy/Stack",
        "CloudFormation",
        status,
        json!({"input": {"resolvedConfiguration": {"ActionMode": "CREATE_UPDATE", "StackName": "shop"}},
            "output": {"executionResult": result}}),
    )
}

fn frame(status: &'static str, actions: Vec<Value>) -> Frame {
    Frame { status, actions }
}

fn definition(on_failure: &str) -> Value {
    let action = |name: &str, category: &str, provider: &str| json!({"name": name, "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"}});
    json!({"name": "shop", "roleArn": "arn:aws:iam::111122223333:role/r", "version": 3, "stages": [
        {"name": "Source", "actions": [action("App", "Source", "S3"), action("Code", "Source", "CodeStarSourceConnection"),
            action("Base", "Source", "ECR")]},
        {"name": "Deploy", "onFailure": {"result": on_failure}, "actions": [action("Stack", "Deploy", "CloudFormation")]},
    ]})
}

fn events(list: &[(&str, &str, &str, &str)]) -> Reply {
    let events: String = list
        .iter()
        .enumerate()
        .map(|(number, (resource, status, reason, time))| {
            format!(
                "<member><EventId>e{number}</EventId><StackId>{STACK}</StackId><StackName>shop</StackName>\
                 <LogicalResourceId>{resource}</LogicalResourceId><ResourceType>AWS::X::Y</ResourceType><Timestamp>{time}</Timestamp>\
                 <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
            )
        })
        .rev()
        .collect();
    Reply::xml(format!(
        "<DescribeStackEventsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStackEventsResult>\
         <StackEvents>{events}</StackEvents></DescribeStackEventsResult></DescribeStackEventsResponse>"
    ))
}

/// An AWS with these executions.
fn fake(pipeline: &CodePipeline) -> FakeAws {
    let fake = FakeAws::start();
    pipeline.serve(&fake);
    let build = Build::running(BUILD, std::time::SystemTime::now());
    CodeBuild::with([build.logs("/aws/codebuild/shop-build", "stream-1")]).serve(&fake);
    fake
}

#[test]
fn an_execution_is_one_log_and_its_variables() {
    let done = build("Succeeded", json!({"outputVariables": {"AMI_ID": "ami-1"}}));
    let commands = action(
        "Check/Run",
        "Commands",
        "Succeeded",
        json!({"output": {"executionResult": {"logStreamARN":
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/codepipeline/shop:log-stream:stream-2"}}}),
    );
    let going = deploy("InProgress", json!({"externalExecutionId": STACK}));
    let stack = deploy("Succeeded", json!({"externalExecutionId": STACK}));
    let execution = Execution::new(
        "e1",
        vec![
            frame("InProgress", vec![source()]),
            frame("InProgress", vec![source(), build("InProgress", json!({}))]),
            frame(
                "InProgress",
                vec![source(), done.clone(), commands.clone(), going],
            ),
            frame("Succeeded", vec![source(), done, commands, stack]),
        ],
    );
    let pipeline = CodePipeline::with(definition("FAIL"), [execution]);
    pipeline.log(
        "stream-1",
        &[
            &["line one", "line two"],
            &[],
            &["line three"],
            &[],
            &[],
            &["late line"],
        ],
    );
    pipeline.log("stream-2", &[&["checked"]]);
    let fake = fake(&pipeline);
    fake.on(
        "cloudformation:DescribeStackEvents",
        [
            // Of before, and of this deployment.
            events(&[("Old", "CREATE_FAILED", "old", "2025-12-31T23:59:00Z")]),
            events(&[
                ("Old", "CREATE_FAILED", "old", "2025-12-31T23:59:00Z"),
                ("Topic", "CREATE_COMPLETE", "", "2026-01-01T00:00:05Z"),
            ]),
        ],
    );
    let ran = program().envs(fake.env()).run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["codepipeline"]["PipelineExecutionId"], "e1");
    assert_eq!(report["AppVariables"]["VersionId"], "v7");
    assert_eq!(report["MakeVariables"]["AMI_ID"], "ami-1");
    let mut rest = ran.stderr.as_str();
    for line in [
        "following the execution e1 of the pipeline shop",
        "---- Source/App (S3) ----",
        "App: succeeded after 12.5s VersionId=v7",
        "---- Build/Make (CodeBuild) ----",
        "Make | line one",
        "Make | line two",
        "---- Check/Run (Commands) ----",
        "Make | line three",
        "Run | checked",
        "Make: succeeded after 12.5s AMI_ID=ami-1",
        "Stack | CREATE_COMPLETE Topic (AWS::X::Y)",
        "Stack: succeeded",
        "Make | late line",
    ] {
        let Some(at) = rest.find(line) else {
            panic!("no {line:?} in its place:\n{}", ran.stderr)
        };
        rest = &rest[at + line.len()..];
    }
    assert_eq!(ran.stderr.matches("line one").count(), 1);
    ran.refute_stderr("CREATE_FAILED Old");
    fake.assert_all_scripted();
    assert_documented(&fake);
}

#[test]
fn a_failed_stack_tells_its_root_cause_and_the_roll_back_is_red() {
    let result = json!({"externalExecutionId": STACK,
        "errorDetails": {"code": "JobFailed", "message": "The stack is in UPDATE_ROLLBACK_COMPLETE"}});
    let failed = frame("Failed", vec![source(), deploy("Failed", result)]);
    let first = Execution::new("e1", vec![failed]);
    let rolled = frame("Succeeded", vec![deploy("Succeeded", json!({}))]);
    let second = Execution::new("e2", vec![rolled]).with(json!({
        "executionType": "ROLLBACK", "rollbackMetadata": {"rollbackTargetPipelineExecutionId": "e0"},
        "trigger": {"triggerType": "AutomatedRollback", "triggerDetail": "e1"},
    }));
    let pipeline = CodePipeline::with(definition("ROLLBACK"), [first, second]);
    let fake = fake(&pipeline);
    let list = [
        (
            "A",
            "UPDATE_FAILED",
            "Resource update cancelled",
            "2026-01-01T00:00:01Z",
        ),
        (
            "B",
            "UPDATE_FAILED",
            "no such image",
            "2026-01-01T00:00:02Z",
        ),
    ];
    fake.on("cloudformation:DescribeStackEvents", [events(&list)]);
    // A role that may not ask more has the events all the same.
    let denied = Reply::error(403, "AccessDenied", "not authorized");
    fake.on("cloudformation:DescribeEvents", [denied]);
    program()
        .arg("e1")
        .envs(fake.env())
        .run()
        .assert_code(1)
        .assert_stderr("the execution e1 of the pipeline shop failed")
        .assert_stderr("Deploy/Stack: JobFailed: The stack is in UPDATE_ROLLBACK_COMPLETE")
        .assert_stderr("root cause of Deploy/Stack: UPDATE_FAILED B (AWS::X::Y): no such image")
        .assert_stderr("the stage is rolled back by the execution e2")
        .assert_stderr(
            "the execution e2 of the pipeline shop is a roll-back to e0, and ended as Succeeded",
        );
    // The newest one is that roll-back.
    program()
        .envs(fake.env())
        .run()
        .assert_code(1)
        .assert_stderr("the execution e2 of the pipeline shop is a roll-back to e0");
    assert_documented(&fake);
}

#[test]
fn a_validation_that_failed_is_told_of_stacks_and_of_change_sets() {
    let refused = validation("Data", "FAIL", "already exists.");
    let answer = format!(
        "<DescribeEventsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeEventsResult>\
         <OperationEvents>{refused}</OperationEvents></DescribeEventsResult></DescribeEventsResponse>"
    );
    for (mode, asked) in [
        ("CREATE_UPDATE", ("StackName", STACK)),
        ("CHANGE_SET_REPLACE", ("ChangeSetName", "changes")),
    ] {
        let mut action = deploy("Failed", json!({"externalExecutionId": STACK}));
        let configuration = &mut action["input"]["resolvedConfiguration"];
        configuration["ActionMode"] = mode.into();
        configuration["ChangeSetName"] = "changes".into();
        let execution = Execution::new("e1", vec![frame("Failed", vec![source(), action])]);
        let pipeline = CodePipeline::with(definition("FAIL"), [execution]);
        let fake = fake(&pipeline);
        fake.on("cloudformation:DescribeStackEvents", [events(&[])]);
        fake.on(
            "cloudformation:DescribeEvents",
            [Reply::xml(answer.clone())],
        );
        program().envs(fake.env()).run().assert_code(1).assert_stderr(
            "root cause of Deploy/Stack: Data (AWS::S3::Bucket): already exists. (NAME_CONFLICT_VALIDATION at /Resources/Data)",
        );
        let sent = &fake.requests_for("cloudformation:DescribeEvents")[0];
        assert_eq!(sent.param(asked.0), Some(asked.1), "{mode}");
        assert_documented(&fake);
    }
}

#[test]
fn each_other_end_is_red() {
    for (status, code, said) in [
        ("Superseded", 7, "was superseded"),
        ("Stopped", 1, "ended as Stopped"),
        ("Cancelled", 1, "ended as Cancelled"),
    ] {
        let execution = Execution::new("e1", vec![frame(status, vec![source()])]);
        let pipeline = CodePipeline::with(definition("FAIL"), [execution]);
        let fake = fake(&pipeline);
        program()
            .envs(fake.env())
            .run()
            .assert_code(code)
            .assert_stderr(said);
    }
}

#[test]
fn a_deadline_says_how_it_is_followed_again() {
    let waiting = action("Release/Ask", "Manual", "InProgress", json!({}));
    let execution = Execution::new("e1", vec![frame("InProgress", vec![source(), waiting])]);
    let pipeline = CodePipeline::with(definition("FAIL"), [execution]);
    let fake = fake(&pipeline);
    program()
        .args(["--timeout", "3s"])
        .envs(fake.env())
        .run()
        .assert_code(6)
        .assert_stderr("Release/Ask waits for an approval")
        .assert_stderr("run-pipeline follow e1 --pipeline-name shop follows it again");
}

#[test]
fn it_starts_with_the_versions_that_are_given() {
    let pipeline = CodePipeline::with(definition("FAIL"), []);
    pipeline.starts(Execution::new(
        "e9",
        vec![frame("Succeeded", vec![source()])],
    ));
    let fake = fake(&pipeline);
    let pinned = [
        "--start-execution",
        "--source-revision",
        "App=v7",
        "--source-revision",
        "Code=c0ffee",
        "--source-revision",
        "Base=sha256:ab",
        "--variable",
        "variables.LEVEL=prod",
    ];
    program()
        .args(pinned)
        .arg("--dry-run")
        .envs(fake.env())
        .run()
        .assert_code(0)
        .assert_stderr("App at v7 (S3_OBJECT_VERSION_ID)");
    assert_eq!(
        fake.requests_for("codepipeline:StartPipelineExecution")
            .len(),
        0
    );
    let ran = program().args(pinned).envs(fake.env()).run();
    ran.assert_code(0)
        .assert_stderr("started the pipeline shop: e9");
    let sent = fake.requests_for("codepipeline:StartPipelineExecution")[0].json();
    assert_eq!(
        sent["sourceRevisions"],
        json!([
            {"actionName": "App", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": "v7"},
            {"actionName": "Code", "revisionType": "COMMIT_ID", "revisionValue": "c0ffee"},
            {"actionName": "Base", "revisionType": "IMAGE_DIGEST", "revisionValue": "sha256:ab"},
        ])
    );
    assert_eq!(
        sent["variables"],
        json!([{"name": "LEVEL", "value": "prod"}])
    );
    assert!(sent["clientRequestToken"].is_string());
    program()
        .args(["--start-execution", "--source-revision", "Ap=v7"])
        .envs(fake.env())
        .run()
        .assert_code(2)
        .assert_stderr("the pipeline shop has no source Ap")
        .assert_stderr("did you mean App?");
    assert_documented(&fake);
}

#[test]
fn what_cannot_be_followed_is_refused() {
    let fake = fake(&CodePipeline::with(definition("FAIL"), []));
    let refused = |arguments: &[&str], said: &str| {
        program()
            .args(arguments.iter().copied())
            .envs(fake.env())
            .run()
            .assert_code(2)
            .assert_stderr(said);
    };
    refused(&[], "has no execution yet");
    refused(
        &["e1", "--start-execution"],
        "an execution that is named has begun already",
    );
    refused(
        &["--source-revision", "App=v7"],
        "only --start-execution pins a source",
    );
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .arg("follow")
        .run()
        .assert_code(2)
        .assert_stderr("--pipeline-name");
    program()
        .run()
        .assert_code(2)
        .assert_stderr("CodePipeline of AWS itself would be asked");
}

/// moto knows no actions of executions; what it does know is asked as it expects.
#[test]
fn moto_starts_an_execution() {
    let Some(moto) = Moto::start() else { return };
    let mut pipeline = definition("FAIL");
    pipeline["roleArn"] = "arn:aws:iam::123456789012:role/r".into();
    pipeline["artifactStore"] = json!({"type": "S3", "location": "b"});
    let sent = json!({"pipeline": pipeline});
    let scope = |service: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
        )
    };
    let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"codepipeline.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let role =
        format!("Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument={trust}");
    let form = (
        "content-type",
        "application/x-www-form-urlencoded".to_owned(),
    );
    let iam = scope("iam");
    let (status, body) = moto.request(
        "POST",
        "/",
        &[form, ("authorization", iam)],
        role.as_bytes(),
    );
    assert_eq!(status, 200, "{body}");
    let signed = scope("codepipeline");
    let headers = [
        (
            "x-amz-target",
            "CodePipeline_20150709.CreatePipeline".to_owned(),
        ),
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("authorization", signed),
    ];
    let (status, body) = moto.request("POST", "/", &headers, sent.to_string().as_bytes());
    assert_eq!(status, 200, "{body}");
    program()
        .args(["--start-execution", "--source-revision", "App=v7"])
        .env("RUN_PIPELINE_TIMEOUT", "8s")
        .envs(moto.env())
        .run()
        .assert_stderr("started the pipeline shop: ")
        .assert_stderr("ListActionExecutions");
}
