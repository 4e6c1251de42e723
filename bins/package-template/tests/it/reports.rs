//! The reports of check, read by others than us.

use std::path::Path;

use harness::schema;
use tempfile::TempDir;

use crate::world::{TEMPLATE, program, write};

/// A template with an error, a warning and a note, under a name that no URI holds as it is.
const BAD: &str = "a dir/größe [1].yml";

fn report(folder: &TempDir, template: &str, format: &str) -> String {
    let ran = program(folder)
        .bare()
        .args(["check", &format!("{template}=app.yml"), "--format", format])
        .run();
    assert!(matches!(ran.code, Some(0 | 1)), "{ran}");
    ran.stdout.clone()
}

fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "app.yml", TEMPLATE);
    let padding = "# padding\n".repeat(6000);
    let bad = "  Bad: {Type: AWS::S3::Bucket, DependsOn: Rol, Metadata: {Public: yes, Ä: \"<&\\\"\\u0001>\"}}\n";
    write(folder.path(), BAD, &format!("{TEMPLATE}{bad}{padding}"));
    write(folder.path(), "broken.yml", "Resources: [\n");
    folder
}

#[test]
fn sarif_is_what_its_schema_says() {
    let folder = project();
    let reports = ["app.yml", BAD, "broken.yml"].map(|name| report(&folder, name, "sarif"));
    let levels = |level: &str| reports[1].contains(&format!("\"level\": \"{level}\""));
    assert!(
        levels("error") && levels("warning") && levels("note"),
        "{}",
        reports[1]
    );
    assert!(
        reports[1].contains("a%20dir/gr%C3%B6%C3%9Fe%20%5B1%5D.yml"),
        "{}",
        reports[1]
    );
    // That the validator would say so, too.
    let spoilt = [
        reports[1].replace("%20dir", " dir"),
        reports[1].replace("\"startLine\"", "\"line\""),
        reports[1].replace("\"level\": \"warning\"", "\"level\": \"warn\""),
    ];
    let documents: Vec<&str> = reports.iter().chain(&spoilt).map(String::as_str).collect();
    let Some(faults) = schema::faults("tests/schemas/sarif-2.1.0.json", &documents) else {
        return;
    };
    for (faults, report) in faults.iter().zip(&reports) {
        assert_eq!(faults, &[] as &[String], "{report}");
    }
    assert!(
        faults[reports.len()..].iter().all(|one| !one.is_empty()),
        "{faults:#?}"
    );
}

#[test]
fn json_is_what_its_schema_says() {
    let folder = project();
    let metadata = "Metadata: {A: yes} # pipeline-actions: ignore[Y101] it's for our own reader\n";
    write(
        folder.path(),
        "ignored.yml",
        &format!("{metadata}{TEMPLATE}"),
    );
    let names = ["app.yml", BAD, "broken.yml", "ignored.yml"];
    let reports = names.map(|name| report(&folder, name, "json"));
    assert!(
        reports[3].contains("\"reason\": \"it's for our own reader\""),
        "{}",
        reports[3]
    );
    // That the validator would say so, too.
    let spoilt = [
        reports[1].replace("\"severity\": \"warning\"", "\"severity\": \"warn\""),
        reports[1].replace("\"line\"", "\"lines\""),
        reports[1].replace("\"schemaVersion\": 1", "\"schemaVersion\": 2"),
        reports[3].replace("\"reason\"", "\"why\""),
    ];
    let documents: Vec<&str> = reports.iter().chain(&spoilt).map(String::as_str).collect();
    let schema = "common/contract/report.schema.json";
    let Some(faults) = schema::faults(schema, &documents) else {
        return;
    };
    for (faults, report) in faults.iter().zip(&reports) {
        assert_eq!(faults, &[] as &[String], "{report}");
    }
    assert!(
        faults[reports.len()..].iter().all(|one| !one.is_empty()),
        "{faults:#?}"
    );
    // Every field is in the schema.
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../common/contract/report.schema.json"
    );
    let schema: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let value: serde_json::Value = serde_json::from_str(&reports[1]).unwrap();
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&value), keys(&schema["properties"]));
    assert_eq!(
        keys(&value["findings"][0]),
        keys(&schema["definitions"]["finding"]["properties"])
    );
}

/// No schema of JUnit's XML is in a registry that the tests reach; this holds it to what CodeBuild's readers need:
/// well-formed, a suite that counts its cases, a name and a class for each.
#[test]
fn junit_is_well_formed_and_counts_its_cases() {
    let folder = project();
    for (name, failures) in [("app.yml", 0), (BAD, 1), ("broken.yml", 1)] {
        let Some(elements) = schema::elements(&report(&folder, name, "junit")) else {
            return;
        };
        let tags: Vec<&str> = elements.iter().map(|(tag, _)| tag.as_str()).collect();
        assert_eq!(tags[..2], ["testsuites", "testsuite"], "{name}");
        let count = |wanted: &str| tags.iter().filter(|tag| **tag == wanted).count();
        assert_eq!(
            (count("testcase"), count("failure")),
            (1, failures),
            "{name}"
        );
        for (tag, attributes) in &elements {
            let has = |key: &str| {
                attributes[key]
                    .as_str()
                    .unwrap_or_else(|| panic!("{tag}: {key}"))
            };
            match tag.as_str() {
                "testsuites" | "testsuite" => {
                    assert_eq!((has("tests"), has("errors")), ("1", "0"));
                    assert_eq!(has("failures"), failures.to_string());
                }
                "testcase" => {
                    assert_eq!(has("classname"), "package-template");
                    assert!(Path::new(has("name")).ends_with(name), "{attributes}");
                }
                "failure" => assert!(!has("message").is_empty() && !has("type").is_empty()),
                other => assert_eq!(other, "system-out"),
            }
        }
    }
}

#[test]
fn fix_writes_aliases_out_in_the_file_itself() {
    let folder = project();
    let metadata = "Metadata:\n  a: &a {x: '1'} # kept\n  b: *a\n";
    write(folder.path(), "alias.yml", &format!("{metadata}{TEMPLATE}"));
    let check = |more: &[&str]| {
        let program = program(&folder).bare();
        program.args(["check", "alias.yml"]).args(more).run()
    };
    check(&[]).assert_code(1);
    check(&["--fix", "--dry-run"])
        .assert_code(1)
        .assert_stderr("-  b: *a\n");
    check(&["--fix"])
        .assert_code(0)
        .assert_stdout("no findings\n");
    let now = std::fs::read_to_string(folder.path().join("alias.yml")).unwrap();
    let wanted = metadata.replace("&a ", "").replace("*a", "{x: \"1\"}");
    assert_eq!(now, format!("{wanted}{TEMPLATE}"));
}
