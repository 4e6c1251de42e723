//! NotFound just after create, and later.

use super::MINUTE;
use crate::inside::Cloud;
use harness::ec2::Course;

/// About one new image in ten is unknown to DescribeImages at first.
#[tokio::test(start_paused = true)]
async fn not_found_ten_times_after_create_ansible_4368_amazon_aws_1321() {
    let cloud = Cloud::new();
    cloud.world.hide_new_images(10);
    let ended = cloud.run().end().await;
    ended.assert_code(0).assert_said("not listed yet");
}

/// The retries on NotFound were there, but ignored what they were given.
#[tokio::test(start_paused = true)]
async fn not_found_ten_times_with_tags_after_packer_plugin_amazon_662_mantle_1091() {
    let cloud = Cloud::new();
    cloud.world.hide_new_images(10);
    cloud.world.not_taggable_at_first(10);
    let run = cloud.run().set("snapshot_tags", "after");
    let ended = run.end().await;
    let image = cloud.image(ended.assert_code(0).ami());
    let tags = cloud.snapshot(&image.snapshots()[0]).tags;
    assert!(
        tags.iter().any(|(key, _)| key == "make-ami:run"),
        "{tags:?}"
    );
}

/// The proof of a quiesced image is a tag, given while the image may not be known yet.
#[tokio::test(start_paused = true)]
async fn not_found_while_a_fresh_image_is_tagged_packer_plugin_amazon_662() {
    let cloud = Cloud::new();
    cloud.world.not_taggable_at_first(10);
    let run = cloud.run().set("consistency", "quiesce");
    let ended = run.set("quiesce_containers", "db").end().await;
    let tags = cloud.image(ended.assert_code(0).ami()).tags;
    assert!(
        tags.iter().any(|(key, _)| key == "make-ami:frozen-ms"),
        "{tags:?}"
    );
}

/// An image that disappears is not waited for until the deadline. Whether it is gone for good nobody
/// can say, so it is listed.
#[tokio::test(start_paused = true)]
async fn an_image_that_disappears_ends_after_minutes() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::vanishes(MINUTE)]);
    let ended = cloud.run().end().await;
    ended
        .assert_code(5)
        .assert_said("image ami-00000000000000001 in eu-west-1 does not exist")
        .assert_said("remains: image ami-00000000000000001 in eu-west-1");
    assert!(ended.took < 7 * MINUTE, "{ended}");
    assert!(cloud.world.snapshots().is_empty());
}
