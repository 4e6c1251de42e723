//! What passes, and what becomes of an image that does not.

use super::{FINDINGS, START, critical, finding, high, low};
use harness::ec2::ImageFinding;
use std::fs;

#[tokio::test(start_paused = true)]
async fn without_the_setting_nothing_is_scanned() {
    let cloud = finding([critical()]);
    let ended = cloud.run().end().await;
    ended.assert_code(0);
    assert!(
        !ended
            .calls
            .iter()
            .any(|call| call.starts_with("inspector2:"))
    );
    assert_eq!(ended.count(FINDINGS), 0);
}

#[tokio::test(start_paused = true)]
async fn an_image_whose_findings_do_not_count_is_handed_over() {
    for findings in [vec![], vec![low(), low()]] {
        let cloud = finding(findings);
        let ended = cloud.run().set("scan", "gate").end().await;
        ended.assert_code(0).assert_said("the scan is passed");
        assert_eq!(ended.count(START), 1);
        assert_eq!(cloud.world.images()[0].id, ended.ami());
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_pass_is_neither_copied_nor_shared_nor_exported_and_is_listed() {
    let cloud = finding([low(), high(), critical()]);
    let settings = [
        ("scan", "gate"),
        ("copy_to", "us-east-1"),
        ("share_with", "111122223333"),
        ("ssm_parameter", "/web/ami"),
    ];
    let ended = cloud.run().all(settings).end().await;
    ended
        .assert_code(5)
        .assert_said("does not pass its scan: 2 of 3 findings count: 1 critical, 1 high")
        .assert_said("critical CVE-2022-3171 - protobuf-java (fix available; /usr/lib/jars/a.jar)")
        .assert_said("high CVE-2024-0001 - openssl (no fix yet)")
        .refute_said("CVE-2020-0001")
        .assert_said("make-ami wait --image ami-")
        .assert_said("make-ami clean --image ")
        .assert_said("MAKE_AMI_SCAN_ACCEPTED");
    assert!(ended.exports.is_empty());
    for operation in [
        "ec2:CopyImage",
        "ec2:ModifyImageAttribute",
        "ssm:PutParameter",
    ] {
        assert_eq!(ended.count(operation), 0, "{operation}");
    }
    assert_eq!(cloud.world.images().len(), 1);
    assert_eq!(cloud.world.images_in("us-east-1").len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_does_not_pass_is_removed_where_that_is_asked() {
    let cloud = finding([critical()]);
    let settings = [("scan", "gate"), ("on_scan_failure", "clean")];
    let ended = cloud.run().all(settings).end().await;
    ended.assert_code(1).assert_said("does not pass its scan");
    assert_eq!(cloud.world.images().len(), 0);
    assert_eq!(cloud.world.snapshots().len(), 0);
}

/// It was available before the run, so that somebody may use it.
#[tokio::test(start_paused = true)]
async fn an_adopted_image_that_does_not_pass_stays_whatever_is_asked() {
    let cloud = finding([critical()]);
    let run = || cloud.run().in_build("web:1");
    run().end().await.assert_code(0);
    let settings = [("scan", "gate"), ("on_scan_failure", "clean")];
    let ended = run().all(settings).end().await;
    ended.assert_code(5).assert_said("does not pass its scan");
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_stops_nothing() {
    let cloud = finding([critical()]);
    let ended = cloud.run().set("scan", "report").end().await;
    ended
        .assert_code(0)
        .assert_said("1 of 1 finding counts: 1 critical")
        .assert_said("CVE-2022-3171");
}

#[tokio::test(start_paused = true)]
async fn severity_and_fix_decide_what_counts() {
    for (severity, counts, code) in [
        ("critical", "all", 0),
        ("high", "all", 5),
        ("high", "fixable", 0),
        ("low", "all", 5),
        ("low", "fixable", 5),
    ] {
        let cloud = finding([high(), low().fixable()]);
        let settings = [
            ("scan", "gate"),
            ("scan_severity", severity),
            ("scan_counts", counts),
        ];
        let ended = cloud.run().all(settings).end().await;
        assert_eq!(ended.code, Some(code), "{severity} {counts}\n{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_findings_of_every_page_are_read() {
    let mut findings: Vec<ImageFinding> = (0..7).map(|_| low()).collect();
    findings.push(critical());
    let cloud = finding(findings);
    cloud.world.page_size(3);
    let ended = cloud.run().set("scan", "gate").end().await;
    ended
        .assert_code(5)
        .assert_said("1 of 8 findings counts: 1 critical");
    assert_eq!(ended.count(FINDINGS), 3);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_finding_does_not_count_until_its_day_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accepted.json");
    let cloud = finding([critical()]);
    let accepted = |until: &str| {
        let text = format!(
            r#"[{{"id": "CVE-2022-3171", "reason": "not reachable", "until": "{until}"}},
                {{"id": "CVE-1999-0001", "reason": "gone", "until": "2999-01-01"}}]"#
        );
        fs::write(&path, text).unwrap();
    };
    let run = || {
        let settings = [("scan", "gate"), ("scan_accepted", path.to_str().unwrap())];
        cloud.run().in_build("web:1").all(settings)
    };
    accepted("2020-01-31");
    let ended = run().end().await;
    ended
        .assert_code(5)
        .assert_said("CVE-2022-3171 is accepted until 2020-01-31, and does not count as accepted")
        .assert_said("CVE-1999-0001 is accepted, and the image has no such finding");
    accepted("2999-01-31");
    let ended = run().end().await;
    ended
        .assert_code(0)
        .assert_said("none of 1 finding counts")
        .refute_said("does not count as accepted");
    // The same image and the same scan: each is billed.
    assert_eq!(cloud.world.images().len(), 1);
    assert_eq!(cloud.inspector.scans().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn verify_weighs_the_findings_that_are_there_and_begins_no_scan() {
    let cloud = finding([critical()]);
    let run = cloud.run().in_build("web:1");
    let ended = run.set("scan", "report").end().await;
    let id = ended.assert_code(0).ami().to_owned();
    let verify = |mode: &str| cloud.run().go_on("verify", &id).set("scan", mode);
    let ended = verify("gate").end().await;
    ended.assert_code(1).assert_said("does not pass its scan");
    assert!(ended.exports.is_empty());
    assert_eq!(ended.count(START), 0);
    let critical_only = verify("gate").set("scan_severity", "critical");
    critical_only.end().await.assert_code(1);
    verify("off").end().await.assert_code(0);
    cloud.world.change_image(&id, |image| image.scans.clear());
    let ended = verify("gate").end().await;
    ended.assert_code(1).assert_said("was never scanned");
}
