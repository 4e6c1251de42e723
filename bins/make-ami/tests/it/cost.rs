//! The cost line before and after.

use crate::INSTANCE;
use crate::inside::Cloud;
use harness::Reply;
use harness::ec2::{Instance, Snapshot, Volume};

const GIB: u64 = 1 << 30;
const VOLUME: &str = "vol-000000000000da7a0";

fn account(gib: u32, written: u64) -> Cloud {
    let mut instance = Instance::running(INSTANCE);
    instance.volumes = vec![Volume::new(VOLUME, "/dev/xvda", gib).written(written)];
    Cloud::with([instance])
}

/// The project's own figure: 1,710 GB for two hours at $0.05 per GB-month.
#[tokio::test(start_paused = true)]
async fn an_upper_bound_is_said_before() {
    let cloud = account(1710, 300 * GIB);
    let ended = cloud.run().set("price_for", "2h").end().await;
    ended
        .assert_code(0)
        .assert_said("cost: at most $85.50 a month, $0.23 for 2 hours (1710 GiB of volumes")
        .assert_said("list price of eu-west-1");
    let before = ended.said.find("cost: at most").unwrap();
    let create = ended.said.find("creating an image").unwrap();
    assert!(before < create, "{ended}");
    // What was written is known afterwards.
    ended.assert_said("cost: $15.00 a month, $0.04 for 2 hours (300 GiB written; an upper bound");
}

#[tokio::test(start_paused = true)]
async fn blocks_that_changed_since_the_previous_snapshot_are_what_is_billed() {
    let cloud = account(100, 40 * GIB);
    cloud
        .world
        .add_snapshot(Snapshot::completed("snap-0before").of_volume(VOLUME));
    let before = (0..1000_u64).map(|n| (n, 1));
    cloud.ebs.snapshot("snap-0before", VOLUME, 100, before);
    // 300 blocks of 512 KiB changed, 24 are new.
    let after = (0..1024_u64).map(|n| (n, if n < 300 { 2 } else { 1 }));
    cloud
        .ebs
        .snapshot("snap-00000000000000100", VOLUME, 100, after);
    cloud.ebs.page_size(100);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let run = cloud.run().set("manifest", path.to_str().unwrap());
    let ended = run.end().await;
    ended
        .assert_code(0)
        .assert_said("0.2 GiB changed since the previous snapshots, of 40 GiB in full");
    assert_eq!(ended.count("ebs:ListChangedBlocks"), 4);
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(manifest["cost"]["changed_bytes"], 324 * 512 * 1024);
    assert_eq!(manifest["cost"]["full_bytes"], 40 * GIB);
}

#[tokio::test(start_paused = true)]
async fn without_permission_to_list_blocks_the_line_is_an_upper_bound_and_the_run_goes_on() {
    let cloud = account(100, 40 * GIB);
    cloud
        .world
        .add_snapshot(Snapshot::completed("snap-0before").of_volume(VOLUME));
    let refused = Reply::error(403, "AccessDeniedException", "not authorized");
    cloud.fake.on("ebs:ListChangedBlocks", [refused]);
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("the changed blocks are not known: ebs:ListChangedBlocks: AccessDenied")
        .assert_said("40 GiB written; an upper bound");
}

#[tokio::test(start_paused = true)]
async fn a_price_of_ones_own_beats_the_table() {
    let cloud = account(100, 100 * GIB);
    let ended = cloud.run().set("price", "0.1").end().await;
    ended
        .assert_code(0)
        .assert_said("cost: at most $10.00 a month")
        .assert_said("as MAKE_AMI_PRICE says");
}
