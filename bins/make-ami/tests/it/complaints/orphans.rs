//! Orphans.

use super::{HOUR, MINUTE};
use crate::INSTANCE;
use crate::inside::Cloud;
use harness::Fate;
use harness::ec2::{Course, Instance, Volume};

/// A timeout or Ctrl-C left image and snapshot behind, untagged.
#[tokio::test(start_paused = true)]
async fn orphan_after_a_timeout_packer_10248_8149_open_cloud_config_115() {
    let cloud = Cloud::new();
    let before = format!("{:?}", cloud.world.instances());
    cloud.world.outcomes([Course::never(HOUR)]);
    let run = cloud.run().set("on_timeout", "clean").timeout(HOUR);
    run.end().await.assert_code(1);
    assert!(cloud.world.images().is_empty());
    assert!(cloud.world.snapshots().is_empty());
    // Nothing was started for it that could live on, and its instance is as it was.
    assert_eq!(format!("{:?}", cloud.world.instances()), before);
}

/// Snapshots survived the deregistration of their image.
#[tokio::test(start_paused = true)]
async fn snapshots_survive_the_image_packer_3320_8116_compiler_explorer_2220() {
    let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 500);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    // EC2 answers that it did not delete one of them.
    cloud
        .world
        .fail_associated_deletion("snap-00000000000000101", "internal-error");
    cloud.run().end().await.assert_code(1);
    assert!(cloud.world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_deleted_is_listed_teleport_1982() {
    let cloud = Cloud::new();
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    cloud
        .world
        .fail_snapshot_deletion("snap-00000000000000100", "missing-permissions");
    let ended = cloud.run().end().await;
    ended.assert_code(5).assert_said(
        "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-00000000000000100",
    );
}

#[tokio::test(start_paused = true)]
async fn a_protected_image_that_cannot_go_is_listed_with_its_command() {
    let cloud = Cloud::new();
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    let world = cloud.world.clone();
    cloud.fake.intercept(move |request| {
        if request.operation == "DeregisterImage" {
            world.protect_image("ami-00000000000000001");
        }
        Fate::Served
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(5)
        .assert_said("deregistration protection enabled")
        .assert_said(
            "aws ec2 deregister-image --region eu-west-1 --image-id ami-00000000000000001",
        );
}
