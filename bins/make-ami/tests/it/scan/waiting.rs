//! Waiting for a scan, and for EC2 to show what it found.

use super::{FINDINGS, LIST, MINUTE, START, STATUS, critical, finding, low};
use crate::inside::Cloud;
use harness::{Fate, Reply};
use std::time::{Duration, SystemTime};

#[tokio::test(start_paused = true)]
async fn nothing_is_concluded_from_findings_that_are_not_shown_yet() {
    let cloud = finding([critical()]);
    cloud.inspector.shown_after(5 * MINUTE);
    let ended = cloud.run().set("scan", "gate").end().await;
    ended
        .assert_code(5)
        .assert_said("it shows none of the scan yet")
        .assert_said("does not pass its scan");
}

#[tokio::test(start_paused = true)]
async fn findings_that_are_never_shown_are_no_pass() {
    let cloud = finding([]);
    cloud.inspector.shown_after(600 * MINUTE);
    let ended = cloud.run().set("scan", "gate").end().await;
    ended
        .assert_code(5)
        .assert_said("EC2 does not show what the scan")
        .assert_said("make-ami wait --image");
    assert!(ended.exports.is_empty());
    assert_eq!(cloud.world.images().len(), 1);
}

/// Of an image that had a scan before, EC2 shows that one's findings until it shows the new ones.
#[tokio::test(start_paused = true)]
async fn the_findings_of_an_older_scan_are_not_taken_for_those_of_a_new_one() {
    let cloud = finding([]);
    // The account's clock is two days behind: what it scans now is two days old to the next run.
    let behind = SystemTime::now() - Duration::from_secs(2 * 86_400);
    cloud.world.start_of_time(behind);
    let run = || cloud.run().in_build("web:1").set("scan", "gate");
    run().end().await.assert_code(0);
    cloud.inspector.finds([critical()]);
    cloud.inspector.shown_after(2 * MINUTE);
    let ended = run().set("scan_age", "3d").end().await;
    ended.assert_code(0).assert_said("going on with the scan");
    let ended = run().set("scan_age", "1d").end().await;
    ended
        .assert_code(5)
        .assert_said("it shows those of a scan at ")
        .assert_said("1 of 1 finding counts");
    assert_eq!(cloud.inspector.scans().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_resumable_and_the_next_run_goes_on_with_the_same_scan() {
    let cloud = finding([low()]);
    cloud.inspector.takes(90 * MINUTE);
    let run = || cloud.run().in_build("web:1").set("scan", "gate");
    let ended = run().timeout(30 * MINUTE).end().await;
    ended
        .assert_code(6)
        .assert_said("the deadline passed while waiting for Amazon Inspector to scan image ami-")
        .assert_said("last seen: in progress")
        .assert_said("make-ami wait --image ami-");
    let id = cloud.world.images()[0].id.clone();
    let run = cloud.run().go_on("wait", &id).set("scan", "gate");
    let ended = run.end().await;
    ended.assert_code(0).assert_said("is under way");
    assert_eq!(ended.ami(), id);
    assert_eq!(cloud.inspector.scans().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_image_goes_where_that_is_asked() {
    let cloud = finding([]);
    cloud.inspector.takes(90 * MINUTE);
    let settings = [("scan", "gate"), ("on_timeout", "clean")];
    let run = cloud.run().all(settings).timeout(30 * MINUTE);
    run.end().await.assert_code(1);
    assert_eq!(cloud.world.images().len(), 0);
}

/// A scan of a moment ago, which is not listed yet.
#[tokio::test(start_paused = true)]
async fn a_scan_under_way_that_is_not_listed_is_waited_for_and_used() {
    let cloud = finding([low()]);
    cloud.inspector.takes(20 * MINUTE);
    let run = || cloud.run().in_build("web:1").set("scan", "gate");
    run().timeout(5 * MINUTE).end().await.assert_code(6);
    cloud.inspector.hides_scans_under_way();
    let ended = run().end().await;
    ended
        .assert_code(0)
        .assert_said("another scan of it is under way")
        .assert_said("going on with the scan");
    assert_eq!(cloud.inspector.scans().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_begins_no_second_scan() {
    let cloud = finding([low()]);
    cloud.fake.intercept(|request| {
        let is_first = request.name() == START && request.turn == 0;
        if is_first { Fate::Lost } else { Fate::Served }
    });
    let ended = cloud.run().set("scan", "gate").end().await;
    ended.assert_code(0);
    assert_eq!(cloud.inspector.scans().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_inspector_that_throttles_is_waited_out() {
    for operation in [LIST, START, STATUS, FINDINGS] {
        let cloud = Cloud::in_region("eu-central-1");
        cloud.inspector.takes(10 * MINUTE);
        cloud.fake.intercept(move |request| {
            let is_early = request.name() == operation && request.turn < 15;
            match is_early {
                true => Fate::Answered(Reply::throttled()),
                false => Fate::Served,
            }
        });
        let ended = cloud.run().set("scan", "gate").end().await;
        ended.assert_code(0);
        assert_eq!(cloud.inspector.scans().len(), 1, "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_fails_by_inspectors_own_error_is_begun_anew_and_not_for_ever() {
    let cloud = finding([low()]);
    let error = Some("INTERNAL_ERROR");
    cloud.inspector.ends([error, error, None]);
    let ended = cloud.run().set("scan", "gate").end().await;
    ended.assert_code(0);
    assert_eq!(ended.count(START), 3);
    let cloud = finding([low()]);
    cloud.inspector.ends([error]);
    let ended = cloud.run().set("scan", "gate").end().await;
    ended.assert_code(5).assert_said("cause: INTERNAL_ERROR");
    assert_eq!(ended.count(START), 3);
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_scanned_is_treated_as_one_that_does_not_pass() {
    // The guide's words for two of the reasons are others than those of the SDK's model.
    for reason in [
        "UNSUPPORTED_OS",
        "STORAGE_LIMIT_EXCEEDED",
        "AGENTLESS_INSTANCE_STORAGE_LIMIT_EXCEEDED",
        "EXTRACTION_COLLECTION_TIME_LIMIT_EXCEEDED",
        "AGENTLESS_INSTANCE_COLLECTION_TIME_LIMIT_EXCEEDED",
    ] {
        for (on_failure, code, left) in [("keep", 5, 1), ("clean", 1, 0)] {
            let cloud = finding([]);
            cloud.inspector.ends([Some(reason)]);
            let settings = [("scan", "gate"), ("on_scan_failure", on_failure)];
            let ended = cloud.run().all(settings).end().await;
            ended
                .assert_code(code)
                .assert_said(&format!("cause: {reason}"))
                .assert_said("MAKE_AMI_SCAN=off");
            assert_eq!(cloud.world.images().len(), left, "{reason}");
        }
        let cloud = finding([]);
        cloud.inspector.ends([Some(reason)]);
        let ended = cloud.run().set("scan", "report").end().await;
        ended
            .assert_code(0)
            .assert_said("there is no report of what is in the image")
            .assert_said(reason);
    }
}

/// Which is no fault of the image: it stays also where one that does not pass would go.
#[tokio::test(start_paused = true)]
async fn a_key_that_inspector_may_not_use_is_explained_and_the_image_stays() {
    let cloud = finding([]);
    cloud.inspector.ends([Some("ACCESS_DENIED")]);
    let settings = [("scan", "gate"), ("on_scan_failure", "clean")];
    let ended = cloud.run().all(settings).end().await;
    ended
        .assert_code(5)
        .assert_said("cause: ACCESS_DENIED")
        .assert_said("the key of an encrypted snapshot must let");
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_permitted_is_explained_and_the_image_stays() {
    for (operation, action) in [
        (LIST, LIST),
        (START, START),
        (STATUS, STATUS),
        (FINDINGS, FINDINGS),
    ] {
        let cloud = finding([]);
        let denied = match operation.starts_with("ec2:") {
            true => Reply::unauthorized(),
            false => Reply::error(403, "AccessDeniedException", "not authorized"),
        };
        cloud.fake.on(operation, [denied]);
        let ended = cloud.run().set("scan", "gate").end().await;
        ended
            .assert_code(5)
            .assert_said(&format!("allow {action}"))
            .assert_said("make-ami wait --image ami-");
        assert!(ended.exports.is_empty());
        assert_eq!(cloud.world.images().len(), 1);
        let ended = cloud.run().set("scan", "report").set("ami_name", "web-43");
        ended.end().await.assert_code(0);
    }
}

/// Inspector runs a scan for at most as long as the image is there.
#[tokio::test(start_paused = true)]
async fn an_image_that_goes_while_it_is_scanned_ends_the_wait() {
    let cloud = finding([]);
    cloud.inspector.takes(60 * MINUTE);
    let world = cloud.world.clone();
    cloud.fake.intercept(move |request| {
        if request.name() == STATUS && request.turn == 3 {
            let id = world.images()[0].id.clone();
            world.lose_image(&id);
        }
        Fate::Served
    });
    let ended = cloud.run().set("scan", "gate").end().await;
    ended.assert_code(5).assert_said("RESOURCE_TERMINATED");
    assert!(ended.took < Duration::from_secs(3600));
}
