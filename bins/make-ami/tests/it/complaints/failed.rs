//! Pending, then failed.

use super::MINUTE;
use crate::INSTANCE;
use crate::inside::Cloud;
use harness::ec2::{Course, Instance, Snapshot, Volume, iso};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn failed_without_its_reason_packer_5887_terraform_2990() {
    let cloud = Cloud::new();
    let (code, message) = ("Client.VolumeLimitExceeded", "Volume limit exceeded");
    cloud
        .world
        .outcomes([Course::failed(5 * MINUTE, code, message)]);
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("image ami-00000000000000001 in eu-west-1 is failed")
        .assert_said("Client.VolumeLimitExceeded: Volume limit exceeded");
    assert!(cloud.world.images().is_empty());
    assert!(cloud.world.snapshots().is_empty());
}

/// A snapshot seconds before CreateImage made it fail later with nothing but an internal error.
#[tokio::test(start_paused = true)]
async fn snapshot_rate_of_a_volume_is_waited_out_boto3_1698() {
    let cloud = Cloud::new();
    let volume = &cloud.instance().volumes[0].id;
    let started = iso(cloud.world.now());
    let fresh = Snapshot::completed("snap-0fresh").of_volume(volume);
    cloud.world.add_snapshot(fresh.started(&started));
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("had a snapshot less than 15 s ago");
    let created = &cloud.fake.requests_for("ec2:CreateImage")[0];
    assert!(
        created.when >= Duration::from_secs(14),
        "{:?}",
        created.when
    );
}

/// Scheduled backups of the same volume are under way: as many as EC2 makes at a time.
#[tokio::test(start_paused = true)]
async fn concurrent_snapshots_of_aws_backup_repost_backup_image_creation_throttled() {
    for (kind, most) in [("gp3", 5), ("st1", 1)] {
        let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 500).kind(kind);
        let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
        for n in 0..most {
            let pending = Snapshot::pending(&format!("snap-0backup{n}"), 50);
            cloud
                .world
                .add_snapshot(pending.of_volume("vol-000000000000da7a0"));
        }
        let world = cloud.world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(10 * MINUTE).await;
            world.change_snapshot("snap-0backup0", |one| {
                "completed".clone_into(&mut one.state)
            });
        });
        let ended = cloud.run().end().await;
        ended
            .assert_code(0)
            .assert_said(&format!("has {most} snapshots pending"));
        let created = &cloud.fake.requests_for("ec2:CreateImage")[0];
        assert!(created.when >= 10 * MINUTE, "{kind}: {ended}");
    }
}

/// Using an image that is not available yet: nothing of ours does.
#[tokio::test(start_paused = true)]
async fn image_used_while_it_is_pending_packer_12162() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(20 * MINUTE)]);
    let ended = cloud
        .run()
        .all([("share_with", "111122223333"), ("copy_to", "us-east-1")])
        .end()
        .await;
    ended.assert_code(0).refute_said("InvalidAMIID.Unavailable");
}
