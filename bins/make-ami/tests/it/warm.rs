//! A warm start: snapshots before the image, what they save, and what becomes of them.

mod endings;

use crate::INSTANCE;
use crate::inside::{Cloud, Run};
use harness::Reply;
use harness::ec2::{Course, Instance, Outcome, Snapshot, Volume};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const ROOT: &str = "vol-0123456789abcdef0";
const DATA: &str = "vol-000000000000da7a0";

/// An account whose instance has two volumes.
fn account() -> Cloud {
    let data = Volume::new(DATA, "/dev/sdf", 80);
    Cloud::with([Instance::running(INSTANCE).volume(data)])
}

/// The same settings in the action of the warm start and in that of the image, which are builds of their own.
fn settings(run: Run<'_>) -> Run<'_> {
    run.set("run", "8f2e9c1a-execution").set("app", "web")
}

fn warm(cloud: &Cloud) -> Run<'_> {
    settings(cloud.run().in_build("warm:1").command("warm"))
}

fn image(cloud: &Cloud) -> Run<'_> {
    settings(cloud.run().in_build("ami:1"))
}

/// The snapshots that belong to no image.
fn beside_images(cloud: &Cloud) -> Vec<Snapshot> {
    let images = cloud.world.images();
    let is_held = |one: &Snapshot| {
        images
            .iter()
            .any(|image| image.snapshots().contains(&one.id))
    };
    let all = cloud.world.snapshots().into_iter();
    all.filter(|one| !is_held(one)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_warm_start_saves_is_foretold_measured_and_printed_and_its_snapshots_go() {
    let cloud = account();
    let mut before = Snapshot::completed("snap-0before").of_volume(DATA);
    before.completed = Some("2020-01-01T00:31:00.000Z".to_owned());
    cloud.world.add_snapshot(before);
    cloud.world.snapshots_take(30 * MINUTE);
    cloud.world.outcomes([Course::available(2 * MINUTE)]);
    let ended = warm(&cloud).end().await;
    ended.assert_code(0).assert_said(
        "the volumes' last snapshots took up to 31 min 0 s, and it saves at most that",
    );
    assert!(ended.took < MINUTE && ended.exports.is_empty(), "{ended}");
    let made = cloud.world.snapshots().split_off(1);
    assert_eq!(made.len(), 2, "{ended}");
    for snapshot in &made {
        ended.assert_said(&format!(
            "{} of {} is under way",
            snapshot.id, snapshot.volume
        ));
        for tag in [
            ("make-ami:app", "web"),
            ("make-ami:warm", "1860"),
            ("make-ami:instance", INSTANCE),
        ] {
            let tag = (tag.0.to_owned(), tag.1.to_owned());
            assert!(snapshot.tags.contains(&tag), "{tag:?}");
        }
        cloud.ebs.snapshot(
            &snapshot.id,
            &snapshot.volume,
            snapshot.size,
            [(1, 1), (2, 1)],
        );
    }
    // The deployment.
    tokio::time::sleep(40 * MINUTE).await;
    cloud.ebs.snapshot("snap-0before", DATA, 80, [(1, 1)]);
    for (n, volume) in [(0, ROOT), (1, DATA)] {
        let id = format!("snap-{:015x}{n:02x}", 2);
        cloud
            .ebs
            .snapshot(&id, volume, 80, [(1, 1), (2, 2), (3, 1)]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let run = image(&cloud).set("manifest", path.to_str().unwrap());
    let ended = run.end().await;
    ended
        .assert_code(0)
        .assert_said("warm start: saved about 30 min 0 s: the image's snapshots took 2 min 0 s, and would have taken 32 min 0 s")
        .assert_said("; foretold: 31 min 0 s at most");
    let left = beside_images(&cloud);
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].id, "snap-0before");
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let found = &manifest["warm_start"];
    assert_eq!(found["saved_seconds"], 1_800);
    assert_eq!(found["foretold_seconds_at_most"], 1_860);
    assert_eq!(found["completed_before_the_image"], true);
    // Two blocks of each volume changed since; what is billed is what changed since the snapshot that stays.
    assert_eq!(found["changed_bytes"], 4 * 512 * 1024);
}

#[tokio::test(start_paused = true)]
async fn a_warm_start_that_is_not_completed_saves_its_head_start() {
    let cloud = account();
    cloud.world.snapshots_take(60 * MINUTE);
    cloud.world.outcomes([Course::available(20 * MINUTE)]);
    let ended = warm(&cloud).end().await;
    ended
        .assert_code(0)
        .assert_said("no earlier snapshot of the volumes tells");
    tokio::time::sleep(10 * MINUTE).await;
    let ended = image(&cloud).end().await;
    ended
        .assert_code(0)
        .assert_said("warm start: saved about 10 min")
        .assert_said("not completed when the image's began; nothing was foretold");
    assert!(beside_images(&cloud).is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_run_without_a_warm_start_says_nothing_of_one() {
    let cloud = account();
    let ended = image(&cloud).end().await;
    ended.assert_code(0).refute_said("warm start");
}

#[tokio::test(start_paused = true)]
async fn a_second_try_adopts_and_makes_what_is_missing() {
    let cloud = account();
    warm(&cloud).end().await.assert_code(0);
    let again = warm(&cloud).end().await;
    again
        .assert_code(0)
        .assert_said("which an earlier try of this run made");
    assert!(!again.changed_anything(), "{again}");
    // One of them was deleted by somebody, and the root volume's is there.
    let gone = cloud
        .world
        .snapshots()
        .into_iter()
        .find(|one| one.volume == DATA)
        .unwrap();
    cloud.world.remove_snapshot(&gone.id);
    tokio::time::sleep(MINUTE).await;
    warm(&cloud).end().await.assert_code(0);
    let asked = cloud.fake.requests_for("ec2:CreateSnapshots");
    assert_eq!(asked.len(), 2);
    assert_eq!(
        asked[1].param("InstanceSpecification.ExcludeBootVolume"),
        Some("true")
    );
    let volumes: Vec<String> = cloud
        .world
        .snapshots()
        .into_iter()
        .map(|one| one.volume)
        .collect();
    assert_eq!(volumes, [ROOT, DATA]);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_the_image_leaves_out_gets_no_snapshot() {
    let cloud = account();
    let changes = "/dev/sdf=leave-out";
    let ended = warm(&cloud).set("volume", changes).end().await;
    ended.assert_code(0);
    let asked = &cloud.fake.requests_for("ec2:CreateSnapshots")[0];
    assert_eq!(
        asked.param("InstanceSpecification.ExcludeDataVolumeId.1"),
        Some(DATA)
    );
    assert_eq!(cloud.world.snapshots().len(), 1);
    tokio::time::sleep(MINUTE).await;
    let ended = image(&cloud).set("volume", changes).end().await;
    ended.assert_code(0);
    assert_eq!(cloud.world.snapshots().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn where_the_image_is_there_already_nothing_is_warmed_up() {
    let cloud = account();
    let made = image(&cloud).end().await;
    let ended = warm(&cloud).end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("{} of this run is there already", made.ami()));
    assert!(!ended.changed_anything(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_names_the_volumes_and_asks_whether_it_is_permitted() {
    let cloud = account();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let ended = warm(&cloud).dry_run().plan_file(&path).end().await;
    ended.assert_code(0);
    assert!(cloud.world.snapshots().is_empty());
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(plan["snapshot"], serde_json::json!([ROOT, DATA]));
    assert_eq!(plan["permissions"][0]["answer"], "permitted");
    cloud
        .fake
        .first("ec2:CreateSnapshots", [Reply::unauthorized()]);
    let refused = warm(&cloud).dry_run().end().await;
    refused
        .assert_code(3)
        .assert_said("ec2:CreateSnapshots, with ec2:CreateTags");
    // An endpoint that carries dry runs out.
    cloud.world.carries_dry_runs_out(&["CreateSnapshots"]);
    let ended = warm(&cloud).dry_run().end().await;
    ended
        .assert_code(1)
        .assert_said("this endpoint carries dry runs out: it made snapshots")
        .assert_said("the snapshots are deleted again");
    assert!(cloud.world.snapshots().is_empty());
}

/// The image is good whether it is known what was saved or not.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_measured_does_not_hold_the_image_up() {
    let cloud = account();
    warm(&cloud).end().await.assert_code(0);
    tokio::time::sleep(MINUTE).await;
    let refused = Reply::error(403, "AccessDeniedException", "not authorized");
    cloud.fake.on("ebs:ListChangedBlocks", [refused]);
    let ended = image(&cloud).end().await;
    ended
        .assert_code(0)
        .assert_said("what changed since the warm start is not known: ebs:ListChangedBlocks")
        .assert_said("warm start: saved about");
    assert!(beside_images(&cloud).is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_encrypted_image_has_a_warm_start_too() {
    let cloud = account();
    let key = harness::kms::Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab");
    cloud.kms.add(key.alias("alias/images"));
    cloud
        .world
        .outcomes([Outcome::Available { after_polls: 1 }]);
    warm(&cloud).end().await.assert_code(0);
    tokio::time::sleep(MINUTE).await;
    let run = image(&cloud).all([("encrypt", "yes"), ("kms_key", "alias/images")]);
    let ended = run.end().await;
    ended.assert_code(0).assert_said("warm start: saved about");
    assert!(beside_images(&cloud).is_empty(), "{ended}");
    assert_eq!(cloud.world.images().len(), 1);
}
