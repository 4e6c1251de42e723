//! Copies in other Regions.

use super::MINUTE;
use crate::inside::{Cloud, Event};
use harness::ec2::Course;
use harness::kms::Key;
use harness::{Fate, Reply};

#[tokio::test(start_paused = true)]
async fn copies_are_made_in_two_regions_and_waited_for() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([
        Course::available(10 * MINUTE),
        Course::available(20 * MINUTE),
    ]);
    let run = cloud.run().set("copy_to", "us-east-1,eu-central-1");
    let ended = run.end().await;
    ended.assert_code(0);
    for region in ["us-east-1", "eu-central-1"] {
        let copy = &cloud.world.images_in(region)[0];
        assert_eq!(copy.state, "available");
        assert_eq!(copy.name, "web-42");
        let source = ("eu-west-1".to_owned(), ended.ami().to_owned());
        assert_eq!(copy.source_image, Some(source));
        ended.assert_said(&format!("copy in {region}: {} (available)", copy.id));
    }
    let token = cloud.fake.requests_for("ec2:CopyImage")[0]
        .param("ClientToken")
        .map(str::to_owned);
    assert!(token.is_some_and(|token| (1..=64).contains(&token.len())));
}

#[tokio::test(start_paused = true)]
async fn copies_that_are_not_waited_for_do_not_hold_up_the_hand_over() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([Course::available(60 * MINUTE)]);
    let ended = cloud
        .run()
        .all([("copy_to", "us-east-1"), ("copy_wait", "no")])
        .end()
        .await;
    ended.assert_code(0).assert_said("(not waited for)");
    assert!(ended.took < MINUTE, "{ended}");
    assert_eq!(cloud.world.images_in("us-east-1")[0].state, "pending");
}

#[tokio::test(start_paused = true)]
async fn a_retry_adopts_the_copy_of_the_first_try() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([Course::available(60 * MINUTE)]);
    let run = || cloud.run().in_build("web:1").set("copy_to", "us-east-1");
    let late = run().timeout(10 * MINUTE).end().await;
    let copy = cloud.world.images_in("us-east-1")[0].id.clone();
    late.assert_code(6)
        .assert_said(&format!("image {copy} in us-east-1"));
    let ended = run().end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("adopting the copy {copy} in us-east-1"));
    assert_eq!(cloud.world.images_in("us-east-1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_copy_image_makes_no_second_copy() {
    let cloud = Cloud::new();
    cloud.fake.lose_reply("ec2:CopyImage");
    let run = cloud.run().set("copy_to", "us-east-1");
    run.end().await.assert_code(0);
    assert_eq!(cloud.world.images_in("us-east-1").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_keeps_the_image_and_the_next_try_copies_again() {
    let cloud = Cloud::new();
    let reason = Course::failed(5 * MINUTE, "Client.InternalError", "the key is disabled");
    cloud
        .world
        .copy_outcomes([reason, Course::available(MINUTE)]);
    let run = || cloud.run().in_build("web:1").set("copy_to", "us-east-1");
    let failed = run().end().await;
    let home = cloud.world.images()[0].id.clone();
    failed
        .assert_code(5)
        .assert_said("in us-east-1 is failed")
        .assert_said("Client.InternalError: the key is disabled")
        .assert_said(&format!("remains: image {home} in eu-west-1"));
    let ended = run().end().await;
    assert_eq!(ended.assert_code(0).ami(), home);
    let copies = cloud.world.images_in("us-east-1");
    assert!(
        copies.iter().any(|copy| copy.state == "available"),
        "{ended}"
    );
    assert_eq!(copies.len(), 1, "what failed is removed\n{ended}");
}

#[tokio::test(start_paused = true)]
async fn sigterm_while_copies_are_made_removes_image_and_copies() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([Course::never(60 * MINUTE)]);
    let run = cloud.run().set("copy_to", "us-east-1,eu-central-1");
    let calls = run.timeout(10 * MINUTE).end().await.calls;
    let copies = calls.iter().filter(|call| *call == "ec2:CopyImage").count();
    assert_eq!(copies, 2);
    let first = calls
        .iter()
        .position(|call| call == "ec2:CopyImage")
        .unwrap();
    for n in first..first + 12 {
        let cloud = Cloud::new();
        cloud.world.copy_outcomes([Course::never(60 * MINUTE)]);
        let run = cloud.run().set("copy_to", "us-east-1,eu-central-1");
        let ended = run.at_call(n, Event::Sigterm).end().await;
        ended.assert_code(143);
        for region in ["eu-west-1", "us-east-1", "eu-central-1"] {
            let left = cloud.world.images_in(region);
            assert!(left.is_empty(), "call {n}, {region}: {left:?}\n{ended}");
            let left = cloud.world.snapshots_in(region);
            assert!(left.is_empty(), "call {n}, {region}: {left:?}\n{ended}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn copies_that_cannot_be_made_are_refused_before_anything_is() {
    let cloud = Cloud::new();
    let ended = cloud
        .run()
        .set("copy_to", "us-east-1,eu-west-1")
        .end()
        .await;
    ended
        .assert_code(2)
        .assert_said("MAKE_AMI_COPY_TO names eu-west-1, where the image is made");
    assert!(!ended.changed_anything(), "{ended}");
    let copy = [("copy_to", "us-east-1"), ("kms_key", "alias/images")];
    let ended = cloud.run().all(copy).end().await;
    ended
        .assert_code(2)
        .assert_said("there is no key alias/images in us-east-1; nothing was touched");
    assert!(!ended.changed_anything(), "{ended}");
    let key = Key::customer("9234abcd-12ab-34cd-56ef-1234567890ab").alias("alias/images");
    cloud.kms.add(key.region("us-east-1").state("Disabled"));
    let ended = cloud.run().all(copy).end().await;
    ended
        .assert_code(2)
        .assert_said("is Disabled, and a copy could not be encrypted");
}

/// Otherwise the copies would stay when the image is removed.
#[tokio::test(start_paused = true)]
async fn the_command_that_removes_an_image_names_the_regions_of_its_copies() {
    let cloud = Cloud::new();
    cloud
        .fake
        .on("ec2:ModifyImageAttribute", [Reply::unauthorized()]);
    let run = cloud.run().in_build("web:1");
    let run = run.set("copy_to", "us-east-1,eu-central-1");
    let ended = run.set("share_with", "111122223333").end().await;
    ended
        .assert_code(5)
        .assert_said("--copy-to us-east-1,eu-central-1");
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_which_nobody_knows_whether_it_was_made_is_listed() {
    let cloud = Cloud::new();
    cloud
        .fake
        .intercept(|request| match request.name().as_str() {
            "ec2:CopyImage" => Fate::Answered(Reply::close()),
            _ => Fate::Served,
        });
    let ended = cloud.run().set("copy_to", "us-east-1").end().await;
    ended
        .assert_code(5)
        .assert_said("perhaps a copy in us-east-1: a reply of CopyImage was lost")
        .assert_said("aws ec2 describe-images --region us-east-1 --owners self");
}
