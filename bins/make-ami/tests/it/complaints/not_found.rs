//! NotFound just after create, and later.

use super::MINUTE;
use crate::inside::Cloud;
use harness::ec2::Course;
use harness::{Fate, Reply};

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
    let ended = run.set("quiesce_container", "db").end().await;
    let tags = cloud.image(ended.assert_code(0).ami()).tags;
    assert!(
        tags.iter().any(|(key, _)| key == "make-ami:frozen-ms"),
        "{tags:?}"
    );
}

/// Somebody deregisters it. That ends the wait about a minute later, and what is left of it is removed.
#[tokio::test(start_paused = true)]
async fn an_image_that_was_listed_and_disappears_is_deregistered() {
    for tags in ["at-create", "none"] {
        let cloud = Cloud::new();
        cloud.world.outcomes([Course::vanishes(10 * MINUTE)]);
        let ended = cloud.run().set("snapshot_tags", tags).end().await;
        ended
            .assert_code(1)
            .assert_said("image ami-00000000000000001 in eu-west-1 is deregistered")
            .assert_said("it was listed, and EC2 has not known it for 1 min")
            .refute_said("remains:");
        assert!(ended.took < 13 * MINUTE, "{ended}");
        assert!(cloud.world.snapshots().is_empty(), "{tags}: {ended}");
    }
}

/// One that was available before belongs to nobody's failed run: what is left of it is left.
#[tokio::test(start_paused = true)]
async fn nothing_is_removed_of_an_adopted_image_that_is_deregistered_meanwhile() {
    let cloud = Cloud::new();
    let build = || cloud.run().in_build("web:1");
    build().end().await.assert_code(0);
    let image = cloud.world.images()[0].id.clone();
    let looks = std::sync::atomic::AtomicUsize::new(0);
    cloud.fake.intercept(move |request| {
        use std::sync::atomic::Ordering::Relaxed;
        let is_look = request.operation == "DescribeImages" && request.list("ImageId") == [&*image];
        // The first look of the wait finds it.
        match is_look && looks.fetch_add(1, Relaxed) > 0 {
            true => Fate::Answered(unknown(&image)),
            false => Fate::Served,
        }
    });
    let ended = build().end().await;
    ended
        .assert_code(1)
        .assert_said("is deregistered")
        .refute_said("remains:")
        .refute_said("stays");
    assert_eq!(ended.count("ec2:DeleteSnapshot"), 0, "{ended}");
}

fn unknown(image_id: &str) -> Reply {
    let message = format!("The image id '[{image_id}]' does not exist");
    Reply::error(400, "InvalidAMIID.NotFound", message)
}

/// An endpoint that lags behind knows nothing of it for some seconds.
#[tokio::test(start_paused = true)]
async fn an_image_that_flickers_is_waited_for() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    cloud.fake.intercept(|request| {
        let is_look = request.operation == "DescribeImages" && !request.list("ImageId").is_empty();
        // Three looks in five find nothing.
        match is_look && request.turn % 5 > 1 {
            true => Fate::Answered(unknown("ami-00000000000000001")),
            false => Fate::Served,
        }
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("it was listed, and EC2 does not know it now");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_never_listed_has_five_minutes() {
    let cloud = Cloud::new();
    cloud.world.hide_new_images(10_000);
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("image ami-00000000000000001 in eu-west-1 does not exist")
        .refute_said("deregistered");
    assert!((5 * MINUTE..7 * MINUTE).contains(&ended.took), "{ended}");
}

/// Of a copy too, somebody may do so.
#[tokio::test(start_paused = true)]
async fn a_copy_that_was_listed_and_disappears_is_deregistered() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([Course::vanishes(10 * MINUTE)]);
    let ended = cloud.run().set("copy_to", "us-east-1").end().await;
    let copy = "ami-00000000000000002";
    ended
        .assert_code(5)
        .assert_said(&format!("image {copy} in us-east-1 is deregistered"))
        .assert_said("remains: image ami-00000000000000001 in eu-west-1")
        .refute_said(&format!("remains: image {copy}"));
    assert!(cloud.world.snapshots_in("us-east-1").is_empty(), "{ended}");
}
