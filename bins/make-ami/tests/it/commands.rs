//! The subcommands, resuming, and what makes two tries one run.

use crate::INSTANCE;
use crate::inside::Cloud;
use harness::codebuild::{Build, CodeBuild};
use harness::ec2::{Course, Image, Instance, LaunchTemplate};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const IMAGE: &str = "ami-00000000000000001";

#[tokio::test(start_paused = true)]
async fn start_exports_at_once_and_wait_finishes() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    let started = cloud.run().command("start").end().await;
    started
        .assert_code(0)
        .assert_said(&format!("make-ami wait --image {IMAGE}"));
    assert!(started.took < MINUTE, "{started}");
    assert_eq!(started.exports["AMI_ID"], IMAGE);
    assert_eq!(cloud.image(IMAGE).state, "pending");
    let waited = cloud.run().go_on("wait", IMAGE).end().await;
    assert_eq!(waited.assert_code(0).ami(), IMAGE);
    assert_eq!(waited.exports["AMI_NAME"], "web-42");
    assert!(!waited.exports["AMI_SNAPSHOT_IDS"].is_empty());
    assert_eq!(cloud.fake.requests_for("ec2:CreateImage").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn wait_finds_the_image_of_its_own_build() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    let run = || cloud.run().in_build("web:1");
    run().command("start").end().await.assert_code(0);
    let waited = run().command("wait").end().await;
    assert_eq!(waited.assert_code(0).ami(), IMAGE);
}

#[tokio::test(start_paused = true)]
async fn wait_does_all_that_follows() {
    let cloud = Cloud::new();
    cloud.run().command("start").end().await.assert_code(0);
    let run = cloud.run().go_on("wait", IMAGE);
    let waited = run
        .all([
            ("share_with", "111122223333"),
            ("ssm_parameter", "/web/ami"),
        ])
        .end()
        .await;
    waited.assert_code(0);
    assert_eq!(cloud.image(IMAGE).shared_with, ["111122223333"]);
    assert_eq!(cloud.ssm.parameter("/web/ami").unwrap().value, IMAGE);
}

#[tokio::test(start_paused = true)]
async fn a_failed_image_that_is_waited_for_is_removed_with_its_reason() {
    let cloud = Cloud::new();
    let (code, message) = ("Client.InstanceTerminated", "the instance was rebooted");
    cloud
        .world
        .outcomes([Course::failed(MINUTE, code, message)]);
    cloud.run().command("start").end().await.assert_code(0);
    let waited = cloud.run().go_on("wait", IMAGE).end().await;
    waited
        .assert_code(1)
        .assert_said("Client.InstanceTerminated: the instance was rebooted");
    assert!(cloud.world.images().is_empty());
}

/// Going on with an image must never remove one that somebody has taken out of use.
#[tokio::test(start_paused = true)]
async fn a_disabled_image_is_not_waited_for_and_not_removed() {
    let cloud = Cloud::new();
    cloud.run().end().await.assert_code(0);
    cloud
        .world
        .change_image(IMAGE, |image| "disabled".clone_into(&mut image.state));
    let waited = cloud.run().go_on("wait", IMAGE).end().await;
    waited
        .assert_code(2)
        .assert_said("is disabled; nothing was touched");
    // Nor does the next try of its build take its name or remove it.
    let again = cloud.run().end().await;
    again.assert_code(2).assert_said("someone took out of use");
    assert_eq!(cloud.image(IMAGE).state, "disabled");
}

#[tokio::test(start_paused = true)]
async fn images_of_others_are_neither_waited_for_nor_cleaned() {
    let cloud = Cloud::new();
    let foreign = "ami-0aaaaaaaaaaaaaaaa";
    cloud.world.add_image(Image::available(foreign, "golden"));
    for command in ["wait", "clean"] {
        let ended = cloud.run().go_on(command, foreign).end().await;
        ended
            .assert_code(2)
            .assert_said("has no tag make-ami:run, so make-ami did not make it");
        assert!(!ended.changed_anything(), "{ended}");
    }
    for command in ["wait", "clean", "verify"] {
        let ended = cloud
            .run()
            .go_on(command, "ami-0dddddddddddddddd")
            .end()
            .await;
        ended.assert_said("ami-0dddddddddddddddd");
        assert_ne!(ended.code, Some(0));
    }
}

#[tokio::test(start_paused = true)]
async fn resume_takes_an_id_or_the_run_key() {
    for by_key in [false, true] {
        let cloud = Cloud::new();
        cloud.world.outcomes([Course::available(30 * MINUTE)]);
        let run = cloud.run().set("run", "execution-7").timeout(MINUTE);
        run.end().await.assert_code(6);
        let tags = cloud.image(IMAGE).tags;
        let key = tags.iter().find(|(key, _)| key == "make-ami:run");
        let target = if by_key {
            key.unwrap().1.clone()
        } else {
            IMAGE.to_owned()
        };
        let resumed = cloud.run().unset("instance_id").set("image", target);
        let resumed = resumed.end().await;
        assert_eq!(resumed.assert_code(0).ami(), IMAGE);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_key_that_has_a_failed_and_a_good_image_goes_on_with_the_good_one() {
    let cloud = Cloud::new();
    let failed = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-41").state("failed");
    cloud.world.add_image(failed.tag("make-ami:run", "run-7"));
    let good = Image::available("ami-0bbbbbbbbbbbbbbbb", "web-42");
    let good = good.tag("make-ami:run", "run-7");
    cloud.world.add_image(good.tag("make-ami:volumes", "1"));
    let resumed = cloud.run().unset("instance_id").set("image", "run-7");
    let resumed = resumed.end().await;
    assert_eq!(resumed.assert_code(0).ami(), "ami-0bbbbbbbbbbbbbbbb");
}

/// A pipeline's retry is a new build; its execution is the same.
#[tokio::test(start_paused = true)]
async fn a_pipeline_execution_goes_on_across_two_builds() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(90 * MINUTE)]);
    let build = |id: &str, execution: &str| {
        let run = cloud.run().in_build(id).set("run", execution);
        run.set("ami_name", "web-{build}")
            .timeout(60 * MINUTE)
            .end()
    };
    build("web:1", "execution-7").await.assert_code(6);
    let ended = build("web:2", "execution-7").await;
    assert_eq!(ended.assert_code(0).ami(), IMAGE);
    // Another execution makes another image.
    build("web:3", "execution-8").await;
    assert_eq!(cloud.world.images().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn verify_says_every_rule_that_an_image_breaks() {
    let cloud = Cloud::new();
    let run = cloud.run().set("app", "web");
    run.end().await.assert_code(0);
    let good = cloud.run().go_on("verify", IMAGE).set("app", "web");
    let good = good.end().await;
    assert_eq!(good.assert_code(0).ami(), IMAGE);
    assert!(!good.changed_anything(), "{good}");
    cloud.world.change_image(IMAGE, |image| {
        image.tags.retain(|(key, _)| key != "make-ami:consistency");
        image.deprecation = Some("2020-01-01T00:00:00.000Z".to_owned());
        image.devices.clear();
    });
    let bad = cloud.run().go_on("verify", IMAGE).set("app", "db");
    let bad = bad.end().await;
    bad.assert_code(1)
        .assert_said("has no tag make-ami:consistency")
        .assert_said("it is not of application db")
        .assert_said("0 of its 1 volumes are mapped")
        .assert_said("it is deprecated");
    assert_eq!(cloud.world.images().len(), 1, "verify removes nothing");
}

#[tokio::test(start_paused = true)]
async fn verify_does_not_wait_for_what_is_pending() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    cloud.run().command("start").end().await.assert_code(0);
    let ended = cloud.run().go_on("verify", IMAGE).end().await;
    ended
        .assert_code(1)
        .assert_said("it is pending; `make-ami wait` waits for it");
    assert!(ended.took < MINUTE);
}

#[tokio::test(start_paused = true)]
async fn verify_refuses_an_available_image_with_a_snapshot_that_is_not_completed() {
    let cloud = Cloud::new();
    cloud.run().end().await.assert_code(0);
    let snapshot = cloud.image(IMAGE).snapshots()[0].clone();
    cloud
        .world
        .change_snapshot(&snapshot, |one| "error".clone_into(&mut one.state));
    let ended = cloud.run().go_on("verify", IMAGE).end().await;
    ended.assert_code(1).assert_said(&snapshot);
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clean_removes_by_id_and_by_key_and_copies_too() {
    for by_key in [false, true] {
        let cloud = Cloud::new();
        let run = || cloud.run().set("run", "run-7").set("copy_to", "us-east-1");
        run().end().await.assert_code(0);
        let clean = match by_key {
            true => run().command("clean"),
            false => run().go_on("clean", IMAGE),
        };
        let planned = match by_key {
            true => run().command("clean"),
            false => run().go_on("clean", IMAGE),
        };
        planned.dry_run().end().await.assert_code(0);
        assert_eq!(cloud.world.images().len(), 1);
        clean.end().await.assert_code(0);
        for region in ["eu-west-1", "us-east-1"] {
            assert!(cloud.world.images_in(region).is_empty(), "{region}");
            assert!(cloud.world.snapshots_in(region).is_empty(), "{region}");
        }
    }
}

/// Counted as none, an image that lacks a volume would pass for whole.
#[tokio::test(start_paused = true)]
async fn an_image_without_the_number_of_its_volumes_is_not_gone_on_with() {
    let cloud = Cloud::new();
    cloud.run().command("start").end().await.assert_code(0);
    cloud.world.change_image(IMAGE, |image| {
        image.tags.retain(|(key, _)| key != "make-ami:volumes");
    });
    let ended = cloud.run().go_on("wait", IMAGE).end().await;
    ended
        .assert_code(2)
        .assert_said("has no tag make-ami:volumes with a number");
    assert!(!ended.changed_anything(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_automatic_retry_adopts_the_image_of_the_first_build() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    let build = |id| Build::running(id, cloud.world.now()).timeout_in_minutes(Some(480));
    CodeBuild::with([
        build("web:1").status("FAILED"),
        build("web:2").retry_of("web:1").status("FAILED"),
        build("web:3").retry_of("web:2"),
    ])
    .serve(&cloud.fake);
    let first = cloud.run().in_build("web:1").timeout(MINUTE).end().await;
    first.assert_code(6);
    let third = cloud.run().in_build("web:3").end().await;
    assert_eq!(third.assert_code(0).ami(), IMAGE);
    assert_eq!(cloud.world.images().len(), 1, "{third}");
    // One that the user names is what he says.
    let other = cloud.run().in_build("web:3").set("run", "mine");
    let other = other.set("ami_name", "web-43").end().await;
    assert_ne!(other.assert_code(0).ami(), IMAGE);
}

#[tokio::test(start_paused = true)]
async fn clean_refuses_what_is_in_use() {
    let cloud = Cloud::new();
    cloud.run().end().await.assert_code(0);
    let template = LaunchTemplate::new("lt-0123456789abcdef0", "web", [IMAGE]);
    cloud.world.add_launch_template(template);
    let used = Instance::running("i-0fedcba9876543210").image(IMAGE);
    cloud.world.add_instance(used);
    let ended = cloud.run().go_on("clean", IMAGE).end().await;
    ended
        .assert_code(2)
        .assert_said("is still in use; nothing was touched")
        .assert_said("launch template lt-0123456789abcdef0 version 1")
        .assert_said("instance i-0fedcba9876543210");
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn clean_of_nothing_changes_nothing() {
    let cloud = Cloud::new();
    let ended = cloud.run().command("clean").end().await;
    ended.assert_code(0).assert_said("is left of run");
    assert!(!ended.changed_anything(), "{ended}");
    assert_eq!(cloud.instance().id, INSTANCE);
}

/// The instance may be gone by then, or in a state that no image is made of.
#[tokio::test(start_paused = true)]
async fn clean_and_wait_do_not_ask_whether_the_instance_could_be_imaged() {
    for command in ["clean", "wait"] {
        let cloud = Cloud::new();
        let run = || cloud.run().in_build("web:1").set("consistency", "stop");
        run().end().await.assert_code(0);
        cloud.world.change_instance(INSTANCE, |instance| {
            "terminated".clone_into(&mut instance.state);
            let group = "aws:autoscaling:groupName".to_owned();
            instance.tags.push((group, "web".to_owned()));
        });
        let ended = run().command(command).end().await;
        ended.assert_code(0).refute_said("power cut");
        let left = if command == "clean" { 0 } else { 1 };
        assert_eq!(cloud.world.images().len(), left, "{ended}");
    }
}

/// A mistyped id, or one of another Region.
#[tokio::test(start_paused = true)]
async fn wait_says_plainly_that_there_is_no_such_image() {
    let cloud = Cloud::new();
    let ended = cloud.run().go_on("wait", "ami-0123456789abcdef0").end();
    ended.await.assert_code(2).assert_said(
        "image ami-0123456789abcdef0 in eu-west-1 does not exist; nothing was touched",
    );
    let run = cloud.run().unset("instance_id").command("wait");
    run.set("image", "web:1/i/stop/web")
        .end()
        .await
        .assert_code(2)
        .assert_said("run web:1/i/stop/web has no image in eu-west-1; nothing was touched");
}
