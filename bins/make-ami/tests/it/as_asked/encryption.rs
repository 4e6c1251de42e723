//! An image that is encrypted with a key of one's own: a copy within the Region, and the first image goes.

use super::{AWAY, plan};
use crate::INSTANCE;
use crate::inside::{Cloud, Ended, Event, Run};
use harness::ec2::{Course, Image, Instance, Outcome, Volume};
use harness::kms::Key;
use harness::{Fate, Reply};
use std::time::Duration;

const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const SETTINGS: [(&str, &str); 3] = [
    ("encrypt", "yes"),
    ("kms_key", "alias/images"),
    ("app", "web"),
];

fn key() -> Key {
    Key::customer(KEY).alias("alias/images")
}

fn account() -> Cloud {
    let cloud = Cloud::new();
    cloud.kms.add(key());
    cloud.kms.add(key().region(AWAY));
    cloud
}

fn run(cloud: &Cloud) -> Run<'_> {
    cloud.run().in_build("web:1").all(SETTINGS)
}

/// The one image that is there is the encrypted one.
#[track_caller]
fn is_encrypted(cloud: &Cloud, ended: &Ended) -> Image {
    let images = cloud.world.images();
    assert_eq!(images.len(), 1, "{ended}");
    assert_eq!(images[0].id, ended.ami(), "{ended}");
    assert_eq!(images[0].name, "web-42", "{ended}");
    let snapshots = cloud.world.snapshots();
    assert_eq!(snapshots.len(), images[0].snapshots().len(), "{ended}");
    assert!(snapshots.iter().all(|one| one.encrypted), "{ended}");
    images[0].clone()
}

#[tokio::test(start_paused = true)]
async fn the_image_is_an_encrypted_copy_and_the_first_one_is_removed() {
    let cloud = account();
    let ended = run(&cloud)
        .all([("copy_to", AWAY), ("share_with", "111122223333")])
        .end()
        .await;
    ended
        .assert_code(0)
        .assert_said("its encrypted copy is available");
    let image = is_encrypted(&cloud, &ended);
    assert!(image.source_image.is_some());
    assert!(image.tags.iter().all(|(key, _)| key != "make-ami:first-of"));
    assert_eq!(image.shared_with, ["111122223333"]);
    let asked = cloud.fake.requests_for("ec2:CopyImage");
    assert_eq!(asked[0].param("KmsKeyId"), Some("alias/images"));
    assert_eq!(asked[0].param("Encrypted"), Some("true"));
    // What goes elsewhere is a copy of the encrypted one.
    let away = &cloud.world.images_in(AWAY)[0];
    assert_eq!(
        away.source_image,
        Some(("eu-west-1".to_owned(), image.id.clone()))
    );
    let first = cloud.fake.requests_for("ec2:CreateImage");
    let name = first[0].param("Name").unwrap();
    assert!(name.starts_with("make-ami-first-"), "{name}");
    // A second run adopts it and makes nothing.
    let again = run(&cloud).end().await;
    again.assert_code(0);
    assert_eq!(again.ami(), image.id);
    assert_eq!(
        again.count("ec2:CreateImage") + again.count("ec2:CopyImage"),
        0
    );
    let verify = cloud.run().go_on("verify", &image.id).all(SETTINGS);
    verify.end().await.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn volumes_that_the_key_encrypts_already_need_no_copy() {
    let mut instance = Instance::running(INSTANCE);
    instance.volumes = vec![Volume::new("vol-0", "/dev/xvda", 8).encrypted(&key().arn())];
    let cloud = Cloud::with([instance]);
    cloud.kms.add(key());
    let ended = run(&cloud).end().await;
    is_encrypted(&cloud, ended.assert_code(0));
    assert_eq!(ended.count("ec2:CopyImage"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_cannot_be_used_is_refused_before_anything_is_made() {
    let cloud = Cloud::new();
    let ended = run(&cloud).end().await;
    ended
        .assert_code(2)
        .assert_said("there is no key alias/images in eu-west-1");
    assert!(!ended.changed_anything(), "{ended}");
    cloud.kms.add(key().state("Disabled"));
    let ended = run(&cloud).end().await;
    ended.assert_code(2).assert_said("is Disabled");
    assert!(!ended.changed_anything(), "{ended}");
    let cloud = Cloud::new();
    cloud.kms.add(Key::aws_ebs(KEY));
    let settings = [("kms_key", "alias/aws/ebs"), ("share_with", "111122223333")];
    let ended = run(&cloud).all(settings).end().await;
    ended
        .assert_code(2)
        .assert_said("cannot be shared: it is AWS's own key");
    assert!(!ended.changed_anything(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn the_plan_says_that_there_are_two_images() {
    let cloud = account();
    // What is asked about needs an earlier image.
    let earlier = Image::available("ami-0bbbbbbbbbbbbbbbb", "web-1").tag("make-ami:app", "web");
    cloud.world.add_image(earlier);
    let plan = plan(run(&cloud)).await;
    let first = plan["first_name"].as_str().unwrap();
    assert!(first.starts_with("make-ami-first-"), "{plan}");
    assert_eq!(plan["name"], "web-42");
    let asked = plan["permissions"].to_string();
    let copying =
        r#"{"action":"ec2:CopyImage within the Region, with ec2:CreateTags","answer":"permitted"}"#;
    assert!(asked.contains(copying), "{asked}");
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_goes_and_the_first_image_stays_for_another_try() {
    let cloud = account();
    let failed = Course::failed(
        Duration::from_secs(60),
        "Server.InternalError",
        "the key is gone",
    );
    cloud
        .world
        .copy_outcomes([failed, Course::available(Duration::from_secs(60))]);
    let ended = run(&cloud).end().await;
    let images = cloud.world.images();
    assert_eq!(images.len(), 1, "{ended}");
    ended
        .assert_code(5)
        .assert_said("the key is gone")
        .assert_said(&format!("make-ami wait --image {}", images[0].id));
    assert_eq!(images[0].snapshots().len(), cloud.world.snapshots().len());
    assert!(ended.exports.is_empty());
    // The first image alone is handed over by nobody.
    let without = cloud.run().go_on("wait", &images[0].id).end().await;
    without
        .assert_code(2)
        .assert_said("is the first one of a run that makes an encrypted copy");
    let verify = cloud.run().go_on("verify", &images[0].id).end().await;
    verify
        .assert_code(1)
        .assert_said("it is only the first image");
    let ended = cloud
        .run()
        .go_on("wait", &images[0].id)
        .all(SETTINGS)
        .end()
        .await;
    is_encrypted(&cloud, ended.assert_code(0));
}

#[tokio::test(start_paused = true)]
async fn a_first_image_that_cannot_be_removed_is_listed_and_the_image_is_exported() {
    let cloud = account();
    cloud
        .fake
        .intercept(|request| match request.name().as_str() {
            "ec2:DeregisterImage" => Fate::Answered(Reply::unauthorized()),
            _ => Fate::Served,
        });
    let ended = run(&cloud).end().await;
    ended.assert_code(0);
    let images = cloud.world.images();
    let first = images.iter().find(|image| image.id != ended.ami()).unwrap();
    ended.assert_said(&format!(
        "aws ec2 deregister-image --region eu-west-1 --image-id {}",
        first.id
    ));
    // Another try with the permission removes it.
    cloud.fake.intercept(|_| Fate::Served);
    let again = run(&cloud).end().await;
    is_encrypted(&cloud, again.assert_code(0));
    assert_eq!(again.ami(), ended.ami());
}

/// A copy of the key that EC2 does not make encrypted, whatever the reason.
#[tokio::test(start_paused = true)]
async fn a_copy_that_is_not_encrypted_is_not_exported() {
    let cloud = account();
    let world = cloud.world.clone();
    cloud.fake.on_call("ec2:CopyImage", move |request| {
        world.copy_image(&request.without("Encrypted").without("KmsKeyId"))
    });
    let ended = run(&cloud).end().await;
    ended
        .assert_code(5)
        .assert_said("is to be encrypted, and its snapshot");
    assert!(ended.exports.is_empty());
    for image in cloud.world.images() {
        ended.assert_said(&image.id);
    }
}

#[tokio::test(start_paused = true)]
async fn stopped_or_killed_at_any_call_nothing_unnamed_is_left_and_the_next_run_ends_well() {
    let account = || {
        let cloud = account();
        cloud
            .world
            .outcomes([Outcome::Available { after_polls: 0 }]);
        cloud
            .world
            .copy_outcomes([Outcome::Available { after_polls: 0 }]);
        cloud
    };
    let calls = run(&account()).end().await.calls.len();
    assert!(calls > 20, "{calls}");
    for n in 0..calls {
        let cloud = account();
        let stopped = run(&cloud).at_call(n, Event::Sigterm).end().await;
        for image in cloud.world.images() {
            let is_named = stopped.said.contains(&image.id);
            assert!(is_named, "call {n}: {} is left\n{stopped}", image.id);
        }
        if cloud.world.images().is_empty() {
            assert!(cloud.world.snapshots().is_empty(), "call {n}: {stopped}");
        }
        let cloud = account();
        run(&cloud).at_call(n, Event::Sigkill).end().await;
        let ended = run(&cloud).end().await;
        is_encrypted(&cloud, ended.assert_code(0));
    }
}

/// One that a killed run left is no image of the application.
#[tokio::test(start_paused = true)]
async fn retention_counts_no_first_image_and_removes_old_ones() {
    let cloud = account();
    let left = |id: &str, name: &str| {
        let image = Image::available(id, name).tag("make-ami:app", "web");
        image.tag("make-ami:first-of", "web-7")
    };
    let now = harness::ec2::iso(cloud.world.now());
    cloud
        .world
        .add_image(left("ami-0aaaaaaaaaaaaaaaa", "make-ami-first-a"));
    cloud
        .world
        .add_image(left("ami-0cccccccccccccccc", "make-ami-first-c").created(&now));
    let kept = Image::available("ami-0bbbbbbbbbbbbbbbb", "web-1").tag("make-ami:app", "web");
    cloud.world.add_image(kept);
    let run = cloud
        .run()
        .all([("app", "web"), ("keep", "2"), ("retire", "deregister")]);
    let ended = run.end().await;
    ended.assert_code(0);
    let there: Vec<String> = cloud
        .world
        .images()
        .into_iter()
        .map(|image| image.id)
        .collect();
    let expected = [
        "ami-0cccccccccccccccc",
        "ami-0bbbbbbbbbbbbbbbb",
        ended.ami(),
    ];
    assert_eq!(there, expected, "{ended}");
}
