//! Sharing with accounts, organisations and their units.

use super::MINUTE;
use crate::INSTANCE;
use crate::inside::{Cloud, Event};
use harness::Reply;
use harness::ec2::{Course, Instance, Volume};
use harness::kms::Key;

const ORGANIZATION: &str = "arn:aws:organizations::123456789012:organization/o-exampleorgid";
const UNIT: &str = "arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-abcd-12345678";

#[tokio::test(start_paused = true)]
async fn snapshots_are_shared_before_the_image_and_organizations_through_the_image_alone() {
    let data = Volume::new("vol-000000000000da7a0", "/dev/sdf", 80);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(data)]);
    let with = format!("111122223333,{ORGANIZATION},{UNIT}");
    let ended = cloud.run().set("share_with", with).end().await;
    ended.assert_code(0);
    let order: Vec<&String> = ended
        .calls
        .iter()
        .filter(|call| call.contains(":Modify"))
        .collect();
    assert_eq!(
        order,
        [
            "ec2:ModifySnapshotAttribute",
            "ec2:ModifySnapshotAttribute",
            "ec2:ModifyImageAttribute"
        ]
    );
    let image = cloud.image(ended.ami());
    assert_eq!(image.shared_with, ["111122223333", ORGANIZATION, UNIT]);
    for id in image.snapshots() {
        assert_eq!(cloud.snapshot(&id).shared_with, ["111122223333"]);
    }
}

/// EC2 throttles, the SDK asks again for most of a minute, and the build is stopped meanwhile.
#[tokio::test(start_paused = true)]
async fn sigterm_is_answered_while_sharing_is_throttled() {
    let shares = "ec2:ModifySnapshotAttribute";
    let cloud = Cloud::new();
    let whole = cloud.run().set("share_with", "111122223333").end().await;
    let at = whole.calls.iter().position(|call| call == shares).unwrap();
    let cloud = Cloud::new();
    cloud.fake.on(shares, [Reply::throttled()]);
    let run = cloud.run().set("share_with", "111122223333");
    let ended = run.at_call(at, Event::Sigterm).end().await;
    ended
        .assert_code(143)
        .assert_said("stopped before the image was published");
    assert_eq!(ended.count(shares), 1, "{ended}");
    assert!(cloud.world.images().is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn copies_are_shared_too() {
    let cloud = Cloud::new();
    let ended = cloud
        .run()
        .all([("copy_to", "us-east-1"), ("share_with", "111122223333")])
        .end()
        .await;
    ended.assert_code(0);
    let copy = &cloud.world.images_in("us-east-1")[0];
    assert_eq!(copy.shared_with, ["111122223333"]);
    let snapshot = &cloud.world.snapshots_in("us-east-1")[0];
    assert_eq!(snapshot.shared_with, ["111122223333"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_the_regions_default_key_cannot_be_shared_and_is_refused_first() {
    let key = Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab");
    let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 8).encrypted(&key.arn());
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
    cloud.kms.add(key);
    let share = [("copy_to", "us-east-1"), ("share_with", "111122223333")];
    let ended = cloud.run().all(share).end().await;
    ended
        .assert_code(2)
        .assert_said("the copy in us-east-1 would be encrypted with that Region's default key")
        .assert_said("MAKE_AMI_KMS_KEY");
    assert!(!ended.changed_anything(), "{ended}");
    let away = Key::customer("9234abcd-12ab-34cd-56ef-1234567890ab").alias("alias/images");
    cloud.kms.add(away.region("us-east-1"));
    let ended = cloud.run().all(share).set("kms_key", "alias/images");
    ended.end().await.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_to_share_keeps_the_image_and_says_what_to_allow() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    cloud
        .fake
        .first("ec2:ModifyImageAttribute", [Reply::unauthorized()]);
    let run = || {
        let run = cloud.run().in_build("web:1");
        run.set("share_with", "111122223333")
    };
    let refused = run().end().await;
    refused
        .assert_code(5)
        .assert_said("hint: allow ec2:ModifyImageAttribute for the role")
        .assert_said("make-ami wait --image ami-00000000000000001");
    let ended = run().end().await;
    assert_eq!(ended.assert_code(0).ami(), "ami-00000000000000001");
    assert!(ended.took < MINUTE, "{ended}");
}
