//! The command lsp, with a client that others wrote (pygls).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::pipeline::{BUILDSPEC, PIPELINE};

/// What an editor gets for each step, after the server's name; the last one is the server's exit code. `None`, after
/// [`harness::missing()`], without pygls.
fn edit(folder: &Path, steps: &Value) -> Option<Vec<Value>> {
    let python = harness::build_folder().join("venv/bin/python");
    let has = Command::new(&python).args(["-c", "import pygls"]).output();
    if !has.is_ok_and(|ran| ran.status.success()) {
        harness::missing("pygls");
        return None;
    }
    let ran = Command::new(&python)
        .args(["-c", include_str!("lsp/client.py")])
        .arg(env!("CARGO_BIN_EXE_run-pipeline"))
        .arg(folder)
        .arg(steps.to_string())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&ran.stderr);
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{shown}");
    let text = String::from_utf8(ran.stdout).unwrap();
    let mut values: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(values.remove(0), "run-pipeline");
    assert_eq!(values.pop(), Some(json!(0)), "{shown}");
    Some(values)
}

/// The line and the column, both from 0, before which a text ends.
fn after(text: &str, word: &str) -> (usize, usize) {
    let at = text.find(word).unwrap() + word.len();
    let line = text[..at].matches('\n').count();
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    (line, text[start..at].chars().count())
}

#[test]
fn an_editor_is_told_of_what_is_wrong_while_it_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let misspelt = PIPELINE.replace("#{AMIcreation.", "#{AMIcreaton.");
    write("pipeline.yml", &misspelt);
    write("buildspecs/bake.yml", BUILDSPEC);
    let unexported = BUILDSPEC.replace("[AMI_ID, ", "[");
    let (line, column) = after(&misspelt, "#{AMIcreaton.AMI");
    let typing = PIPELINE.replace("#{AMIcreation.AMI_ID}", "#{AMIcreation.");
    let (at_line, at_key) = after(&typing, "#{AMIcreation.");
    let at_namespace = at_key - "AMIcreation.".len();
    let template =
        "Resources:\n  𝒳: {Type: AWS::S3::Bucket}\n  B: {Type: AWS::S3::Bucket, DependsOn: C}\n";
    let alone = "version: 0.2\nphases:\n  build:\n    commands:\n      - eval \"$(make-ami)\"\n";
    let steps = json!([
        // Before anything is open.
        ["wait", "pipeline.yml", ["P201"]],
        ["open", "pipeline.yml", misspelt, ["pipeline.yml", ["P201"]]],
        ["hover", "pipeline.yml", line, column],
        ["hover", "pipeline.yml", 0, 0],
        ["change", "pipeline.yml", PIPELINE, ["pipeline.yml", []]],
        // What is typed in one file shows in the other.
        [
            "open",
            "buildspecs/bake.yml",
            unexported,
            ["pipeline.yml", ["P203"]]
        ],
        [
            "change",
            "buildspecs/bake.yml",
            BUILDSPEC,
            ["pipeline.yml", []]
        ],
        ["change", "pipeline.yml", typing, ["pipeline.yml", ["P204"]]],
        ["complete", "pipeline.yml", at_line, at_namespace],
        ["complete", "pipeline.yml", at_line, at_key],
        ["complete", "pipeline.yml", 0, 0],
        ["open", "app.yml", template, ["app.yml", ["T007", "T201"]]],
        ["open", "other.yml", alone, ["other.yml", ["B201"]]],
        ["open", "notes.yml", "a: yes\n", ["notes.yml", []]],
        [
            "change",
            "other.yml",
            format!("{alone}# pipeline-actions: ignore[B201]\n"),
            ["other.yml", ["B201", "I001"]]
        ],
        [
            "change",
            "other.yml",
            alone
                .replace('\n', " # pipeline-actions: ignore[B201] tried\n")
                .replacen(" # pipeline-actions: ignore[B201] tried", "", 4),
            ["other.yml", []]
        ],
    ]);
    let Some(said) = edit(folder.path(), &steps) else {
        return;
    };
    let found = said[0][0].as_array().unwrap();
    assert_eq!(found[0], "P201");
    assert_eq!((&found[1], &found[4]), (&json!(line), &json!(1)));
    let message = found[5].as_str().unwrap();
    assert!(
        message.ends_with("no such namespace\ndid you mean AMIcreation?"),
        "{message}"
    );
    assert_eq!(said[1], said[0]);
    assert!(
        said[2]
            .as_str()
            .unwrap()
            .starts_with("P201 unknown-namespace (error)"),
        "{}",
        said[2]
    );
    assert_eq!(said[3], Value::Null);
    let names = json!(["AMIcreation", "App", "SourceVariables", "codepipeline"]);
    assert_eq!(said[8], names);
    assert_eq!(
        said[9],
        json!(["AMI_ID", "WHO", "VERSION", "CODEBUILD_INITIATOR"])
    );
    assert_eq!(said[10], json!([]));
    // Columns are counted in UTF-16.
    let id = said[11]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one[0] == "T007")
        .unwrap();
    assert_eq!((&id[1], &id[2], &id[3]), (&json!(1), &json!(2), &json!(4)));
}

/// What mends a finding with `--fix` is offered where the finding stands, also when it changes another file.
#[test]
fn an_editor_is_offered_what_mends_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("pipeline.yml", PIPELINE);
    write("buildspecs/bake.yml", BUILDSPEC);
    let misspelt = PIPELINE.replace("#{AMIcreation.", "#{AMIcreaton.");
    let unexported = BUILDSPEC.replace("[AMI_ID, ", "[");
    let line = |text: &str, word: &str| after(text, word).0;
    let at = line(&misspelt, "#{AMIcreaton.AMI");
    let aliases =
        "Metadata:\n  a: &a {x: '1'}\n  b: *a\nResources:\n  B: {Type: AWS::S3::Bucket}\n";
    let steps = json!([
        ["open", "pipeline.yml", misspelt, ["pipeline.yml", ["P201"]]],
        ["fixes", "pipeline.yml", at, null],
        ["fixes", "pipeline.yml", at, ["refactor"]],
        ["fixes", "pipeline.yml", 0, null],
        ["change", "pipeline.yml", PIPELINE, ["pipeline.yml", []]],
        [
            "open",
            "buildspecs/bake.yml",
            unexported,
            ["pipeline.yml", ["P203"]]
        ],
        ["fixes", "pipeline.yml", at, ["quickfix"]],
        ["open", "app.yml", aliases, ["app.yml", ["Y106"]]],
        ["fixes", "app.yml", 2, null],
    ]);
    let Some(said) = edit(folder.path(), &steps) else {
        return;
    };
    let name = "P201: #{AMIcreation.… in place of #{AMIcreaton.…";
    let fixes = json!([[name, "pipeline.yml", PIPELINE, ["P201"]]]);
    assert_eq!(said[1], fixes);
    assert_eq!((&said[2], &said[3]), (&json!([]), &json!([])));
    let fix = &said[6][0];
    assert_eq!(
        (&fix[0], &fix[1]),
        (
            &json!("P203: AMI_ID is exported"),
            &json!("buildspecs/bake.yml")
        )
    );
    let mended = fix[2].as_str().unwrap();
    assert!(mended.contains("AMI_ID]"), "{mended}");
    let written = aliases.replace("&a ", "").replace("*a", "{x: \"1\"}");
    let name = "Y106: aliases and merge keys are written out";
    assert_eq!(said[8], json!([[name, "app.yml", written, ["Y106"]]]));
}
