//! Boot mode and the place of snapshots: refused by EC2's rules before anything is made.

use crate::INSTANCE;
use crate::inside::Cloud;
use harness::Reply;
use harness::ec2::Instance;

const OUTPOST: &str = "arn:aws:outposts:eu-west-1:123456789012:outpost/op-0123456789abcdef0";

#[tokio::test(start_paused = true)]
async fn an_image_for_uefi_alone_is_made_of_an_instance_that_runs_in_it() {
    let cloud = Cloud::with([Instance::running(INSTANCE).boot_mode("uefi")]);
    let ended = cloud.run().set("boot_mode", "uefi").end().await;
    let image = cloud.image(ended.assert_code(0).ami());
    assert_eq!(image.boot_mode.as_deref(), Some("uefi"));
    let cloud = Cloud::new();
    let ended = cloud.run().set("boot_mode", "uefi").end().await;
    ended
        .assert_code(2)
        .assert_said(&format!("instance {INSTANCE} runs in legacy-bios"))
        .assert_said("leave MAKE_AMI_BOOT_MODE out");
    assert!(!ended.changed_anything(), "{ended}");
    // Without the setting EC2 decides.
    let ended = cloud.run().end().await;
    assert_eq!(cloud.image(ended.assert_code(0).ami()).boot_mode, None);
}

#[tokio::test(start_paused = true)]
async fn snapshots_of_a_local_zone_or_an_outpost_are_stored_where_the_setting_says() {
    let zone = "eu-west-1-dub-1a";
    for instance in [
        Instance::running(INSTANCE).zone(zone),
        Instance::running(INSTANCE).on_outpost(OUTPOST),
    ] {
        for place in ["local", "regional"] {
            let cloud = Cloud::with([instance.clone()]);
            cloud.world.zone_type(zone, "local-zone");
            let ended = cloud.run().set("snapshot_location", place).end().await;
            let image = cloud.image(ended.assert_code(0).ami());
            assert_eq!(image.snapshot_location.as_deref(), Some(place));
        }
    }
    for kind in ["availability-zone", "wavelength-zone"] {
        let cloud = Cloud::with([Instance::running(INSTANCE).zone(zone)]);
        cloud.world.zone_type(zone, kind);
        let ended = cloud.run().set("snapshot_location", "local").end().await;
        ended.assert_code(2).assert_said(&format!(
            "instance {INSTANCE} is in {zone}, of type {kind}: EC2 takes MAKE_AMI_SNAPSHOT_LOCATION only for"
        ));
        assert!(!ended.changed_anything(), "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_on_an_outpost_cannot_be_copied() {
    let cloud = Cloud::with([Instance::running(INSTANCE).on_outpost(OUTPOST)]);
    let run = |place: &str| {
        let run = cloud.run().set("copy_to", "us-east-1");
        run.set("snapshot_location", place).end()
    };
    let ended = run("local").await;
    ended
        .assert_code(2)
        .assert_said("EC2 copies no image from an Outpost to a Region");
    assert!(!ended.changed_anything(), "{ended}");
    run("regional").await.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_may_not_be_looked_at_is_no_local_zone() {
    let cloud = Cloud::new();
    let operation = "ec2:DescribeAvailabilityZones";
    cloud.fake.on(operation, [Reply::unauthorized()]);
    let ended = cloud.run().set("snapshot_location", "local").end().await;
    ended
        .assert_code(3)
        .assert_said(&format!("allow {operation}"));
    assert!(!ended.changed_anything(), "{ended}");
}
