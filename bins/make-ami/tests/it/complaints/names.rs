//! Names.

use super::MINUTE;
use crate::inside::{Cloud, Event};
use harness::ec2::Image;
use harness::{Fate, Reply};

/// One build in three failed with a per-second name: the signature of a retried create.
#[tokio::test(start_paused = true)]
async fn duplicate_name_after_a_retried_create_packer_11165() {
    for lost in [
        Fate::Lost,
        Fate::Late(10 * MINUTE),
        Fate::Answered(Reply::error(
            500,
            "InternalError",
            "An internal error has occurred",
        )),
    ] {
        let cloud = Cloud::new();
        let fate = lost.clone();
        cloud.fake.intercept(
            move |request| match (request.operation.as_str(), request.turn) {
                ("CreateImage", 0) => fate.clone(),
                _ => Fate::Served,
            },
        );
        let ended = cloud.run().end().await;
        assert_eq!(ended.code, Some(0), "{lost:?}: {ended}");
        assert_eq!(cloud.world.images().len(), 1, "{lost:?}: {ended}");
        assert_eq!(ended.ami(), cloud.world.images()[0].id);
    }
}

/// The same, when EC2 lists the first image only a good while later.
#[tokio::test(start_paused = true)]
async fn duplicate_name_of_an_image_that_is_not_listed_yet_packer_11165() {
    let cloud = Cloud::new();
    cloud.world.hide_new_images(6);
    cloud.fake.lose_reply("ec2:CreateImage");
    let ended = cloud.run().end().await;
    ended.assert_code(0);
    assert_eq!(cloud.world.images().len(), 1);
}

/// A killed build is retried within the second: its image is not listed yet, but holds the name.
#[tokio::test(start_paused = true)]
async fn duplicate_name_in_the_retry_of_a_killed_build_open_cloud_config_77() {
    let cloud = Cloud::new();
    cloud.world.hide_new_images(5);
    let run = cloud.run().in_build("web:1");
    let killed = run.at_first("ec2:CreateImage", Event::Sigkill).end().await;
    assert_eq!(killed.code, None, "{killed}");
    assert_eq!(cloud.world.images().len(), 1);
    let ended = cloud.run().in_build("web:1").end().await;
    ended.assert_code(0);
    assert_eq!(cloud.world.images().len(), 1);
}

/// NotFound on tagging, the Lambda is retried, the name is taken, and the image is kept for ever
/// because its tag was never written: here the tags come with the image.
#[tokio::test(start_paused = true)]
async fn tags_that_are_written_later_are_lost_terraform_aws_ec2_ami_backup_16() {
    let cloud = Cloud::new();
    cloud.world.hide_new_images(10);
    let ended = cloud.run().set("tag", "DeleteOn=2030-01-01").end().await;
    ended.assert_code(0);
    assert_eq!(ended.count("ec2:CreateTags"), 0);
    let create = &cloud.fake.requests_for("ec2:CreateImage")[0];
    for kind in ["image", "snapshot"] {
        let tags = create.tags_for(kind);
        assert!(tags.iter().any(|(key, _)| key == "DeleteOn"), "{tags:?}");
    }
}

/// A weekly job failed because the name was taken: said before anything is made, with the holder.
#[tokio::test(start_paused = true)]
async fn name_taken_by_an_older_image_wazuh_virtual_machines_654() {
    let cloud = Cloud::new();
    let older = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-42").state("disabled");
    cloud.world.add_image(older);
    let ended = cloud.run().end().await;
    ended
        .assert_code(2)
        .assert_said("taken in eu-west-1 by ami-0aaaaaaaaaaaaaaaa (disabled)")
        .assert_said("nothing was touched");
    assert!(!ended.changed_anything(), "{ended}");
}

/// The name is taken between the look and the create.
#[tokio::test(start_paused = true)]
async fn name_taken_in_the_same_second_is_lost_and_says_to_whom() {
    let cloud = Cloud::new();
    let world = cloud.world.clone();
    cloud.fake.intercept(move |request| {
        if request.operation == "CreateImage" && request.turn == 0 {
            world.add_image(Image::available("ami-0bbbbbbbbbbbbbbbb", "web-42"));
        }
        Fate::Served
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(7)
        .assert_said("taken by ami-0bbbbbbbbbbbbbbbb (available)");
    assert_eq!(cloud.world.images().len(), 1);
}
