//! The two actions of stack sets, over a scripted CloudFormation and over moto.

use std::path::Path;

use harness::moto::Moto;
use harness::{FakeAws, Program, Reply};
use serde_json::{Value, json};

use super::foreign::{action, connection, definition, stage};
use crate::world::assert_documented;

const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";
const ID: &str = "shop:3f6c1d1e-0000-4000-8000-000000000000";

fn answer(operation: &str, result: &str) -> Reply {
    Reply::xml(format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result></{operation}Response>"
    ))
}

fn status(status: &str) -> Reply {
    answer(
        "DescribeStackSetOperation",
        &format!("<StackSetOperation><Status>{status}</Status></StackSetOperation>"),
    )
}

fn results(first: &str, reason: &str) -> Reply {
    answer(
        "ListStackSetOperationResults",
        &format!(
            "<Summaries><member><Account>111122223333</Account><Region>eu-west-1</Region><Status>{first}</Status>\
             <StatusReason>{reason}</StatusReason></member></Summaries>"
        ),
    )
}

fn program(folder: &Path, set: &Value, instances: &Value) -> Program {
    let app = folder.join("app");
    std::fs::create_dir_all(&app).unwrap();
    std::fs::write(
        app.join("t.yml"),
        "Parameters: {Size: {Type: String}}\nResources: {Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: !Ref Size}}}\n",
    )
    .unwrap();
    std::fs::write(app.join("accounts.json"), r#"["111122223333"]"#).unwrap();
    std::fs::write(
        app.join("parameters.json"),
        r#"[{"ParameterKey": "Size", "ParameterValue": "small"}]"#,
    )
    .unwrap();
    let inputs = json!([{"name": "AppOutput"}]);
    let set = action(
        "Set",
        ("Deploy", "CloudFormationStackSet"),
        json!({"configuration": set, "inputArtifacts": inputs, "namespace": "Made"}),
    );
    let instances = action(
        "Instances",
        ("Deploy", "CloudFormationStackInstances"),
        json!({"configuration": instances, "inputArtifacts": inputs, "runOrder": 2}),
    );
    let stages = json!([
        stage("Source", vec![connection()]),
        stage("Deploy", vec![set, instances])
    ]);
    std::fs::write(folder.join("pipeline.json"), definition(stages).to_string()).unwrap();
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder)
        .args(["pipeline.json", "--source", "app"])
}

fn set(more: Value) -> Value {
    let mut all = json!({
        "StackSetName": "shop", "TemplatePath": "AppOutput::t.yml", "Parameters": "AppOutput::parameters.json",
        "Capabilities": "CAPABILITY_IAM,CAPABILITY_NAMED_IAM",
    });
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn instances() -> Value {
    json!({"StackSetName": "shop", "DeploymentTargets": "AppOutput::accounts.json", "Regions": "eu-west-1,eu-central-1",
        "ParameterOverrides": "ParameterKey=Size,ParameterValue=large", "FailureTolerancePercentage": "50"})
}

fn not_there() -> Reply {
    Reply::error(404, "StackSetNotFoundException", "StackSet shop not found")
}

fn there() -> Reply {
    answer(
        "DescribeStackSet",
        &format!(
            "<StackSet><StackSetName>shop</StackSetName><StackSetId>{ID}</StackSetId></StackSet>"
        ),
    )
}

#[test]
fn a_set_is_made_and_gets_its_instances() {
    let fake = FakeAws::start();
    fake.on("cloudformation:DescribeStackSet", [not_there(), there()]);
    let made = format!("<StackSetId>{ID}</StackSetId>");
    fake.on(
        "cloudformation:CreateStackSet",
        [answer("CreateStackSet", &made)],
    );
    let begun = answer("CreateStackInstances", "<OperationId>o</OperationId>");
    fake.on("cloudformation:CreateStackInstances", [begun]);
    let states = [status("RUNNING"), status("SUCCEEDED")];
    fake.on("cloudformation:DescribeStackSetOperation", states);
    fake.on(
        "cloudformation:ListStackSetOperationResults",
        [results("SUCCEEDED", "")],
    );
    let folder = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), &set(json!({})), &instances())
        .envs(fake.env())
        .run();
    ran.assert_code(0)
        .assert_stderr("created the stack set shop in")
        .assert_stderr("SUCCEEDED 111122223333 in eu-west-1");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["Made"]["StackSetId"], ID);
    let created = &fake.requests_for("cloudformation:CreateStackSet")[0];
    assert_eq!(
        created.param("Parameters.member.1.ParameterValue"),
        Some("small")
    );
    assert_eq!(
        created.param("Capabilities.member.2"),
        Some("CAPABILITY_NAMED_IAM")
    );
    assert!(
        created
            .param("TemplateBody")
            .unwrap()
            .contains("AWS::SNS::Topic")
    );
    let sent = &fake.requests_for("cloudformation:CreateStackInstances")[0];
    for (name, value) in [
        ("Accounts.member.1", "111122223333"),
        ("Regions.member.2", "eu-central-1"),
        ("ParameterOverrides.member.1.ParameterValue", "large"),
        ("OperationPreferences.FailureTolerancePercentage", "50"),
    ] {
        assert_eq!(sent.param(name), Some(value), "{name}");
    }
    fake.assert_all_scripted();
    assert_documented(&fake);
}

#[test]
fn a_failed_update_names_each_instance_and_why() {
    let fake = FakeAws::start();
    fake.on("cloudformation:DescribeStackSet", [there()]);
    let begun = answer("UpdateStackSet", "<OperationId>o</OperationId>");
    fake.on("cloudformation:UpdateStackSet", [begun]);
    fake.on(
        "cloudformation:DescribeStackSetOperation",
        [status("FAILED")],
    );
    let why = "Account gate failed";
    fake.on(
        "cloudformation:ListStackSetOperationResults",
        [results("FAILED", why)],
    );
    let folder = tempfile::tempdir().unwrap();
    let units = json!({"DeploymentTargets": "OrganizationalUnitIds=ou-a,ou-b", "Regions": "eu-west-1",
        "PermissionModel": "SERVICE_MANAGED", "OrganizationsAutoDeployment": "EnabledWithStackRetention"});
    program(folder.path(), &set(units), &instances())
        .envs(fake.env())
        .run()
        .assert_code(1)
        .assert_stderr("of the stack set shop in eu-west-1 ended in FAILED")
        .assert_stderr("FAILED 111122223333 in eu-west-1: Account gate failed");
    let sent = &fake.requests_for("cloudformation:UpdateStackSet")[0];
    for (name, value) in [
        ("DeploymentTargets.OrganizationalUnitIds.member.2", "ou-b"),
        ("PermissionModel", "SERVICE_MANAGED"),
        ("AutoDeployment.RetainStacksOnAccountRemoval", "true"),
    ] {
        assert_eq!(sent.param(name), Some(value), "{name}");
    }
    assert_eq!(sent.param("Accounts.member.1"), None);
    assert_documented(&fake);
}

#[test]
fn what_cannot_be_a_target_is_refused_before_anything_is_asked() {
    let fake = FakeAws::start();
    let folder = tempfile::tempdir().unwrap();
    for (more, said) in [
        (
            json!({"DeploymentTargets": "shop", "Regions": "eu-west-1"}),
            "\"shop\" is neither an account",
        ),
        (
            json!({"Regions": "eu-west-1"}),
            "DeploymentTargets and Regions go together",
        ),
        (
            json!({"Parameters": "Size=small"}),
            "write ParameterKey=NAME,ParameterValue=VALUE",
        ),
    ] {
        program(folder.path(), &set(more), &instances())
            .envs(fake.env())
            .run()
            .assert_code(2)
            .assert_stderr(said);
    }
    assert_eq!(fake.requests().len(), 0);
}

#[test]
fn the_answer_of_an_update_that_was_lost_does_not_make_it_twice() {
    let fake = FakeAws::start();
    fake.on("cloudformation:DescribeStackSet", [there()]);
    fake.lose_reply("cloudformation:UpdateStackSet");
    let again = Reply::error(
        409,
        "OperationIdAlreadyExistsException",
        "the operation exists",
    );
    fake.on(
        "cloudformation:UpdateStackSet",
        [
            answer("UpdateStackSet", "<OperationId>o</OperationId>"),
            again,
        ],
    );
    let begun = answer("CreateStackInstances", "<OperationId>o</OperationId>");
    fake.on("cloudformation:CreateStackInstances", [begun]);
    fake.on(
        "cloudformation:DescribeStackSetOperation",
        [status("SUCCEEDED")],
    );
    fake.on(
        "cloudformation:ListStackSetOperationResults",
        [results("SUCCEEDED", "")],
    );
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), &set(json!({})), &instances())
        .envs(fake.env())
        .run()
        .assert_code(0);
    let sent = fake.requests_for("cloudformation:UpdateStackSet");
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].param("OperationId"), sent[1].param("OperationId"));
}

#[test]
fn moto_has_the_set_and_its_instances() {
    let Some(moto) = Moto::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        program(folder.path(), &set(json!({})), &instances())
            .envs(moto.env())
            .run()
            .assert_code(0);
    }
}
