//! Copies, encryption and sharing, and what was and was not done.

use super::MINUTE;
use crate::INSTANCE;
use crate::inside::Cloud;
use harness::ec2::{Course, Instance, Volume};
use harness::kms::Key;
use harness::{Fate, Reply};

/// Copies to several regions queued one behind the other.
#[tokio::test(start_paused = true)]
async fn copies_go_on_at_the_same_time_packer_10242() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([Course::available(20 * MINUTE)]);
    let run = cloud
        .run()
        .set("copy_to", "us-east-1,us-west-2,eu-central-1");
    let ended = run.end().await;
    ended.assert_code(0);
    assert!(ended.took < 25 * MINUTE, "{ended}");
}

/// An image whose snapshots AWS's own key encrypts cannot be shared, which was found out last.
#[tokio::test(start_paused = true)]
async fn default_key_cannot_be_shared_packer_7410_8271() {
    let own = Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab");
    let of_aws = Key::aws_ebs("aaaaaaaa-12ab-34cd-56ef-1234567890ab");
    for (key, is_shared) in [(&of_aws, false), (&own, true)] {
        let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 8).encrypted(&key.arn());
        let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
        cloud.world.aws_managed_key(&of_aws.arn());
        cloud.kms.add(own.clone());
        cloud.kms.add(of_aws.clone());
        let run = cloud.run().set("share_with", "111122223333");
        let ended = run.end().await;
        if is_shared {
            ended.assert_code(0);
        } else {
            ended
                .assert_code(2)
                .assert_said("cannot be shared")
                .assert_said("nothing was touched");
            assert!(!ended.changed_anything(), "{ended}");
        }
    }
}

/// Encrypted copies were not tagged, or tagged too early.
#[tokio::test(start_paused = true)]
async fn encrypted_copies_are_tagged_packer_6369_6434() {
    let cloud = Cloud::new();
    let key = Key::customer("9234abcd-12ab-34cd-56ef-1234567890ab").alias("alias/images");
    cloud.kms.add(key.region("us-east-1"));
    let ended = cloud
        .run()
        .all([
            ("copy_to", "us-east-1"),
            ("kms_key", "alias/images"),
            ("tag", "team=web"),
        ])
        .end()
        .await;
    ended.assert_code(0);
    let copy = &cloud.world.images_in("us-east-1")[0];
    let snapshot = &cloud.world.snapshots_in("us-east-1")[0];
    assert_eq!(copy.tags, cloud.image(ended.ami()).tags);
    assert_eq!(copy.tags, snapshot.tags);
    assert!(snapshot.encrypted);
    assert_eq!(snapshot.kms_key.as_deref(), Some("alias/images"));
}

/// One region's error read as if only that region had failed, when nothing had been done anywhere.
#[tokio::test(start_paused = true)]
async fn a_failed_region_says_what_the_others_have_bottlerocket_2688() {
    let cloud = Cloud::new();
    cloud.fake.intercept(|request| {
        let refused =
            request.operation == "CopyImage" && request.region().as_deref() == Some("us-west-2");
        match refused {
            true => Fate::Answered(Reply::error(
                400,
                "SnapshotLimitExceeded",
                "You have reached your limit",
            )),
            false => Fate::Served,
        }
    });
    let run = cloud
        .run()
        .set("copy_to", "us-east-1,us-west-2,eu-central-1");
    let ended = run.end().await;
    let home = &cloud.world.images()[0].id;
    let copy = &cloud.world.images_in("us-east-1")[0].id;
    ended
        .assert_code(5)
        .assert_said(&format!(
            "cannot copy image {home} from eu-west-1 to us-west-2"
        ))
        .assert_said("SnapshotLimitExceeded: You have reached your limit")
        .assert_said(&format!("remains: image {home} in eu-west-1"))
        .assert_said(&format!("remains: image {copy} in us-east-1"));
    assert!(cloud.world.images_in("eu-central-1").is_empty());
}
