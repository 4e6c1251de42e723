//! Warm starts that fail, are stopped or killed, and what becomes of their snapshots.

use super::{DATA, MINUTE, account, beside_images, image, warm};
use crate::inside::{Cloud, Event};
use harness::ec2::{Course, Outcome, Snapshot};
use harness::{Fate, Reply};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn the_snapshots_of_a_lost_reply_are_found_and_not_made_twice() {
    let cloud = account();
    cloud.fake.lose_reply("ec2:CreateSnapshots");
    let ended = warm(&cloud).end().await;
    ended
        .assert_code(0)
        .assert_said("found the snapshots that an earlier try made");
    assert_eq!(cloud.world.snapshots().len(), 2);
    assert_eq!(ended.count("ec2:CreateSnapshots"), 1);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_knows_whether_there_are_snapshots_the_command_that_removes_them_is_listed() {
    let cloud = account();
    cloud
        .fake
        .intercept(|request| match request.name().as_str() {
            "ec2:CreateSnapshots" => Fate::Answered(Reply::close()),
            _ => Fate::Served,
        });
    let ended = warm(&cloud).end().await;
    ended
        .assert_code(5)
        .assert_said("perhaps snapshots of a warm start: a reply of CreateSnapshots was lost")
        .assert_said("make-ami clean --image '8f2e9c1a-execution/");
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_is_named_and_nothing_is_left() {
    let cloud = account();
    cloud
        .fake
        .first("ec2:CreateSnapshots", [Reply::unauthorized()]);
    let ended = warm(&cloud).end().await;
    ended
        .assert_code(3)
        .assert_said("allow ec2:CreateSnapshots and ec2:CreateTags");
    assert!(cloud.world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn limits_that_pass_are_waited_out_and_the_deadline_says_that_nothing_depends_on_it() {
    let limit = || Reply::error(400, "PendingSnapshotLimitExceeded", "too many");
    let cloud = account();
    cloud.fake.first("ec2:CreateSnapshots", vec![limit(); 12]);
    warm(&cloud).end().await.assert_code(0);
    assert_eq!(cloud.world.snapshots().len(), 2);
    let cloud = account();
    cloud.fake.first("ec2:CreateSnapshots", vec![limit(); 500]);
    let ended = warm(&cloud).timeout(10 * MINUTE).end().await;
    ended
        .assert_code(6)
        .assert_said("the last error of CreateSnapshots: PendingSnapshotLimitExceeded")
        .assert_said("the image is made without it");
    assert!(cloud.world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_failed_is_made_again() {
    let cloud = account();
    cloud.world.snapshots_fail(true);
    warm(&cloud).end().await.assert_code(0);
    tokio::time::sleep(MINUTE).await;
    assert!(
        cloud
            .world
            .snapshots()
            .iter()
            .all(|one| one.state == "error")
    );
    cloud.world.snapshots_fail(false);
    let ended = warm(&cloud).end().await;
    ended.assert_code(0).assert_said("left failed");
    let snapshots = cloud.world.snapshots();
    assert_eq!(snapshots.len(), 2);
    assert!(
        snapshots.iter().all(|one| one.state != "error"),
        "{snapshots:?}"
    );
}

/// The image needs them no more, and neither does anybody when there is none.
#[tokio::test(start_paused = true)]
async fn an_image_that_fails_takes_its_warm_start_along() {
    let cloud = account();
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    warm(&cloud).end().await.assert_code(0);
    tokio::time::sleep(MINUTE).await;
    let ended = image(&cloud).end().await;
    ended.assert_code(1);
    assert!(cloud.world.snapshots().is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn clean_lists_and_removes_a_warm_start_whose_image_was_never_made() {
    let cloud = account();
    warm(&cloud).end().await.assert_code(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let clean = || {
        let run = cloud
            .run()
            .set("run", "8f2e9c1a-execution")
            .set("app", "web");
        run.in_build("by-hand:1").command("clean")
    };
    clean()
        .dry_run()
        .plan_file(&path)
        .end()
        .await
        .assert_code(0);
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(plan["delete"].as_array().unwrap().len(), 2, "{plan}");
    assert_eq!(cloud.world.snapshots().len(), 2);
    clean()
        .end()
        .await
        .assert_code(0)
        .assert_said("of the run's warm start");
    assert!(cloud.world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_listed_and_the_image_is_exported() {
    let cloud = account();
    warm(&cloud).end().await.assert_code(0);
    tokio::time::sleep(MINUTE).await;
    for snapshot in cloud.world.snapshots() {
        cloud
            .world
            .fail_snapshot_deletion(&snapshot.id, "missing-permissions");
    }
    let ended = image(&cloud).end().await;
    ended.assert_code(0);
    for snapshot in beside_images(&cloud) {
        let command = format!(
            "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id {}",
            snapshot.id
        );
        ended.assert_said(&command);
    }
}

/// The pipeline stopped before its image; the next execution finishes.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_execution_left_goes_with_the_next_one() {
    let cloud = account();
    let left = |id: &str, app: &str| {
        Snapshot::completed(id)
            .of_volume(DATA)
            .tag("make-ami:warm", "60")
            .tag("make-ami:run", "earlier")
            .tag("make-ami:instance", crate::INSTANCE)
            .tag("make-ami:app", app)
    };
    cloud
        .world
        .add_snapshot(left("snap-0000000000000aaaa", "web"));
    cloud
        .world
        .add_snapshot(left("snap-0000000000000bbbb", "another"));
    warm(&cloud).end().await.assert_code(0);
    tokio::time::sleep(MINUTE).await;
    image(&cloud).end().await.assert_code(0);
    let beside = beside_images(&cloud);
    let ids: Vec<&str> = beside.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["snap-0000000000000bbbb"]);
    // Also where nobody makes warm starts any more, once they are older than any build.
    cloud
        .world
        .add_snapshot(left("snap-0000000000000cccc", "web"));
    let plain = image(&cloud).all([("run", "plain"), ("ami_name", "web-43")]);
    let ended = plain.end().await;
    ended.assert_code(0).refute_said("warm start: saved");
    assert_eq!(beside_images(&cloud).len(), 1, "{ended}");
}

/// The snapshots are looked for once more when the look that measures came to nothing.
#[tokio::test(start_paused = true)]
async fn a_warm_start_that_cannot_be_found_at_first_is_deleted_all_the_same() {
    for failing in [1, 9_999] {
        let cloud = account();
        warm(&cloud).end().await.assert_code(0);
        tokio::time::sleep(MINUTE).await;
        let looks = AtomicU32::new(0);
        cloud.fake.intercept(move |request| {
            let is_look = request.filters().contains_key("tag-key");
            match is_look && looks.fetch_add(1, Ordering::Relaxed) < failing {
                true => Fate::Answered(Reply::unauthorized()),
                false => Fate::Served,
            }
        });
        let ended = image(&cloud).end().await;
        ended
            .assert_code(0)
            .assert_said("what a warm start saved is not known");
        match failing {
            1 => assert!(beside_images(&cloud).is_empty(), "{ended}"),
            _ => {
                ended.assert_said("make-ami clean --image '8f2e9c1a-execution/");
            }
        }
    }
}

/// Stopped or killed at any call of either run: what there is afterwards is in the log, and running both again ends with
/// one image and nothing beside it.
#[tokio::test(start_paused = true)]
async fn stopped_or_killed_at_any_call_nothing_is_lost() {
    let account = || {
        let cloud = account();
        cloud
            .world
            .outcomes([Outcome::Available { after_polls: 0 }]);
        cloud
    };
    let both = async |cloud: &Cloud, what: &str| {
        warm(cloud).end().await.assert_code(0);
        tokio::time::sleep(Duration::from_secs(20)).await;
        image(cloud).end().await.assert_code(0);
        assert_eq!(cloud.world.images().len(), 1, "{what}");
        let left = beside_images(cloud);
        assert!(left.is_empty(), "{what}: {left:?}");
    };
    let cloud = account();
    let of_warm = warm(&cloud).end().await.calls.len();
    tokio::time::sleep(Duration::from_secs(20)).await;
    let of_image = image(&cloud).end().await.calls.len();
    assert!(of_warm > 6 && of_image > 10, "{of_warm} {of_image}");
    for event in [Event::Sigterm, Event::Sigkill] {
        for n in 0..of_warm {
            let what = format!("{event:?} at call {n} of warm");
            let cloud = account();
            let ended = warm(&cloud).at_call(n, event).end().await;
            if event == Event::Sigterm {
                for snapshot in cloud.world.snapshots() {
                    assert!(ended.said.contains(&snapshot.id), "{what}: {ended}");
                }
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
            both(&cloud, &what).await;
        }
        for n in 0..of_image {
            let what = format!("{event:?} at call {n} of the image");
            let cloud = account();
            warm(&cloud).end().await.assert_code(0);
            tokio::time::sleep(Duration::from_secs(20)).await;
            let ended = image(&cloud).at_call(n, event).end().await;
            if event == Event::Sigterm && ended.code != Some(0) {
                let listed = ended.said.contains("make-ami clean --image");
                let left = beside_images(&cloud);
                let named = left.iter().all(|one| ended.said.contains(&one.id));
                let before = cloud.world.images().is_empty() && ended.code == Some(143);
                assert!(
                    left.is_empty() || named || listed || before,
                    "{what}: {ended}"
                );
            }
            tokio::time::sleep(Duration::from_secs(20)).await;
            both(&cloud, &what).await;
        }
    }
}
