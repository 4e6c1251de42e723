//! The check: by itself, before an upload, against a file and against a deployed pipeline.

use harness::{FakeAws, Reply};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::world::{Bucket, program, project, uploading, write};

const PIPELINE: &str = r##"Resources:
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: '1'}
              Configuration: {S3Bucket: source-bucket, S3ObjectKey: template.zip, PollForSourceChanges: 'false'}
              OutputArtifacts: [{Name: Src}]
        - Name: AMI
          Actions:
            - Name: Bake
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}
              Configuration: {ProjectName: !Ref Project}
              InputArtifacts: [{Name: Src}]
              Namespace: AMIcreation
        - Name: Deploy
          Actions:
            - Name: Deploy
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              Configuration:
                ActionMode: CREATE_UPDATE
                StackName: app
                TemplatePath: Src::app.yml
                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'
                RoleArn: arn:aws:iam::111122223333:role/deploy
              InputArtifacts: [{Name: Src}]
  Project:
    Type: AWS::CodeBuild::Project
    Properties: {Source: {BuildSpec: ami.yml}}
"##;

const SPEC: &str = "version: 0.2
env: {exported-variables: [AMI_ID]}
phases:
  build:
    commands:
      - make-ami --export-file \"$PWD/.exports\"
      - . \"$PWD/.exports\"
";

fn fitting() -> TempDir {
    let folder = project();
    write(folder.path(), "pipeline.yml", PIPELINE);
    write(folder.path(), "ami.yml", SPEC);
    folder
}

fn check(folder: &TempDir, more: &[&str]) -> harness::Ran {
    program(folder)
        .bare()
        .args([
            "check",
            "cfn/app.yml=app.yml",
            "ami.yml",
            "--pipeline",
            "pipeline.yml",
        ])
        .args(more)
        .run()
}

/// The codes of a JSON report.
fn codes(report: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(report).unwrap();
    let findings = value["findings"].as_array().unwrap().iter();
    findings
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_failed_build_is_still_checked_and_uploads_nothing() {
    let (aws, folder) = (FakeAws::start(), fitting());
    let failed = ("CODEBUILD_BUILD_SUCCEEDING", "0");
    let checked = program(&folder)
        .bare()
        .env(failed.0, failed.1)
        .args(["check", "cfn/app.yml"])
        .run();
    checked.assert_code(0);
    let ran = uploading(&folder, &aws).env(failed.0, failed.1).run();
    ran.assert_code(2)
        .assert_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
    assert!(aws.requests().is_empty());
}

#[test]
fn what_fits_is_clean_and_needs_no_aws() {
    check(&fitting(), &[])
        .assert_code(0)
        .assert_stdout("no findings\n");
}

/// The faults that the pipeline itself would show only after minutes, each with its words.
#[test]
fn the_classic_failures_are_found() {
    for (file, old, new, code, said) in [
        (
            "pipeline.yml",
            "Src::app.yml",
            "Src::cfn/app.yml",
            "P306",
            "does not exist in artifact Src",
        ),
        (
            "pipeline.yml",
            "#{AMIcreation.",
            "#{AmiCreation2.",
            "P201",
            "no such namespace",
        ),
        (
            "cfn/app.yml",
            "!Ref AMIId",
            "ami-0123456789abcdef0",
            "T301",
            "ImageId is ami-0123456789abcdef0",
        ),
        (
            "pipeline.yml",
            "template.zip",
            "app.yml",
            "P308",
            "whose name is not that of a zip file",
        ),
    ] {
        let folder = fitting();
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{old}");
        std::fs::write(&path, text.replace(old, new)).unwrap();
        let ran = check(&folder, &["--format", "json"]);
        assert!(
            codes(&ran.assert_code(1).stdout).contains(&code.to_owned()),
            "{code}: {}",
            ran.stdout
        );
        let shown = check(&folder, &[]);
        assert!(shown.stdout.contains(said), "{said}: {}", shown.stdout);
        assert!(
            shown.stdout.contains(&format!("[{code}]")),
            "{}",
            shown.stdout
        );
    }
}

#[test]
fn a_report_goes_to_a_file_in_each_form() {
    let folder = fitting();
    write(
        folder.path(),
        "pipeline.yml",
        &PIPELINE.replace("Src::app", "Src::ap"),
    );
    for (format, part) in [
        ("text", "error[P306]"),
        ("json", "\"code\": \"P306\""),
        ("sarif", "\"version\": \"2.1.0\""),
        ("junit", "<failure type=\"P306\""),
    ] {
        let ran = check(&folder, &["--format", format, "--report-file", "report"]);
        ran.assert_code(1)
            .assert_stdout("")
            .assert_stderr("error[P306]");
        if format == "junit" {
            let parse = "import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])";
            let mut python = std::process::Command::new("python3");
            python.args(["-c", parse]).arg(folder.path().join("report"));
            assert!(python.status().unwrap().success());
        }
        let report = std::fs::read_to_string(folder.path().join("report")).unwrap();
        assert!(report.contains(part), "{format}: {report}");
        assert_eq!(check(&folder, &["--format", format]).stdout, report);
    }
    let ran = check(&folder, &["--report-file", "no/such/report"]);
    ran.assert_code(2)
        .assert_stderr("cannot write the report no/such/report");
    let ran = check(&folder, &["--format", "xml"]);
    ran.assert_code(2).assert_stderr("\"xml\" is not a format");
}

#[test]
fn an_upload_that_does_not_fit_never_meets_aws() {
    let (aws, folder) = (FakeAws::start(), fitting());
    Bucket::in_fake(&aws);
    let run = |key: &str| {
        uploading(&folder, &aws)
            .args(["ami.yml", "--pipeline", "pipeline.yml", "--key", key])
            .run()
    };
    let ran = run("other.zip");
    ran.assert_code(2)
        .assert_stderr("cfn/app.yml and pipeline.yml do not fit; nothing was touched")
        .assert_stderr("Source reads s3://source-bucket/template.zip, and s3://source-bucket/other.zip is written [P307]");
    assert!(aws.requests().is_empty());
    run("template.zip").assert_code(0);
}

#[test]
fn a_warning_stops_nothing() {
    let (aws, folder) = (FakeAws::start(), fitting());
    Bucket::in_fake(&aws);
    write(
        folder.path(),
        "ami.yml",
        &SPEC.replace(
            "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
            "      - eval \"$(make-ami)\"",
        ),
    );
    let ran = uploading(&folder, &aws)
        .args(["ami.yml", "--pipeline", "pipeline.yml"])
        .run();
    ran.assert_code(0)
        .assert_stderr("eval succeeds although `make-ami` in it fails [B201]");
    check(&folder, &[]).assert_code(0);
}

fn live() -> Value {
    let kind = |category: &str, provider: &str| json!({"category": category, "owner": "AWS", "provider": provider, "version": "1"});
    json!({"pipeline": {"name": "demo", "roleArn": "arn:aws:iam::111122223333:role/p", "version": 3, "stages": [
        {"name": "Source", "actions": [{
            "name": "Source", "actionTypeId": kind("Source", "S3"), "runOrder": 1,
            "configuration": {"S3Bucket": "source-bucket", "S3ObjectKey": "template.zip", "PollForSourceChanges": "false"},
            "inputArtifacts": [], "outputArtifacts": [{"name": "Src"}],
        }]},
        {"name": "AMI", "actions": [{
            "name": "Bake", "actionTypeId": kind("Build", "CodeBuild"), "namespace": "AMIcreation",
            "configuration": {"ProjectName": "demo-ami"}, "inputArtifacts": [{"name": "Src"}], "outputArtifacts": [],
        }]},
        {"name": "Deploy", "actions": [{
            "name": "Deploy", "actionTypeId": kind("Deploy", "CloudFormation"), "runOrder": 2,
            "configuration": {"ActionMode": "CREATE_UPDATE", "StackName": "app", "TemplatePath": "Src::app.yml",
                "RoleArn": "arn:aws:iam::111122223333:role/d", "ParameterOverrides": "{\"AMIId\":\"#{AMIcreation.AMI}\"}"},
            "inputArtifacts": [{"name": "Src"}], "outputArtifacts": [],
        }]},
    ]}})
}

#[test]
fn the_deployed_pipeline_is_fetched() {
    let (aws, folder) = (FakeAws::start(), fitting());
    aws.on("codepipeline:GetPipeline", [Reply::json(&live())]);
    let check = |more: &[&str]| {
        program(&folder)
            .envs(aws.env())
            .args([
                "check",
                "cfn/app.yml",
                "ami.yml",
                "--pipeline",
                "live:demo",
                "--format",
                "json",
            ])
            .args(more)
            .run()
    };
    // Nobody says which buildspec the project has, so its variables are not known.
    let ran = check(&[]);
    assert!(
        ran.assert_code(0)
            .stdout
            .contains("the buildspec of project demo-ami: no file is named for it"),
        "{ran}"
    );
    let ran = check(&["--project-buildspec", "demo-ami=ami.yml"]);
    assert_eq!(codes(&ran.assert_code(1).stdout), ["P203"]);
    assert!(
        ran.stdout.contains("\"file\": \"live:demo\""),
        "{}",
        ran.stdout
    );
    let request = &aws.requests_for("codepipeline:GetPipeline")[0];
    assert!(String::from_utf8_lossy(&request.body).contains("\"name\":\"demo\""));
}

#[test]
fn a_pipeline_that_is_not_there_is_a_refusal() {
    let (aws, folder) = (FakeAws::start(), fitting());
    let gone =
        Reply::json(&json!({"__type": "PipelineNotFoundException", "message": "no pipeline demo"}));
    aws.on("codepipeline:GetPipeline", [gone.status(400)]);
    let ran = program(&folder)
        .envs(aws.env())
        .args(["check", "cfn/app.yml", "--pipeline", "live:demo"])
        .run();
    ran.assert_code(2)
        .assert_stderr("cannot read the pipeline demo");
    let ran = check(&folder, &["--pipeline", "missing.yml"]);
    ran.assert_code(2);
}

/// What has no name of its own goes where the pipeline looks for it.
#[test]
fn files_go_to_the_paths_that_the_pipeline_names() {
    let folder = fitting();
    let pipeline = PIPELINE.replace(
        "TemplatePath: Src::app.yml",
        "TemplatePath: Src::stacks/application.yml\n                TemplateConfiguration: Src::config.json",
    );
    write(folder.path(), "pipeline.yml", &pipeline);
    let run = |sources: &[&str]| {
        program(&folder)
            .bare()
            .args(sources)
            .args([
                "ami.yml",
                "--pipeline",
                "pipeline.yml",
                "--output",
                "out.zip",
            ])
            .run()
    };
    run(&["cfn/app.yml", "dev.json"])
        .assert_code(0)
        .assert_stderr(
            "cfn/app.yml is stacks/application.yml in the archive, as TemplatePath names it",
        )
        .assert_stderr("dev.json is config.json in the archive");
    let bytes = std::fs::read(folder.path().join("out.zip")).unwrap();
    let zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let names: Vec<_> = zip
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    assert_eq!(names, ["ami.yml", "config.json", "stacks/application.yml"]);
    // A name that was given is meant.
    run(&["cfn/app.yml=app.yml", "dev.json"])
        .assert_code(2)
        .assert_stderr("TemplatePath stacks/application.yml does not exist in artifact Src [P306]");
}
