//! Which image is whose: nothing is adopted, and nothing removed, that another run, instance or account made.

use crate::INSTANCE;
use crate::inside::{Cloud, Event};
use harness::ec2::{Course, Image, Snapshot};
use harness::{Fate, Reply};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const OTHERS: &str = "ami-0bbbbbbbbbbbbbbbb";

/// A CodeBuild project's name has up to 255 characters; the key was cut before the build's own id.
#[tokio::test(start_paused = true)]
async fn two_builds_of_a_project_with_a_long_name_make_two_images() {
    let cloud = Cloud::new();
    let project = "p".repeat(255);
    let mut made = Vec::new();
    for build in [
        "8f2e9c1a-0000-1111-2222-333344445555",
        "0b7d4e55-0000-1111-2222-333344445555",
    ] {
        let id = format!("{project}:{build}");
        let run = || cloud.run().in_build(&id).set("ami_name", "web-{build}");
        let ended = run().end().await;
        made.push(ended.assert_code(0).ami().to_owned());
        // A second try of the same build adopts its own.
        assert_eq!(run().end().await.assert_code(0).ami(), made[made.len() - 1]);
    }
    assert_ne!(made[0], made[1]);
    assert_eq!(cloud.world.images().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_applications_of_one_build_make_two_images() {
    let cloud = Cloud::new();
    let run = |app: &str| {
        let run = cloud
            .run()
            .in_build("web:1")
            .set("ami_name", "{app}-{build}");
        run.set("app", app)
    };
    let web = run("web").end().await;
    let api = run("api").end().await;
    assert_ne!(web.assert_code(0).ami(), api.assert_code(0).ami());
    assert_eq!(api.exports["AMI_NAME"], "api-1");
}

/// An image that an earlier version began, whose key left the application out.
#[tokio::test(start_paused = true)]
async fn an_image_of_an_earlier_versions_run_is_adopted_under_its_key() {
    let former = format!("web:1/{INSTANCE}/no-reboot/web-42");
    for (app, is_adopted) in [(Some("web"), true), (Some("api"), false), (None, false)] {
        let cloud = Cloud::new();
        let mut earlier = Image::available(OTHERS, "web-41")
            .of_instance(INSTANCE)
            .tag("make-ami:run", &former)
            .tag("make-ami:instance", INSTANCE);
        if let Some(app) = app {
            earlier = earlier.tag("make-ami:app", app);
        }
        cloud.world.add_image(earlier);
        let ended = cloud.run().in_build("web:1").set("app", "web").end().await;
        ended.assert_code(0);
        assert_eq!(ended.ami() == OTHERS, is_adopted, "{app:?}: {ended}");
        assert_eq!(cloud.image(OTHERS).state, "available");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_an_earlier_versions_run_stopped_is_started_again() {
    let cloud = Cloud::with([harness::ec2::Instance::stopped(INSTANCE).tag(
        "make-ami:stopped-by",
        &format!("web:1/{INSTANCE}/stop/web-42"),
    )]);
    let run = cloud.run().in_build("web:1").set("app", "web");
    run.set("consistency", "stop").end().await.assert_code(0);
    assert_eq!(cloud.instance().state, "running");
}

/// Tags on a shared image are the account's own, and say nothing of who made it.
#[tokio::test(start_paused = true)]
async fn an_image_of_another_account_is_neither_adopted_nor_waited_for_nor_cleaned() {
    let cloud = Cloud::new();
    let shared = Image::available(OTHERS, "theirs")
        .owner("999999999999")
        .tag(
            "make-ami:run",
            &format!("web:1/{INSTANCE}/no-reboot/web-42"),
        )
        .tag("make-ami:volumes", "1");
    cloud.world.add_image(shared);
    let ended = cloud.run().in_build("web:1").end().await;
    assert_ne!(ended.assert_code(0).ami(), OTHERS);
    for command in ["wait", "clean", "verify"] {
        let ended = cloud.run().go_on(command, OTHERS).end().await;
        assert!(matches!(ended.code, Some(1 | 2)), "{command}: {ended}");
        ended.assert_said("does not exist");
        assert!(!ended.changed_anything(), "{ended}");
    }
}

/// A copy within the Region takes the tags along, and is not what the run made.
#[tokio::test(start_paused = true)]
async fn a_copy_with_the_same_tags_is_not_adopted_in_its_images_place() {
    let cloud = Cloud::new();
    // EC2 promises no order: here the copy comes first.
    let copy = Image::available(OTHERS, "copy of web-42");
    cloud.world.add_image(copy);
    let run = || cloud.run().in_build("web:1");
    let made = run().end().await.assert_code(0).ami().to_owned();
    let tags = cloud.image(&made).tags;
    cloud.world.change_image(OTHERS, |copy| {
        copy.tags = tags;
        copy.source_image = Some(("eu-west-1".to_owned(), made.clone()));
    });
    assert_eq!(run().end().await.assert_code(0).ami(), made);
}

#[tokio::test(start_paused = true)]
async fn an_image_of_another_instance_is_not_adopted_whatever_its_key_says() {
    let cloud = Cloud::new();
    let foreign = Image::available(OTHERS, "other")
        .tag(
            "make-ami:run",
            &format!("web:1/{INSTANCE}/no-reboot/web-42"),
        )
        .tag("make-ami:instance", "i-0fedcba9876543210");
    cloud.world.add_image(foreign);
    let ended = cloud.run().in_build("web:1").end().await;
    assert_ne!(ended.assert_code(0).ami(), OTHERS);
}

/// A filter's value knows wildcards; a tag that holds one named every image of every run.
#[tokio::test(start_paused = true)]
async fn an_image_whose_run_is_a_wildcard_is_cleaned_alone() {
    let cloud = Cloud::new();
    let made = cloud.run().end().await.assert_code(0).ami().to_owned();
    let odd = Image::available(OTHERS, "odd").tag("make-ami:run", "*");
    cloud.world.add_image(odd);
    let ended = cloud.run().go_on("clean", OTHERS).end().await;
    ended.assert_code(0);
    let left: Vec<String> = cloud.world.images().into_iter().map(|one| one.id).collect();
    assert_eq!(left, [made], "{ended}");
    assert_eq!(cloud.world.snapshots().len(), 1);
}

/// The copy of an image that an earlier try made, and that is gone.
#[tokio::test(start_paused = true)]
async fn a_copy_of_an_earlier_image_is_not_adopted_for_the_new_one() {
    let cloud = Cloud::new();
    let run = |commit: &str, name: &str| {
        let build = action::codebuild::CodeBuild {
            build_id: Some("web:1".to_owned()),
            resolved_source_version: Some(commit.to_owned()),
            ..Default::default()
        };
        let run = cloud.run().build(build).set("ami_name", name);
        run.set("copy_to", "us-east-1")
    };
    let gone = |id: &str| {
        cloud.world.change_image(id, |image| {
            image.tags.clear();
            image.name.push_str("-gone");
        });
    };
    let first = run("aaaaaaaa", "web-{commit}").end().await;
    let first = first.assert_code(0).ami().to_owned();
    let stale = cloud.world.images_in("us-east-1")[0].id.clone();
    // Somebody takes the image away, not its copy; the next try makes another one.
    gone(&first);
    let ended = run("bbbbbbbb", "web-{commit}").end().await;
    let second = ended.assert_code(0).ami().to_owned();
    ended.assert_said(&format!(
        "{stale} in us-east-1 has this run's key, but is not a copy of {second}"
    ));
    let copies = cloud.world.images_in("us-east-1");
    let copy = copies.iter().find(|copy| copy.id != stale).unwrap();
    assert_eq!(
        copy.source_image,
        Some(("eu-west-1".to_owned(), second.clone()))
    );
    assert_eq!(copies.len(), 2);
    // One that holds the very name is not adopted either, and the failure says what frees the name.
    gone(&second);
    let ended = run("bbbbbbbb", "web-{commit}").end().await;
    ended
        .assert_code(5)
        .assert_said("InvalidAMIName.Duplicate")
        .assert_said(&format!("hint: {} holds the name", copy.id));
}

/// Snapshots are found by the image that their description names: an id of eight digits starts longer ones.
#[tokio::test(start_paused = true)]
async fn snapshots_of_an_image_whose_id_only_starts_alike_stay() {
    let cloud = Cloud::new();
    let short = Image::available("ami-1a2b3c4d", "old").tag("make-ami:run", "run-1");
    cloud.world.add_image(short);
    let foreign = Snapshot::completed("snap-0cccccccccccccccc")
        .description("Created by CreateImage(i-0fedcba9876543210) for ami-1a2b3c4d5e6f78901");
    cloud.world.add_snapshot(foreign);
    cloud
        .run()
        .go_on("clean", "ami-1a2b3c4d")
        .end()
        .await
        .assert_code(0);
    let left: Vec<String> = cloud
        .world
        .snapshots()
        .into_iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(left, ["snap-0cccccccccccccccc"]);
}

/// A message that names another thing does not list it: "in use by ami-…" left that image behind.
#[tokio::test(start_paused = true)]
async fn an_image_that_only_an_error_names_is_removed_too() {
    let cloud = Cloud::new();
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    let world = cloud.world.clone();
    cloud.fake.intercept(move |request| {
        if request.param("ImageId") == Some("ami-00000000000000001")
            && request.operation == "DeregisterImage"
        {
            // The image of a lost reply, listed only now.
            let run = world.images()[0]
                .tags
                .iter()
                .find(|(key, _)| key == "make-ami:run")
                .unwrap()
                .1
                .clone();
            world.add_image(Image::available(OTHERS, "late").tag("make-ami:run", &run));
        }
        match request.operation == "DeleteSnapshot"
            && request.param("SnapshotId") == Some("snap-00000000000000100")
        {
            true => Fate::Answered(Reply::error(
                400,
                "InvalidSnapshot.InUse",
                format!("The snapshot snap-00000000000000100 is currently in use by {OTHERS}"),
            )),
            false => Fate::Served,
        }
    });
    cloud.world.snapshots_linger(1);
    let ended = cloud.run().end().await;
    ended
        .assert_code(5)
        .assert_said("remains: snapshot snap-00000000000000100");
    assert!(cloud.world.images().is_empty(), "{ended}");
    assert!(!ended.said.contains("remains: image"), "{ended}");
}

/// Several things that cannot be removed are all listed, not the first of them alone.
#[tokio::test(start_paused = true)]
async fn everything_that_a_failed_try_left_and_that_stays_is_listed() {
    let disk = harness::ec2::Volume::new("vol-000000000000da7a0", "/dev/sdf", 8);
    let cloud = Cloud::with([harness::ec2::Instance::running(INSTANCE).volume(disk)]);
    let run = || cloud.run().in_build("web:1");
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    run()
        .at_first("ec2:DeregisterImage", Event::Sigkill)
        .end()
        .await;
    // What the kill cut off was carried out; the image is there again, failed.
    let failed = Image::available(OTHERS, "web-42").state("failed").mapping([
        ("/dev/xvda", "snap-0dddddddddddddddd", 8),
        ("/dev/sdf", "snap-0eeeeeeeeeeeeeeee", 8),
    ]);
    let failed = failed
        .tag(
            "make-ami:run",
            &format!("web:1/{INSTANCE}/no-reboot/web-42"),
        )
        .of_instance(INSTANCE);
    cloud.world.add_image(failed);
    for id in ["snap-0dddddddddddddddd", "snap-0eeeeeeeeeeeeeeee"] {
        cloud
            .world
            .fail_snapshot_deletion(id, "missing-permissions");
    }
    let ended = run().end().await;
    ended
        .assert_code(5)
        .assert_said("remains: snapshot snap-0dddddddddddddddd")
        .assert_said("remains: snapshot snap-0eeeeeeeeeeeeeeee");
}
