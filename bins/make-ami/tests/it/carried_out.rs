//! Endpoints that carry a dry run out: EC2 never does, and some that speak its language do.

use crate::INSTANCE;
use crate::inside::{Cloud, Ended, Run};
use harness::Fate;
use harness::ec2::{Image, Instance};

/// Everything that a dry run may ask about.
const ALL: [&str; 12] = [
    "CreateImage",
    "CreateTags",
    "DeleteTags",
    "StopInstances",
    "StartInstances",
    "DeregisterImage",
    "DeleteSnapshot",
    "EnableImageDeprecation",
    "DisableImage",
    "CopyImage",
    "ModifySnapshotAttribute",
    "ModifyImageAttribute",
];

const EARLIER: &str = "ami-0aaaaaaaaaaaaaaaa";
const SNAPSHOT: &str = "snap-0aaaaaaaaaaaaaaaa";

/// An account with an earlier image of the application, whose endpoint carries these operations out.
fn carrying_out(operations: &[&str]) -> Cloud {
    let cloud = Cloud::new();
    let earlier = Image::available(EARLIER, "web-41").tag("make-ami:app", "web");
    cloud.world.add_image(earlier);
    cloud.world.carries_dry_runs_out(operations);
    cloud
}

/// A dry run with every setting that adds a call.
fn dry(cloud: &Cloud) -> Run<'_> {
    cloud.run().dry_run().all([
        ("consistency", "stop"),
        ("snapshot_tags", "after"),
        ("app", "web"),
        ("keep", "2"),
        ("copy_to", "us-east-1"),
        ("share_with", "111122223333"),
        ("deprecate_after", "90d"),
    ])
}

/// The dry run says what was done, and what it asked last is what was carried out.
#[track_caller]
fn ended_with(ended: &Ended, cloud: &Cloud, operation: &str) {
    ended.assert_said("error: this endpoint carries dry runs out: it ");
    ended.refute_said("permissions:");
    let requests = cloud.fake.requests();
    let mut asked = requests.iter().filter(|request| request.flag("DryRun"));
    assert_eq!(asked.next_back().unwrap().operation, operation, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_made_is_told_and_removed_and_the_dry_run_ends() {
    let cloud = carrying_out(&["CreateImage"]);
    let ended = dry(&cloud).end().await;
    ended
        .assert_code(1)
        .assert_said(&format!(
            "it made image ami-00000000000000001 of {INSTANCE} in eu-west-1"
        ))
        .assert_said("the image is removed again, with its snapshots")
        .assert_said("hint: AWS never carries a DryRun out: check AWS_ENDPOINT_URL");
    ended_with(&ended, &cloud, "CreateImage");
    assert_eq!(cloud.world.images().len(), 1);
    assert_eq!(cloud.world.snapshots().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_back_is_listed_with_the_command_that_removes_it() {
    let cloud = carrying_out(&["CreateImage"]);
    cloud
        .world
        .fail_snapshot_deletion("snap-00000000000000100", "missing-permissions");
    let ended = dry(&cloud).end().await;
    ended
        .assert_code(5)
        .assert_said("remains: snapshot snap-00000000000000100 in eu-west-1")
        .assert_said("aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-0000000000000");
    ended_with(&ended, &cloud, "CreateImage");
}

/// The SDK asks again when a reply is lost, and the name is then taken by the image that the dry run made.
#[tokio::test(start_paused = true)]
async fn an_image_that_is_made_and_whose_reply_is_lost_is_told_too() {
    let cloud = carrying_out(&["CreateImage"]);
    cloud.fake.lose_reply("ec2:CreateImage");
    let ended = dry(&cloud).end().await;
    ended
        .assert_code(1)
        .assert_said("it made image ami-00000000000000001");
    assert_eq!(cloud.world.images().len(), 1, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_reboot_for_the_image_is_told() {
    let cloud = carrying_out(&["CreateImage"]);
    let ended = dry(&cloud).set("consistency", "reboot").end().await;
    ended
        .assert_code(1)
        .assert_said("and may have rebooted the instance");
}

/// A tag that the instance has already shows what the endpoint does, before anything is made.
#[tokio::test(start_paused = true)]
async fn where_the_instance_has_a_tag_nothing_is_made_at_all() {
    let cloud = Cloud::with([Instance::running(INSTANCE)
        .in_group("web")
        .tag("Name", "build")]);
    cloud.world.carries_dry_runs_out(&ALL);
    let before = format!("{:?}", cloud.world.instances());
    let ended = cloud.run().dry_run().end().await;
    ended
        .assert_code(1)
        .assert_said(&format!(
            "it gave {INSTANCE} in eu-west-1 the tag Name, which it had already"
        ))
        .assert_said("nothing was changed");
    ended_with(&ended, &cloud, "CreateTags");
    assert_eq!(format!("{:?}", cloud.world.instances()), before);
    assert!(cloud.world.images().is_empty());
    // Whether it may be tagged is not asked for, so that a refusal is no finding.
    let denied = Cloud::with([Instance::running(INSTANCE).tag("Name", "build")]);
    let no = harness::Reply::unauthorized();
    denied.fake.on("ec2:CreateTags", [no]);
    denied.run().dry_run().end().await.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_stopped_is_started_again() {
    let cloud = carrying_out(&["StopInstances"]);
    let ended = dry(&cloud).end().await;
    ended
        .assert_code(1)
        .assert_said(&format!("it stopped instance {INSTANCE} in eu-west-1"))
        .assert_said("the instance was started again, and runs");
    ended_with(&ended, &cloud, "StopInstances");
    assert_eq!(cloud.instance().state, "running");
    let cloud = carrying_out(&["StopInstances"]);
    cloud
        .fake
        .on("ec2:StartInstances", [harness::Reply::unauthorized()]);
    dry(&cloud).end().await.assert_code(5).assert_said(&format!(
        "aws ec2 start-instances --region eu-west-1 --instance-ids {INSTANCE}"
    ));
}

#[tokio::test(start_paused = true)]
async fn the_mark_of_the_instance_is_as_it_was_before() {
    for (operation, before) in [
        ("CreateTags", None),
        ("CreateTags", Some("run-6")),
        ("DeleteTags", Some("run-6")),
        ("DeleteTags", None),
    ] {
        let cloud = carrying_out(&[]);
        cloud.world.change_instance(INSTANCE, |instance| {
            let mark = before.map(|run| ("make-ami:stopped-by".to_owned(), run.to_owned()));
            instance.tags.extend(mark);
        });
        // Not at once: the first tag is the one that changes nothing.
        let world = cloud.world.clone();
        cloud.fake.intercept(move |request| {
            if request.operation == "CreateImage" {
                world.carries_dry_runs_out(&[operation]);
            }
            Fate::Served
        });
        let tags = cloud.instance().tags;
        let ended = dry(&cloud).end().await;
        ended.assert_code(1);
        ended_with(&ended, &cloud, operation);
        assert_eq!(cloud.instance().tags, tags, "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_removed_where_it_was_made() {
    let cloud = carrying_out(&["CopyImage"]);
    let ended = dry(&cloud).end().await;
    ended
        .assert_code(1)
        .assert_said(&format!("it copied image {EARLIER} to us-east-1: ami-"));
    ended_with(&ended, &cloud, "CopyImage");
    assert!(cloud.world.images_in("us-east-1").is_empty(), "{ended}");
    assert!(cloud.world.snapshots_in("us-east-1").is_empty(), "{ended}");
}

/// What this program may not take back is listed.
#[tokio::test(start_paused = true)]
async fn changes_of_an_earlier_image_are_listed() {
    for (operation, done, command) in [
        (
            "DeregisterImage",
            "it deregistered image ami-0aaaaaaaaaaaaaaaa in eu-west-1, which cannot be taken back",
            "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-0aaaaaaaaaaaaaaaa",
        ),
        (
            "EnableImageDeprecation",
            "it deprecated image ami-0aaaaaaaaaaaaaaaa",
            "aws ec2 disable-image-deprecation --region eu-west-1 --image-id ami-0aaaaaaaaaaaaaaaa",
        ),
        (
            "DisableImage",
            "it disabled image ami-0aaaaaaaaaaaaaaaa",
            "aws ec2 enable-image --region eu-west-1 --image-id ami-0aaaaaaaaaaaaaaaa",
        ),
        (
            "ModifyImageAttribute",
            "it shared image ami-0aaaaaaaaaaaaaaaa in eu-west-1 with its own account",
            "aws ec2 modify-image-attribute --launch-permission 'Remove=[{UserId=123456789012}]' --region eu-west-1",
        ),
        (
            "ModifySnapshotAttribute",
            "it shared snapshot snap-0aaaaaaaaaaaaaaaa in eu-west-1 with its own account",
            "aws ec2 modify-snapshot-attribute --region eu-west-1 --snapshot-id snap-0aaaaaaaaaaaaaaaa",
        ),
    ] {
        let cloud = carrying_out(&[operation]);
        let ended = dry(&cloud).end().await;
        ended
            .assert_code(5)
            .assert_said(done)
            .assert_said(&format!("    {command}"));
        ended_with(&ended, &cloud, operation);
    }
}

/// The dry run of `clean`, and of `wait`, asks first by a tag that the image has: it must not be the clean itself.
#[tokio::test(start_paused = true)]
async fn a_dry_run_of_clean_removes_nothing_where_everything_is_carried_out() {
    for command in ["clean", "wait"] {
        let cloud = Cloud::new();
        cloud.run().end().await.assert_code(0);
        let before = sorted(&cloud);
        let id = cloud.world.images()[0].id.clone();
        cloud.world.carries_dry_runs_out(&ALL);
        let ended = cloud.run().go_on(command, &id).dry_run().end().await;
        ended.assert_code(1).assert_said("nothing was changed");
        ended_with(&ended, &cloud, "CreateTags");
        assert_eq!(sorted(&cloud), before);
        assert_eq!(cloud.world.snapshots().len(), 1);
    }
}

/// The images, whatever the order of their tags.
fn sorted(cloud: &Cloud) -> String {
    let mut images = cloud.world.images();
    for image in &mut images {
        image.tags.sort();
    }
    format!("{images:?}")
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_is_deleted_is_told() {
    let cloud = carrying_out(&["DeleteSnapshot"]);
    // One that no image holds any more, as EC2 would never let it be asked about.
    let world = cloud.world.clone();
    cloud.fake.intercept(move |request| {
        if request.operation == "DeleteSnapshot" {
            world.change_image(EARLIER, |image| image.devices.clear());
        }
        Fate::Served
    });
    let ended = dry(&cloud).end().await;
    ended.assert_code(1).assert_said(&format!(
        "it deleted snapshot {SNAPSHOT} in eu-west-1, which cannot be taken back"
    ));
    ended_with(&ended, &cloud, "DeleteSnapshot");
}
