//! The quick start of the page: its commands run here over a pipeline as the account gives it, and the page shows what they say.

use std::path::Path;

use harness::{Program, Ran, page};
use serde_json::{Value, json};

use crate::pipeline::foreign::{action, connection, definition, stage};

const BUILDSPEC: &str = "version: 0.2
env: {exported-variables: [IMAGE_TAG]}
phases:
  build:
    commands:
      - IMAGE_TAG=\"$STAGE-7\"
artifacts: {files: [buildspec.yml]}
";

fn write(folder: &Path) {
    let build = json!({"configuration": {"ProjectName": "shop-build"}, "inputArtifacts": [{"name": "AppOutput"}],
        "outputArtifacts": [{"name": "Built"}], "namespace": "Build"});
    let service = json!({"configuration": {"ClusterName": "shop", "ServiceName": "web"}, "inputArtifacts": [{"name": "Built"}]});
    let stages = json!([
        stage("Source", vec![connection()]),
        stage(
            "Build",
            vec![action("Image", ("Build", "CodeBuild"), build)]
        ),
        stage(
            "Release",
            vec![action("Approve", ("Approval", "Manual"), json!({}))]
        ),
        stage(
            "Deploy",
            vec![action("Service", ("Deploy", "ECS"), service)]
        ),
    ]);
    std::fs::write(folder.join("shop.json"), definition(stages).to_string()).unwrap();
    let projects = json!({"projects": [{"name": "shop-build", "source": {"type": "CODEPIPELINE", "buildspec": ""},
        "environment": {"image": "aws/codebuild/standard:7.0", "environmentVariables": [{"name": "STAGE", "value": "dev", "type": "PLAINTEXT"}]}}]});
    std::fs::write(folder.join("projects.json"), projects.to_string()).unwrap();
    std::fs::write(folder.join("buildspec.yml"), BUILDSPEC).unwrap();
}

/// Runs a command line as the page has it.
fn run(folder: &Path, line: &str) -> Ran {
    let words = line.replace("\\\n", " ");
    let mut words = words.split_whitespace();
    assert_eq!(words.next(), Some("run-pipeline"));
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder)
        .args(words)
        .run()
}

#[test]
fn the_page_leads_to_a_green_run() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let plan = "run-pipeline plan shop.json --project-file projects.json";
    let refused = run(folder.path(), plan);
    let refused = &refused.assert_code(2).stderr;
    let green = "run-pipeline shop.json --project-file projects.json \\\n    --approve Release/Approve --skip Deploy/Service";
    let ran = run(folder.path(), green);
    let mut report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["Build"]["IMAGE_TAG"], "dev-7");
    // What differs from run to run.
    report["codepipeline"]["PipelineExecutionId"] = "0b1c2d3e-4f50-4a6b-8c7d-1234567890ab".into();
    for action in report.as_object_mut().unwrap().values_mut() {
        if action.get("CommitId").is_some() {
            *action = json!({"CommitId": "9fceb02d0ae598e95dc970b74767f19372d61af8", "BranchName": "main"});
        }
    }
    let shown = format!(
        "```console\n$ {plan}\n{}\n$ {green}\n…\n{report:#}\n```",
        refused.trim_end()
    );
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    page::check_block(page, "quick-start", &shown);
}
