//! What the image may be launched on, and how fast its copies are.

use crate::inside::Cloud;
use harness::Reply;

const AWAY: &str = "us-east-1";

#[tokio::test(start_paused = true)]
async fn the_image_and_its_copies_are_restricted_to_instance_types_before_they_are_shared() {
    let cloud = Cloud::new();
    let settings = [
        ("instance_type", "g5.*, g6.xlarge"),
        ("copy_to", AWAY),
        ("share_with", "111122223333"),
    ];
    let ended = cloud.run().all(settings).end().await;
    ended.assert_code(0);
    let mut images = cloud.world.images();
    images.extend(cloud.world.images_in(AWAY));
    assert_eq!(images.len(), 2);
    for image in images {
        assert_eq!(image.instance_types, ["g5.*", "g6.xlarge"]);
    }
    let calls = cloud.fake.operations();
    let at = |name: &str| calls.iter().position(|call| call == name).unwrap();
    let restricted = at("ec2:ReplaceImageInstanceTypeSpecification");
    assert!(restricted < at("ec2:ModifyImageAttribute"), "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_restricted_is_neither_shared_nor_exported_and_stays() {
    let cloud = Cloud::new();
    let operation = "ec2:ReplaceImageInstanceTypeSpecification";
    cloud.fake.on(operation, [Reply::unauthorized()]);
    let settings = [("instance_type", "g5.*"), ("share_with", "111122223333")];
    let ended = cloud.run().all(settings).end().await;
    ended
        .assert_code(5)
        .assert_said("to instance types")
        .assert_said(&format!("allow {operation}"))
        .assert_said("make-ami wait --image ami-");
    assert!(ended.exports.is_empty());
    assert_eq!(ended.count("ec2:ModifyImageAttribute"), 0);
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn copies_are_asked_for_within_a_time() {
    let cloud = Cloud::new();
    let settings = [("copy_to", AWAY), ("copy_within", "1h")];
    cloud.run().all(settings).end().await.assert_code(0);
    let copies = cloud.world.images_in(AWAY);
    assert_eq!(copies[0].copied_within.as_deref(), Some("60"));
}
