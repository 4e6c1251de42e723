//! Deregistration protection.

use crate::inside::Cloud;
use harness::Reply;

#[tokio::test(start_paused = true)]
async fn the_image_and_its_copies_are_protected_last_of_all() {
    for (protect, cooldown) in [("yes", false), ("cooldown", true)] {
        let cloud = Cloud::new();
        let settings = [("protect", protect), ("copy_to", "us-east-1")];
        let ended = cloud.run().all(settings).end().await;
        ended
            .assert_code(0)
            .assert_said("under deregistration protection");
        let mut images = cloud.world.images();
        images.extend(cloud.world.images_in("us-east-1"));
        assert_eq!(images.len(), 2);
        for image in images {
            assert!(image.protected && image.cooldown == cooldown, "{image:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_protected_is_not_exported_and_stays() {
    let cloud = Cloud::new();
    let operation = "ec2:EnableImageDeregistrationProtection";
    cloud.fake.on(operation, [Reply::unauthorized()]);
    let ended = cloud.run().set("protect", "yes").end().await;
    ended
        .assert_code(5)
        .assert_said("cannot protect image ami-")
        .assert_said(&format!("allow {operation}"))
        .assert_said("make-ami wait --image ami-");
    assert!(ended.exports.is_empty());
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clean_refuses_a_protected_image_with_the_command_that_ends_it() {
    let cloud = Cloud::new();
    cloud.run().set("protect", "yes").end().await.assert_code(0);
    let ended = cloud.run().command("clean").end().await;
    ended
        .assert_code(2)
        .assert_said("is under deregistration protection; nothing was touched")
        .assert_said(
            "aws ec2 disable-image-deregistration-protection --region eu-west-1 --image-id ami-",
        );
    assert_eq!(cloud.world.images().len(), 1);
}
