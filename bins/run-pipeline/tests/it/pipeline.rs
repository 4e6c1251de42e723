//! A whole small pipeline over a fake AWS, and over moto.

mod check;
pub(crate) mod foreign;
mod jobs;
mod modes;
mod plan;
mod refusals;
mod rerun;
mod secret_settings;
mod source;
mod stack_failures;
mod stack_sets;
mod stacks;
mod stage_conditions;
mod terminal;

use std::path::Path;

use harness::moto::Moto;
use harness::{FakeAws, Program};
use serde_json::Value;

use crate::world::{self, serve_source, serve_stacks};

pub(crate) const PIPELINE: &str = r##"
Parameters:
  Bucket: {Type: String}
Resources:
  Bake:
    Type: AWS::CodeBuild::Project
    Properties:
      Name: !Sub '${AWS::StackName}-bake'
      Source: {Type: CODEPIPELINE, BuildSpec: buildspecs/bake.yml}
      Environment:
        Image: aws/codebuild/standard:7.0
        EnvironmentVariables:
          - {Name: INSTANCE_ID, Value: i-0123456789abcdef0}
          - {Name: WHO, Value: project}
  Role: {Type: 'AWS::IAM::Role', Properties: {}}
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Name: demo
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: '1'}
              Configuration: {S3Bucket: !Ref Bucket, S3ObjectKey: template.zip, PollForSourceChanges: 'false'}
              OutputArtifacts: [{Name: Src}]
              Namespace: SourceVariables
        - Name: AMI
          Actions:
            - Name: AMI
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}
              Configuration:
                ProjectName: !Ref Bake
                EnvironmentVariables: '[{"name":"WHO","value":"action"},{"name":"VERSION","value":"#{SourceVariables.VersionId}"}]'
              InputArtifacts: [{Name: Src}]
              OutputArtifacts: [{Name: Made}]
              Namespace: AMIcreation
        - Name: Deploy
          Actions:
            - Name: Deploy
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              Configuration:
                ActionMode: CREATE_UPDATE
                StackName: app
                TemplatePath: Src::app.yml
                TemplateConfiguration: Src::config.json
                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}","Note":{"Fn::GetParam":["Made","out.json","note"]}}'
                Capabilities: CAPABILITY_IAM
                RoleArn: !GetAtt Role.Arn
              InputArtifacts: [{Name: Src}, {Name: Made}]
              Namespace: App
"##;

pub(crate) const BUILDSPEC: &str = r#"version: 0.2
env:
  exported-variables: [AMI_ID, WHO, VERSION, CODEBUILD_INITIATOR]
phases:
  build:
    commands:
      - AMI_ID="ami-0123456789abcdef0"
      - printf '{"note":"from %s"}' "$INSTANCE_ID" > out.json
      - test "$CODEBUILD_RESOLVED_SOURCE_VERSION" = "$VERSION"
artifacts: {files: [out.json]}
"#;

const APP: &str = "Parameters:
  AMIId: {Type: String}
  Note: {Type: String}
  Size: {Type: String}
Resources:
  Topic: {Type: 'AWS::SNS::Topic', Properties: {TopicName: !Ref Size}}
Outputs:
  Image: {Value: !Ref AMIId}
";

const CONFIG: &str =
    r#"{"Parameters": {"Size": "small", "AMIId": "overridden"}, "Tags": {"Project": "demo"}}"#;

fn source(spec: &str) -> Vec<u8> {
    world::zip(&[
        ("buildspecs/bake.yml", spec),
        ("app.yml", APP),
        ("config.json", CONFIG),
    ])
}

fn program(folder: &Path, definition: &str) -> Program {
    std::fs::write(folder.join("pipeline.yml"), definition).unwrap();
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder)
        .args(["pipeline.yml", "--parameter", "Bucket=source"])
}

fn fake(spec: &str) -> FakeAws {
    let fake = FakeAws::start();
    serve_source(&fake, source(spec));
    fake
}

#[test]
fn a_value_travels_from_the_build_to_the_stack() {
    let fake = fake(BUILDSPEC);
    let stacks = serve_stacks(&fake, None, &["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), PIPELINE)
        .envs(fake.env())
        .env("TMPDIR", temporary.path())
        .run();
    ran.assert_code(0)
        .assert_stderr("CREATE_IN_PROGRESS Group (AWS::AutoScaling::AutoScalingGroup)")
        .assert_stderr("the role Role.Arn is not deployed here");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["SourceVariables"]["VersionId"], "version-7");
    assert_eq!(report["SourceVariables"]["ETag"], "e7");
    let made = &report["AMIcreation"];
    assert_eq!(made["AMI_ID"], "ami-0123456789abcdef0");
    assert_eq!(made["WHO"], "action");
    assert_eq!(made["VERSION"], "version-7");
    assert_eq!(made["CODEBUILD_INITIATOR"], "codepipeline/demo");
    assert_eq!(report["App"]["Image"], "ami-0123456789abcdef0");
    let names: Vec<_> = report.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["codepipeline", "SourceVariables", "AMIcreation", "App"]
    );
    let given = stacks.lock().unwrap().parameters.clone();
    assert_eq!(given["AMIId"], "ami-0123456789abcdef0");
    assert_eq!(given["Note"], "from i-0123456789abcdef0");
    assert_eq!(given["Size"], "small");
    let create = &fake.requests_for("cloudformation:CreateStack")[0];
    assert_eq!(
        create.param("Capabilities.member.1"),
        Some("CAPABILITY_IAM")
    );
    assert_eq!(create.param("Tags.member.1.Key"), Some("Project"));
    assert_eq!(create.param("RoleARN"), None);
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    fake.assert_all_scripted();
}

#[test]
fn a_failed_build_stops_the_pipeline() {
    let fake = fake(&BUILDSPEC.replace("- AMI_ID=", "- 'false' #"));
    let folder = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), PIPELINE).envs(fake.env()).run();
    ran.assert_code(1)
        .assert_stderr("the build AMI/AMI failed")
        .assert_stderr("the item at buildspecs/bake.yml:7 ended with 1");
    assert!(
        !fake
            .operations()
            .iter()
            .any(|one| one.starts_with("cloudformation"))
    );
}

#[test]
fn a_variable_that_the_build_lost_fails_its_consumer_and_says_why() {
    let fake = fake(&BUILDSPEC.replace("0\"\n", "0\"; exit 0\n"));
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), PIPELINE)
        .envs(fake.env())
        .run()
        .assert_code(1)
        .assert_stderr("AMI_ID is not exported: the item at buildspecs/bake.yml:7 ends the shell itself")
        .assert_stderr("one or more variables could not be resolved: Deploy/Deploy")
        .assert_stderr("#{AMIcreation.AMI_ID}: AMIcreation has no variable AMI_ID; it has CODEBUILD_INITIATOR, VERSION, WHO");
}

#[test]
fn chosen_stages_take_the_variables_of_the_others() {
    let fake = fake(BUILDSPEC);
    let stacks = serve_stacks(&fake, None, &["CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let definition = PIPELINE.replace(
        ",\"Note\":{\"Fn::GetParam\":[\"Made\",\"out.json\",\"note\"]}",
        ",\"Note\":\"n\"",
    );
    let program = || {
        program(folder.path(), &definition)
            .envs(fake.env())
            .args(["--only", "Deploy"])
    };
    program()
        .run()
        .assert_code(1)
        .assert_stderr("no such namespace")
        .assert_stderr("--variable NAMESPACE.KEY=VALUE");
    program()
        .args(["--variable", "AMIcreation.AMI_ID=ami-0abc"])
        .run()
        .assert_code(0);
    assert_eq!(stacks.lock().unwrap().parameters["AMIId"], "ami-0abc");
    program()
        .args(["--only", "Depoly"])
        .run()
        .assert_code(2)
        .assert_stderr("no stage Depoly")
        .assert_stderr("did you mean Deploy?");
}

#[test]
fn a_dry_run_calls_nothing() {
    let fake = FakeAws::start();
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), PIPELINE)
        .envs(fake.env())
        .arg("--dry-run")
        .run()
        .assert_code(0)
        .assert_stderr("Deploy/Deploy: CloudFormation")
        .assert_stdout("");
    assert_eq!(fake.operations(), Vec::<String>::new());
}

#[test]
fn the_same_pipeline_over_moto() {
    let Some(moto) = Moto::start() else { return };
    let place = b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assert_eq!(moto.s3("PUT", "/source", place).0, 200);
    let versioned = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(moto.s3("PUT", "/source?versioning", versioned).0, 200);
    assert_eq!(
        moto.s3("PUT", "/source/template.zip", &source(BUILDSPEC)).0,
        200
    );
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), PIPELINE).envs(moto.env());
    let ran = program.run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["App"]["Image"], "ami-0123456789abcdef0");
    program.run().assert_code(0).assert_stderr("the stack app");
}

#[test]
fn files_of_export_vars_are_read_as_they_were_meant() {
    let export_vars = Path::new(env!("CARGO_BIN_EXE_run-pipeline")).with_file_name("export-vars");
    if !export_vars.is_file() {
        harness::missing("export-vars beside run-pipeline");
        return;
    }
    let note = "it's \"quoted\" \\ and\nhas two lines: é {}";
    let spec = format!(
        "version: 0.2
env:
  exported-variables: [AMI_ID, WHO, VERSION, CODEBUILD_INITIATOR]
phases:
  build:
    commands:
      - AMI_ID=ami-0123456789abcdef0
      - |
        note='{}'
        {program} --format get-param --multiline note=\"$note\" > out.json
        {program} --format template-configuration --multiline Size=\"$note\" > config.json
artifacts: {{files: [out.json, config.json]}}
",
        note.replace('\'', r"'\''").replace('\n', "\n        "),
        program = export_vars.display(),
    );
    let fake = fake(&spec);
    let stacks = serve_stacks(&fake, None, &["CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let definition = PIPELINE.replace("Src::config.json", "Made::config.json");
    program(folder.path(), &definition)
        .envs(fake.env())
        .run()
        .assert_code(0);
    let given = stacks.lock().unwrap().parameters.clone();
    assert_eq!(given["Note"], note);
    assert_eq!(given["Size"], note);
}
