//! The findings as files.

use super::{critical, finding, high, low};
use crate::inside::{Cloud, Run};
use harness::ec2::ImageFinding;
use harness::schema;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A run that writes all reports into a folder.
fn run<'a>(cloud: &'a Cloud, folder: &Path) -> Run<'a> {
    let accepted = r#"[{"id": "CVE-2024-0001", "reason": "not reachable", "until": "2999-01-31"}]"#;
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    fs::write(path("accepted.json"), accepted).unwrap();
    cloud
        .run()
        .set("scan", "gate")
        .set("scan_accepted", path("accepted.json"))
        .set("scan_json", path("scan.json"))
        .set("scan_sarif", path("scan.sarif"))
        .set("scan_junit", path("scan.xml"))
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn all_findings_are_written_with_what_is_thought_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = finding([low(), high(), critical()]);
    let ended = run(&cloud, folder.path()).end().await;
    ended.assert_code(5);
    let report = json(folder.path(), "scan.json");
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["imageId"], cloud.world.images()[0].id);
    assert_eq!(report["passed"], false);
    assert_eq!(report["rule"]["severity"], "high");
    assert_eq!(report["scan"]["id"], cloud.inspector.scans()[0].id);
    let of = |n: usize, field: &str| report["findings"][n][field].clone();
    assert_eq!(of(0, "id"), "CVE-2022-3171");
    assert_eq!(of(0, "verdict"), "counts");
    assert_eq!(of(0, "fixAvailable"), true);
    assert_eq!(of(0, "score"), 9.8);
    assert_eq!(of(0, "paths")[0], "/usr/lib/jars/a.jar");
    assert_eq!(of(1, "verdict"), "accepted");
    assert_eq!(of(1, "until"), "2999-01-31");
    assert_eq!(of(2, "verdict"), "slight");

    let sarif = json(folder.path(), "scan.sarif");
    let results = sarif["runs"][0]["results"].as_array().unwrap();
    let levels = results.iter().map(|one| one["level"].as_str().unwrap());
    assert_eq!(levels.collect::<Vec<_>>(), ["error", "warning", "note"]);
    assert_eq!(results[1]["suppressions"][0]["status"], "accepted");
    let rules = &sarif["runs"][0]["tool"]["driver"]["rules"];
    assert_eq!(rules[0]["properties"]["security-severity"], "9.8");
}

/// Names that neither XML nor a URI takes as they are.
fn odd() -> ImageFinding {
    let odd = ImageFinding::new("CVE-2023-0001 - <a> & \"b\"", "medium");
    odd.path("/opt/ä b/%41#?.jar")
}

#[tokio::test(start_paused = true)]
async fn sarif_is_what_its_schema_says() {
    let mut documents = Vec::new();
    for findings in [vec![], vec![low(), high(), critical(), critical(), odd()]] {
        let folder = tempfile::tempdir().unwrap();
        let cloud = finding(findings);
        run(&cloud, folder.path()).end().await;
        documents.push(fs::read_to_string(folder.path().join("scan.sarif")).unwrap());
    }
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let Some(faults) = schema::faults("tests/schemas/sarif-2.1.0.json", &documents) else {
        return;
    };
    assert_eq!(faults, vec![Vec::<String>::new(); documents.len()]);
}

#[tokio::test(start_paused = true)]
async fn junit_has_a_case_for_each_finding_which_fails_when_it_counts() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = finding([low(), high(), critical(), odd()]);
    run(&cloud, folder.path()).end().await.assert_code(5);
    let text = fs::read_to_string(folder.path().join("scan.xml")).unwrap();
    let Some(elements) = schema::elements(&text) else {
        return;
    };
    let suite = elements.iter().find(|(name, _)| name == "testsuite");
    let (_, counts) = suite.unwrap();
    assert_eq!(counts["tests"], "5");
    assert_eq!(counts["failures"], "1");
    assert_eq!(counts["skipped"], "1");
    let number = |name: &str| elements.iter().filter(|(found, _)| found == name).count();
    assert_eq!(number("testcase"), 5);
    assert_eq!(number("failure"), 1);
    assert_eq!(number("skipped"), 1);
}

/// A report that a reader takes for this run's.
#[tokio::test(start_paused = true)]
async fn reports_of_an_earlier_run_are_gone_where_this_one_writes_none() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = finding([]);
    for name in ["scan.json", "scan.sarif", "scan.xml"] {
        fs::write(folder.path().join(name), "old").unwrap();
    }
    cloud.inspector.ends([Some("UNSUPPORTED_OS")]);
    run(&cloud, folder.path()).end().await.assert_code(5);
    for name in ["scan.json", "scan.sarif", "scan.xml"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_manifest_and_the_summary_tell_of_the_scan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ami.json");
    let cloud = finding([low()]);
    let run = cloud.run().set("scan", "gate");
    let ended = run.set("manifest", path.to_str().unwrap()).end().await;
    ended
        .assert_code(0)
        .assert_said("\n  scan: none of 1 finding counts");
    let manifest = json(folder.path(), "ami.json");
    assert_eq!(manifest["scan"]["passed"], true);
    assert_eq!(manifest["scan"]["findings"], 1);
    assert_eq!(manifest["scan"]["id"], cloud.inspector.scans()[0].id);
}
