//! What would run, the picture of a pipeline, and the record of a run.

use std::path::Path;

use harness::Program;
use serde_json::{Value, json};

use super::foreign::{action, build, connection, definition, program, stage};

/// A pipeline with a build whose variables come from everywhere, and an approval.
fn pipeline() -> Value {
    let what = r##"[{"name":"WHAT","value":"#{AppVariables.CommitId}"},{"name":"KEY","value":"/key","type":"PARAMETER_STORE"}]"##;
    let mut definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Build", vec![build("Show", 1, what)]),
        stage(
            "Release",
            vec![action("Ask", ("Approval", "Manual"), json!({}))]
        ),
    ]));
    definition["pipeline"]["executionMode"] = "QUEUED".into();
    definition["pipeline"]["triggers"] = json!([{"providerType": "CodeStarSourceConnection",
        "gitConfiguration": {"sourceActionName": "App", "push": [{"branches": {"includes": ["main"]}}]}}]);
    definition
}

/// A command over that pipeline.
fn command(folder: &Path, command: &str, definition: &Value) -> Program {
    drop(program(folder, definition, SPEC));
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder)
        .args([command, "pipeline.json"])
}

const SPEC: &str = "version: 0.2
env: {variables: {LEVEL: spec, FROM_FILE: spec}, exported-variables: [OUT]}
phases: {build: {commands: ['echo $WHAT']}}
";

#[test]
fn a_plan_says_where_each_variable_comes_from_and_asks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program = command(folder.path(), "plan", &pipeline());
    std::fs::write(folder.path().join("b.env"), "FROM_FILE=file\n").unwrap();
    let ran = program
        .args(["--source", "app", "--approve", "Ask"])
        .args(["--build-env-file", "b.env"])
        .run();
    let plan = &ran.assert_code(0).stdout;
    for line in [
        "foreign (execution mode QUEUED)",
        "App starts it on push: branches main",
        "Source/App: CodeStarSourceConnection, taken from ",
        "  makes #{AppVariables.AuthorDate}, #{AppVariables.BranchName}, #{AppVariables.CommitId}",
        "  #{AppVariables.CommitId} from Source/App",
        "  KEY=(parameter /key) from EnvironmentVariables of the action",
        "  LEVEL=spec from env of the buildspec",
        "  FROM_FILE=file from --build-env-file",
        "  makes #{ShowVariables.OUT}",
        "Release/Ask: Manual, approved",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
}

#[test]
fn a_plan_that_cannot_run_names_everything_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let program = || command(folder.path(), "plan", &pipeline());
    program()
        .args(["--source", "nowhere"])
        .run()
        .assert_code(2)
        .assert_stderr("\"nowhere\" is not a folder, a file or REPOSITORY@REVISION");
    program()
        .args(["--source", "Ap=app"])
        .run()
        .assert_code(2)
        .assert_stderr("--source: no source Ap (did you mean App?)")
        .assert_stderr("--approve Release/Ask")
        .assert_stdout("");
}

#[test]
fn a_pipeline_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let program = command(folder.path(), "graph", &pipeline());
    let drawn = program.clone().run();
    let mermaid = &drawn.assert_code(0).stdout;
    assert!(mermaid.starts_with("flowchart LR\n"), "{mermaid}");
    assert!(mermaid.contains("a0 -.->|\"CommitId\"| a1"), "{mermaid}");
    let drawn = program.args(["--drawing", "svg"]).run();
    let svg = &drawn.assert_code(0).stdout;
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}

#[test]
fn a_run_is_written_down_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let failing = "version: 0.2
env: {exported-variables: [OUT]}
phases: {build: {commands: ['OUT=\"$KEY\"', 'test \"$WHAT\" != broken']}}
";
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Build",
            vec![
                build(
                    "Good",
                    1,
                    r#"[{"name":"KEY2","value":"/key","type":"PARAMETER_STORE"},{"name":"WHAT","value":"x"}]"#
                ),
                build("Bad", 2, r#"[{"name":"WHAT","value":"broken"}]"#),
            ]
        ),
    ]));
    let failing = failing.replace("$KEY\"", "$KEY2\"");
    let program = program(folder.path(), &definition, &failing);
    std::fs::write(
        folder.path().join("stores.json"),
        r#"{"parameter-store": {"/key": "value-of-key"}}"#,
    )
    .unwrap();
    let program = program.args(["--source", "app", "--store-file", "stores.json"]);
    // What cannot be written at the end is refused at the start.
    program
        .clone()
        .args(["--junit-file", "nodir/run.xml"])
        .run()
        .assert_code(2)
        .assert_stderr("cannot write the JUnit file")
        .assert_stderr("nodir is not a folder");
    program
        .args(["--record-file", "run.jsonl", "--junit-file", "run.xml"])
        .run()
        .assert_code(1);
    let text = std::fs::read_to_string(folder.path().join("run.jsonl")).unwrap();
    assert!(!text.contains("value-of-key"), "{text}");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let statuses: Vec<_> = lines
        .iter()
        .map(|line| (line["event"].as_str().unwrap(), line["status"].as_str()))
        .collect();
    assert_eq!(
        statuses,
        [
            ("begin", None),
            ("action", Some("succeeded")),
            ("stage", Some("succeeded")),
            ("action", Some("succeeded")),
            ("action", Some("failed")),
            ("stage", Some("failed")),
            ("end", Some("failed")),
        ]
    );
    assert_eq!(lines[0]["planned"][1], "Build/Good");
    assert_eq!(lines[3]["variables"]["OUT"], "[secret]");
    assert_eq!(lines[3]["hidden"], serde_json::json!(["OUT"]));
    assert_eq!(lines[4]["error"], "the build Build/Bad failed");
    let junit = std::fs::read_to_string(folder.path().join("run.xml")).unwrap();
    assert!(
        junit.contains("<testsuite name=\"Build\" tests=\"2\" failures=\"1\">"),
        "{junit}"
    );
    assert!(junit.contains("the build Build/Bad failed"), "{junit}");
    assert!(!junit.contains("value-of-key"), "{junit}");
}
