//! What is found out before an image is made, and what a dry run says.

use super::{FINDINGS, LIST, START, finding, low};
use harness::Reply;
use harness::ec2::Image;
use std::fs;

fn earlier() -> Image {
    Image::available("ami-0aaaaaaaaaaaaaaaa", "web-41").tag("make-ami:app", "web")
}

#[tokio::test(start_paused = true)]
async fn what_inspector_refuses_for_an_earlier_image_is_refused_before_a_new_one_is_made() {
    let denied = Reply::error(403, "AccessDeniedException", "not authorized");
    for (reply, code, hint) in [
        (denied, 3, "allow inspector2:ListOnDemandScans"),
        (Reply::close(), 4, "no such endpoint"),
    ] {
        let cloud = finding([low()]);
        cloud.world.add_image(earlier());
        cloud.fake.on(LIST, [reply]);
        let run = || cloud.run().set("app", "web");
        let ended = run().set("scan", "gate").end().await;
        ended
            .assert_code(code)
            .assert_said("nothing was touched")
            .assert_said(hint)
            .assert_said("inspector_regions.html");
        assert!(!ended.changed_anything(), "{ended}");
        let ended = run().set("scan", "report").end().await;
        ended.assert_code(0);
    }
}

#[tokio::test(start_paused = true)]
async fn accepted_findings_that_cannot_be_read_are_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("accepted.json");
    let cloud = finding([]);
    for text in [None, Some("[{\"id\": \"CVE-1\"}]")] {
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let settings = [("scan", "gate"), ("scan_accepted", path.to_str().unwrap())];
        let ended = cloud.run().all(settings).end().await;
        ended
            .assert_code(2)
            .assert_said("the accepted findings ")
            .assert_said("cannot be used");
        assert_eq!(ended.calls.len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_scanned_and_begins_nothing() {
    let cloud = finding([low()]);
    cloud.world.add_image(earlier());
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let report = folder.path().join("scan.json");
    let settings = [
        ("scan", "gate"),
        ("app", "web"),
        ("scan_grace", "14d"),
        ("scan_json", report.to_str().unwrap()),
    ];
    let run = cloud.run().all(settings).dry_run().plan_file(&plan);
    let ended = run.end().await;
    ended.assert_code(0);
    assert_eq!(ended.count(START), 0);
    assert!(!report.exists());
    let plan: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&plan).unwrap()).unwrap();
    assert_eq!(plan["scan"]["mode"], "gate");
    assert_eq!(plan["scan"]["severity"], "high");
    assert_eq!(plan["scan"]["grace_seconds"], 14 * 86_400);
    let permissions = plan["permissions"].as_array().unwrap();
    let answer = |action: &str| {
        let found = permissions.iter().find(|one| one["action"] == action);
        found.unwrap()["answer"].as_str().unwrap().to_owned()
    };
    assert_eq!(answer(FINDINGS), "permitted");
    assert_eq!(answer(START), "not asked: the service has no dry run");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_finds_what_inspector_refuses() {
    let cloud = finding([]);
    cloud.world.add_image(earlier());
    let denied = Reply::error(403, "AccessDeniedException", "not authorized");
    cloud.fake.on(LIST, [denied]);
    let settings = [("scan", "gate"), ("app", "web")];
    let ended = cloud.run().all(settings).dry_run().end().await;
    ended
        .assert_code(3)
        .assert_said("what follows the image: cannot ask Amazon Inspector");
}
