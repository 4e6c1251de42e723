//! What a run of the built binary exports, prints and writes.

use crate::{account, program};
use harness::{Reply, page};
use std::collections::BTreeSet;
use std::time::Duration;

#[test]
fn page_is_that_of_the_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let table = action::page::settings::<make_ami::Raw>(&make_ami::PROGRAM);
    page::check_block(page, "settings", &table);
    page::check_block(page, "exports", &action::page::exports(&make_ami::PROGRAM));
    page::check_block(
        page,
        "permissions",
        &action::page::permissions(&make_ami::PROGRAM),
    );
}

#[test]
fn makes_an_image_and_exports_it_when_it_is_available() {
    let (fake, world) = account();
    let ran = program(&fake).run();
    let exports = ran.assert_code(0).exports();
    let image = &world.images()[0];
    assert_eq!(exports["AMI_ID"], image.id);
    assert_eq!(exports["AMI_NAME"], "web-42");
    assert_eq!(exports["AMI_SNAPSHOT_IDS"], image.snapshots().join(","));
    let names: Vec<&str> = exports.keys().map(String::as_str).collect();
    let documented: BTreeSet<&str> = make_ami::PROGRAM
        .exports
        .iter()
        .map(|(name, _)| *name)
        .collect();
    assert_eq!(names.into_iter().collect::<BTreeSet<_>>(), documented);

    let create = &fake.requests_for("ec2:CreateImage")[0];
    assert_eq!(create.param("NoReboot"), Some("true"));
    let tags = create.tags_for("image");
    assert!(
        tags.iter().any(|(key, _)| key == "make-ami:run"),
        "{tags:?}"
    );
    assert_eq!(tags, create.tags_for("snapshot"));
    fake.assert_all_scripted();
}

#[test]
fn a_second_run_changes_nothing_and_exports_the_same() {
    let (fake, world) = account();
    let first = program(&fake).run();
    let second = program(&fake).run();
    assert_eq!(
        first.assert_code(0).exports(),
        second.assert_code(0).exports()
    );
    assert_eq!(world.images().len(), 1);
    assert_eq!(fake.requests_for("ec2:CreateImage").len(), 1);
}

#[test]
fn a_second_try_in_a_build_adopts_the_first_image_although_the_clock_went_on() {
    let (fake, world) = account();
    let in_build = || {
        program(&fake)
            .env("CODEBUILD_BUILD_ID", "ami:8f2e9c1a")
            .env("AMI_NAME", "web-{utc}-{build}")
            .run()
    };
    in_build().assert_code(0);
    harness_pause();
    in_build()
        .assert_code(0)
        .assert_stderr("adopting the image");
    assert_eq!(world.images().len(), 1);
}

/// Lets the clock's second change, which is what the test is about.
fn harness_pause() {
    std::thread::sleep(Duration::from_millis(1100));
}

#[test]
fn tags_after_leave_the_snapshots_tagged() {
    let (fake, world) = account();
    program(&fake)
        .args(["--snapshot-tags", "after", "--tag", "app=rag"])
        .run()
        .assert_code(0);
    assert!(
        fake.requests_for("ec2:CreateImage")[0]
            .tags_for("snapshot")
            .is_empty()
    );
    let tags = &world.snapshots()[0].tags;
    assert!(
        tags.iter()
            .any(|(key, value)| key == "app" && value == "rag"),
        "{tags:?}"
    );
}

#[test]
fn without_snapshot_tags_the_image_alone_is_tagged() {
    let (fake, world) = account();
    program(&fake)
        .env("MAKE_AMI_SNAPSHOT_TAGS", "none")
        .run()
        .assert_code(0);
    let tags = &world.images()[0].tags;
    assert!(tags.iter().any(|(key, _)| key == "make-ami:run"));
    assert_eq!(world.snapshots()[0].tags, []);
    assert!(fake.requests_for("ec2:CreateTags").is_empty());
}

#[test]
fn after_a_failed_build_phase_nothing_is_done() {
    let (fake, _) = account();
    let failed = || program(&fake).env("CODEBUILD_BUILD_SUCCEEDING", "0");
    failed()
        .run()
        .assert_code(2)
        .assert_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
    assert!(fake.requests().is_empty());
    failed().arg("--even-if-failed").run().assert_code(0);
}

#[test]
fn a_dry_run_reads_asks_and_plans() {
    let (fake, world) = account();
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let ran = program(&fake)
        .arg("--dry-run")
        .arg("--plan-file")
        .arg(&plan)
        .run();
    ran.assert_code(0)
        .assert_stderr("plan: make image \"web-42\" of i-0123456789abcdef0 (no-reboot)");
    assert_eq!(ran.stdout, "");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(plan).unwrap()).unwrap();
    assert_eq!(plan["name"], "web-42");
    assert!(world.images().is_empty());
}

#[test]
fn json_logs_are_json_to_the_last_line() {
    let (fake, _) = account();
    fake.on("ec2:CreateImage", [Reply::unauthorized()]);
    let ran = program(&fake).args(["--log-format", "json"]).run();
    ran.assert_code(3);
    let lines: Vec<serde_json::Value> = ran
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let last = lines.last().unwrap();
    assert_eq!(last["exit"], 3);
    assert!(
        last["causes"]
            .as_str()
            .unwrap()
            .starts_with("UnauthorizedOperation")
    );
}
