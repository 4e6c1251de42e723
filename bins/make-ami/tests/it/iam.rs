//! The page's policy is exactly what the code calls.

use crate::INSTANCE;
use crate::inside::Cloud;
use harness::ec2::{Course, Image, Instance, Snapshot, Volume};
use harness::kms::Key;
use std::collections::BTreeSet;
use std::time::Duration;

/// The IAM action of a call: its own name, but for a copy's or an image's tags, which are asked for
/// in the same request.
fn actions(request: &harness::Request) -> Vec<String> {
    let mut actions = vec![request.name()];
    if !request.tags_for("image").is_empty() || !request.tags_for("snapshot").is_empty() {
        actions.push("ec2:CreateTags".to_owned());
    }
    actions
}

fn called(cloud: &Cloud) -> BTreeSet<String> {
    cloud.fake.requests().iter().flat_map(actions).collect()
}

fn documented() -> BTreeSet<String> {
    let needed = make_ami::PROGRAM.permissions.iter();
    needed.map(|needed| needed.action.to_owned()).collect()
}

/// Runs everything that the settings can ask for.
#[tokio::test(start_paused = true)]
async fn the_documented_policy_is_exactly_what_is_called() {
    let key = Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab");
    let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 8).encrypted(&key.arn());
    let instance = Instance::running(INSTANCE).of_spot_request("persistent");
    let cloud = Cloud::with([instance.volume(disk)]);
    cloud.kms.add(key);
    let alias = Key::customer("9234abcd-12ab-34cd-56ef-1234567890ab").alias("alias/images");
    cloud.kms.add(alias.region("us-east-1"));
    cloud
        .world
        .add_image(Image::available("ami-0000000000000ba5e", "base"));
    cloud.world.zone_type("eu-west-1a", "local-zone");
    let before = Snapshot::completed("snap-0before").of_volume("vol-000000000000da7a0");
    cloud.world.add_snapshot(before);
    let old = [("a", ""), ("b", "2020-01-01T00:00:00.000Z"), ("c", "")];
    for (letter, deprecated) in old {
        let id = format!("ami-0{}", letter.repeat(16));
        let image = Image::available(&id, &format!("old-{letter}")).tag("make-ami:app", "web");
        cloud.world.add_image(image);
        cloud.world.change_image(&id, |image| {
            if letter == "a" {
                image.shared_with.push("111122223333".to_owned());
            }
            image.deprecation = Some(deprecated.to_owned()).filter(|date| !date.is_empty());
            if letter == "c" {
                "disabled".clone_into(&mut image.state);
            }
        });
    }
    let run = cloud.run().set("run", "execution").set("app", "web");
    run.command("warm").end().await.assert_code(0);
    let run = cloud.run().in_build("web:1").set("consistency", "stop");
    let ended = run
        .all([
            ("snapshot_tags", "after"),
            ("app", "web"),
            ("keep", "1"),
            ("copy_to", "us-east-1"),
            ("kms_key", "alias/images"),
            ("share_with", "111122223333"),
            ("unused_for", "90d"),
            ("protect", "yes"),
            ("copy_within", "15m"),
            ("instance_type", "g5.*"),
            ("deprecate_after", "90d"),
            ("ssm_parameter", "/web/ami"),
            ("watermark", "approved"),
            ("must_descend_from", "ami-0000000000000ba5e"),
            ("snapshot_location", "regional"),
            ("scan", "gate"),
        ])
        .end()
        .await;
    ended.assert_code(0).refute_said("older images stay");
    // One that fails is removed; in the mode that needs SSM.
    let failed = Course::failed(Duration::from_secs(60), "Server.InternalError", "x");
    cloud.world.outcomes([failed]);
    let run = cloud.run().set("ami_name", "web-43");
    let run = run.set("consistency", "quiesce");
    let ended = run.set("quiesce_container", "db").end().await;
    ended.assert_code(1);
    let called = called(&cloud);
    let by_others = make_ami::ASKED_BY_EC2.iter();
    let by_others = by_others.chain(&make_ami::ASKED_BY_INSPECTOR);
    let by_others: BTreeSet<String> = by_others.map(|&action| action.to_owned()).collect();
    assert!(called.is_disjoint(&by_others), "{called:?}");
    let needed: BTreeSet<String> = called.union(&by_others).cloned().collect();
    assert_eq!(needed, documented());
}

/// The least that is needed by a run without any setting but the instance.
#[tokio::test(start_paused = true)]
async fn a_plain_run_outside_of_a_build_needs_little() {
    let cloud = Cloud::new();
    cloud.run().end().await.assert_code(0);
    let expected = [
        "ec2:CreateImage",
        "ec2:CreateTags",
        "ec2:DescribeImages",
        "ec2:DescribeInstances",
        "ec2:DescribeSnapshots",
        "ec2:DescribeVolumes",
    ];
    assert_eq!(called(&cloud), expected.map(str::to_owned).into());
}

/// Neither a dry run nor a subcommand calls anything that the page does not name.
#[tokio::test(start_paused = true)]
async fn subcommands_and_dry_runs_stay_within_the_policy() {
    let cloud = Cloud::new();
    let run = || {
        cloud
            .run()
            .in_build("web:1")
            .set("app", "web")
            .set("keep", "1")
    };
    run().dry_run().end().await.assert_code(0);
    run().command("start").end().await.assert_code(0);
    run().command("wait").end().await.assert_code(0);
    let id = cloud.world.images()[0].id.clone();
    cloud.run().go_on("verify", &id).end().await.assert_code(0);
    run().dry_run().end().await.assert_code(0);
    run().command("clean").end().await.assert_code(0);
    let (called, documented) = (called(&cloud), documented());
    let undocumented: Vec<&String> = called.difference(&documented).collect();
    assert_eq!(undocumented, Vec::<&String>::new());
}
