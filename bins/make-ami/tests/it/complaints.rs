//! One test for each complaint of users of the field's other tools, named after what went wrong
//! there and where it was told. Each shows what happens here instead.

use crate::INSTANCE;
use crate::inside::{Cloud, Event};
use harness::ec2::{Course, Image, Instance, LaunchTemplate, Progress, Snapshot, Volume, iso};
use harness::kms::Key;
use harness::{Fate, Reply};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

// --- Waiting too short --------------------------------------------------------------------------

/// The stock waiters give up after 10 minutes and cannot be told otherwise.
#[tokio::test(start_paused = true)]
async fn waiter_gives_up_after_ten_minutes_aws_cli_1295_botocore_981_ansible_37111() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(11 * MINUTE)]);
    let ended = cloud.run().end().await;
    ended.assert_code(0);
    assert!(ended.took > 11 * MINUTE && ended.took < 11 * MINUTE + MINUTE / 6);
}

/// 30 minutes, raised by hand, were too short as well: the image came minutes later and was lost.
#[tokio::test(start_paused = true)]
async fn image_came_minutes_after_the_wait_ended_packer_6536_scylla_machine_image_352() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(45 * MINUTE)]);
    let late = cloud.run().timeout(30 * MINUTE).end().await;
    late.assert_code(6)
        .assert_said("image ami-00000000000000001 in eu-west-1")
        .assert_said("make-ami wait --image-id ami-00000000000000001");
    let ended = cloud
        .run()
        .go_on("wait", "ami-00000000000000001")
        .end()
        .await;
    assert_eq!(ended.assert_code(0).ami(), "ami-00000000000000001");
    assert_eq!(ended.count("ec2:CreateImage"), 0);
}

/// `AWS_MAX_ATTEMPTS=240` silently meant 8 minutes: here time is a duration, and the number of
/// looks has no say.
#[tokio::test(start_paused = true)]
async fn attempts_times_an_unknown_delay_packer_plugin_amazon_642_twoliter_603() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::never(HOUR)]);
    let ended = cloud.run().timeout(5 * HOUR).end().await;
    ended.assert_code(6);
    assert!(ended.took >= 5 * HOUR && ended.took < 5 * HOUR + MINUTE);
}

/// "Reason: <nil>" at the end of a wait: here the last thing seen is said.
#[tokio::test(start_paused = true)]
async fn a_timeout_says_what_was_seen_last_packer_7472_9705() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::never(HOUR)]);
    let ended = cloud.run().timeout(2 * HOUR).end().await;
    ended
        .assert_code(6)
        .assert_said("last seen: pending: snap-00000000000000100 99 % of 8 GiB");
}

/// "Registered" was said of an image that was still pending, and other tools then timed out on it.
#[tokio::test(start_paused = true)]
async fn registered_means_available_twoliter_582() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(20 * MINUTE)]);
    let ended = cloud.run().end().await;
    assert_eq!(cloud.image(ended.assert_code(0).ami()).state, "available");
}

/// Nightly jobs failed at the timeout and left finished images untagged.
#[tokio::test(start_paused = true)]
async fn images_of_late_runs_are_tagged_all_the_same_va_gov_cms_1720_origin_ci_tool_111() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(HOUR)]);
    let run = cloud.run().set("tags", "team=web").timeout(10 * MINUTE);
    run.end().await.assert_code(6);
    let image = &cloud.world.images()[0];
    let snapshot = cloud.snapshot(&image.snapshots()[0]);
    for tags in [&image.tags, &snapshot.tags] {
        assert!(
            tags.contains(&("team".to_owned(), "web".to_owned())),
            "{tags:?}"
        );
    }
}

/// "Timeouts are ultimately futile": the expensive work is not done again.
#[tokio::test(start_paused = true)]
async fn a_retry_does_not_do_the_expensive_work_again_packer_1533() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(3 * HOUR)]);
    let build = |timeout| cloud.run().in_build("web:1").timeout(timeout).end();
    for _ in 0..3 {
        build(50 * MINUTE).await.assert_code(6);
    }
    build(HOUR).await.assert_code(0);
    assert_eq!(cloud.fake.requests_for("ec2:CreateImage").len(), 1);
    assert_eq!(cloud.world.images().len(), 1);
}

/// A state that can never be left again was polled until the timeout.
#[tokio::test(start_paused = true)]
async fn a_hopeless_state_ends_the_wait_at_once_aws_cli_1295_comments() {
    for state in ["error", "invalid", "deregistered", "disabled"] {
        let cloud = Cloud::new();
        cloud.world.outcomes([Course::becomes(10 * MINUTE, state)]);
        let ended = cloud.run().end().await;
        ended.assert_code(1).assert_said(&format!("is {state}"));
        assert!(ended.took < 11 * MINUTE, "{state}: {ended}");
        assert!(cloud.world.images().is_empty(), "{state}: {ended}");
    }
}

// --- Throttling ---------------------------------------------------------------------------------

/// Parallel builds throttled each other; CreateImage itself was refused in an outage.
#[tokio::test(start_paused = true)]
async fn throttled_create_packer_12160() {
    let cloud = Cloud::new();
    let storm = std::iter::repeat_n(Reply::throttled(), 40);
    cloud.fake.first("ec2:CreateImage", storm);
    let ended = cloud.run().end().await;
    ended.assert_code(0);
    assert_eq!(cloud.world.images().len(), 1);
    assert_eq!(ended.count("ec2:CreateImage"), 41);
}

/// The worst shape: the image is made, the poll is throttled, the tool fails, the image is lost.
#[tokio::test(start_paused = true)]
async fn throttled_poll_loses_the_image_packer_50_4090_ansible_32520() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(20 * MINUTE)]);
    let made = std::sync::atomic::AtomicUsize::new(0);
    cloud.fake.intercept(move |request| {
        use std::sync::atomic::Ordering::Relaxed;
        let after = made.load(Relaxed);
        match request.operation.as_str() {
            "CreateImage" => made.store(1, Relaxed),
            // Some hundred refusals are more than any retry of the SDK's outlasts.
            "DescribeImages" | "DescribeSnapshots" if (1..200).contains(&after) => {
                made.store(after + 1, Relaxed);
                return Fate::Answered(Reply::throttled());
            }
            _ => {}
        }
        Fate::Served
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("EC2 does not answer: RequestLimitExceeded");
    assert_eq!(ended.ami(), cloud.world.images()[0].id);
}

/// AWS's support named the polling of DescribeImages as the cause.
#[tokio::test(start_paused = true)]
async fn polls_less_than_the_stock_waiter_packer_6330() {
    for minutes in [6, 30, 180] {
        let cloud = Cloud::new();
        cloud.world.outcomes([Course::available(minutes * MINUTE)]);
        let ended = cloud.run().end().await;
        ended.assert_code(0);
        let looks = ended.count("ec2:DescribeImages") + ended.count("ec2:DescribeSnapshots");
        // What is asked before the image exists, and for the cost line, is no poll.
        assert!((looks as u32) < minutes * 4 + 6, "{minutes}: {looks} looks");
    }
}

/// The sharing step was throttled; ten retries fixed it.
#[tokio::test(start_paused = true)]
async fn throttled_share_packer_10071() {
    let cloud = Cloud::new();
    for operation in ["ec2:ModifySnapshotAttribute", "ec2:ModifyImageAttribute"] {
        let storm = std::iter::repeat_n(Reply::throttled(), 8);
        cloud.fake.first(operation, storm);
    }
    let run = cloud.run().set("share_with", "111122223333");
    let ended = run.end().await;
    let image = cloud.image(ended.assert_code(0).ami());
    assert_eq!(image.shared_with, ["111122223333"]);
}

// --- Names --------------------------------------------------------------------------------------

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
    let ended = cloud.run().set("tags", "DeleteOn=2030-01-01").end().await;
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

// --- NotFound just after create -----------------------------------------------------------------

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

// --- pending, then failed -----------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn failed_without_its_reason_packer_5887_terraform_2990() {
    let cloud = Cloud::new();
    let (code, message) = ("Client.VolumeLimitExceeded", "Volume limit exceeded");
    cloud
        .world
        .outcomes([Course::failed(5 * MINUTE, code, message)]);
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("image ami-00000000000000001 in eu-west-1 is failed")
        .assert_said("Client.VolumeLimitExceeded: Volume limit exceeded");
    assert!(cloud.world.images().is_empty());
    assert!(cloud.world.snapshots().is_empty());
}

/// A snapshot seconds before CreateImage made it fail later with nothing but an internal error.
#[tokio::test(start_paused = true)]
async fn snapshot_rate_of_a_volume_is_waited_out_boto3_1698() {
    let cloud = Cloud::new();
    let volume = &cloud.instance().volumes[0].id;
    let started = iso(cloud.world.now());
    let fresh = Snapshot::completed("snap-0fresh").of_volume(volume);
    cloud.world.add_snapshot(fresh.started(&started));
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("had a snapshot less than 15 s ago");
    let created = &cloud.fake.requests_for("ec2:CreateImage")[0];
    assert!(
        created.when >= Duration::from_secs(14),
        "{:?}",
        created.when
    );
}

/// Scheduled backups of the same volume are under way: as many as EC2 makes at a time.
#[tokio::test(start_paused = true)]
async fn concurrent_snapshots_of_aws_backup_repost_backup_image_creation_throttled() {
    for (kind, most) in [("gp3", 5), ("st1", 1)] {
        let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 500).kind(kind);
        let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
        for n in 0..most {
            let pending = Snapshot::pending(&format!("snap-0backup{n}"), 50);
            cloud
                .world
                .add_snapshot(pending.of_volume("vol-000000000000da7a0"));
        }
        let world = cloud.world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(10 * MINUTE).await;
            world.change_snapshot("snap-0backup0", |one| {
                "completed".clone_into(&mut one.state)
            });
        });
        let ended = cloud.run().end().await;
        ended
            .assert_code(0)
            .assert_said(&format!("has {most} snapshots pending"));
        let created = &cloud.fake.requests_for("ec2:CreateImage")[0];
        assert!(created.when >= 10 * MINUTE, "{kind}: {ended}");
    }
}

/// Using an image that is not available yet: nothing of ours does.
#[tokio::test(start_paused = true)]
async fn image_used_while_it_is_pending_packer_12162() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(20 * MINUTE)]);
    let ended = cloud
        .run()
        .all([("share_with", "111122223333"), ("copy_to", "us-east-1")])
        .end()
        .await;
    ended.assert_code(0).refute_said("InvalidAMIID.Unavailable");
}

// --- Orphans ------------------------------------------------------------------------------------

/// A timeout or Ctrl-C left image and snapshot behind, untagged.
#[tokio::test(start_paused = true)]
async fn orphan_after_a_timeout_packer_10248_8149_open_cloud_config_115() {
    let cloud = Cloud::new();
    let before = format!("{:?}", cloud.world.instances());
    cloud.world.outcomes([Course::never(HOUR)]);
    let run = cloud.run().set("on_timeout", "clean").timeout(HOUR);
    run.end().await.assert_code(1);
    assert!(cloud.world.images().is_empty());
    assert!(cloud.world.snapshots().is_empty());
    // Nothing was started for it that could live on, and its instance is as it was.
    assert_eq!(format!("{:?}", cloud.world.instances()), before);
}

/// Snapshots survived the deregistration of their image.
#[tokio::test(start_paused = true)]
async fn snapshots_survive_the_image_packer_3320_8116_compiler_explorer_2220() {
    let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 500);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    // EC2 answers that it did not delete one of them.
    cloud
        .world
        .fail_associated_deletion("snap-00000000000000101", "internal-error");
    cloud.run().end().await.assert_code(1);
    assert!(cloud.world.snapshots().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_cannot_be_deleted_is_listed_teleport_1982() {
    let cloud = Cloud::new();
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    cloud
        .world
        .fail_snapshot_deletion("snap-00000000000000100", "missing-permissions");
    let ended = cloud.run().end().await;
    ended.assert_code(5).assert_said(
        "aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-00000000000000100",
    );
}

#[tokio::test(start_paused = true)]
async fn a_protected_image_that_cannot_go_is_listed_with_its_command() {
    let cloud = Cloud::new();
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    let world = cloud.world.clone();
    cloud.fake.intercept(move |request| {
        if request.operation == "DeregisterImage" {
            world.protect_image("ami-00000000000000001");
        }
        Fate::Served
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(5)
        .assert_said("deregistration protection enabled")
        .assert_said(
            "aws ec2 deregister-image --region eu-west-1 --image-id ami-00000000000000001",
        );
}

// --- Deleting the wrong image -------------------------------------------------------------------

/// The old image went before the new one was good; after a failed build there was none.
#[tokio::test(start_paused = true)]
async fn old_image_goes_before_the_new_one_is_good_packer_1873() {
    let cloud = Cloud::new();
    let old = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-41");
    cloud.world.add_image(old.tag("make-ami:app", "web"));
    cloud
        .world
        .outcomes([Course::failed(MINUTE, "Server.InternalError", "x")]);
    let run = cloud.run();
    let ended = run
        .all([("app", "web"), ("keep", "1"), ("retire", "deregister")])
        .end()
        .await;
    ended.assert_code(1);
    assert_eq!(cloud.world.images()[0].id, "ami-0aaaaaaaaaaaaaaaa");
}

/// A job that ran again removed the image that the live group used.
#[tokio::test(start_paused = true)]
async fn a_job_that_runs_again_keeps_the_image_in_use_osbuild_composer_4418() {
    let cloud = Cloud::new();
    let build = || cloud.run().in_build("web:1");
    let first = build().end().await;
    let image = first.assert_code(0).ami().to_owned();
    let calls = build().end().await.assert_code(0).calls.len();
    for n in 0..calls {
        let again = build().at_call(n, Event::Sigterm).end().await;
        assert!(matches!(again.code, Some(0 | 143)), "call {n}: {again}");
        assert_eq!(cloud.image(&image).state, "available", "call {n}: {again}");
    }
    // Neither does a late one, nor one that only waits.
    let late = build().set("on_timeout", "clean");
    late.timeout(Duration::from_millis(400)).end().await;
    let waiting = cloud.run().go_on("wait", &image);
    let waiting = waiting.at_call(3, Event::Sigterm).end().await;
    waiting.assert_code(143).assert_said(&image);
    assert_eq!(cloud.image(&image).state, "available");
}

/// Launch templates outside of a group, group members and SSM parameters were not looked at.
#[tokio::test(start_paused = true)]
async fn images_in_use_are_kept_amicleaner_5_ami_management_32_truss_176() {
    let cloud = Cloud::new();
    let ids = ["a", "b", "c", "d"].map(|letter| format!("ami-0{}", letter.repeat(16)));
    for (n, id) in ids.iter().enumerate() {
        let old = Image::available(id, &format!("web-{n}")).tag("make-ami:app", "web");
        cloud.world.add_image(old);
    }
    let template = LaunchTemplate::new("lt-0123456789abcdef0", "web", [ids[0].as_str()]);
    cloud.world.add_launch_template(template);
    let member = Instance::running("i-0fedcba9876543210").in_group("web");
    cloud.world.add_instance(member.image(&ids[1]));
    let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/web/ami";
    cloud.world.reference(&ids[2], "ssm:Parameter", parameter);
    let run = cloud.run();
    let ended = run
        .all([("app", "web"), ("keep", "1"), ("retire", "deregister")])
        .end()
        .await;
    ended
        .assert_code(0)
        .assert_said("launch-template/lt-0123456789abcdef0 refers to it, and 1 more")
        .assert_said("instance i-0fedcba9876543210 refers to it")
        .assert_said(&format!("{parameter} refers to it"));
    let mut left: Vec<String> = cloud.world.images().into_iter().map(|one| one.id).collect();
    left.retain(|id| ids.contains(id));
    assert_eq!(left, ids[..3], "{ended}");
}

/// There was no way to see first what would go.
#[tokio::test(start_paused = true)]
async fn what_would_go_is_shown_first_amicleaner_57_77() {
    let cloud = Cloud::new();
    let old = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-41").tag("make-ami:app", "web");
    cloud.world.add_image(old);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    let run = cloud.run().dry_run().plan_file(&file);
    let ended = run.all([("app", "web"), ("keep", "1")]).end().await;
    ended.assert_code(0);
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(plan["retention"][0]["image_id"], "ami-0aaaaaaaaaaaaaaaa");
    assert_eq!(plan["retention"][0]["step"], "deprecate");
    assert_eq!(cloud.world.images().len(), 1);
}

// --- No-reboot damage ---------------------------------------------------------------------------

/// Zero-length files, cut logs, corrupt objects in images of a running instance: the log and a tag
/// say what the image is.
#[tokio::test(start_paused = true)]
async fn no_reboot_is_said_openedx_3828_elbas_22_mozsearch_1110_ansible_5276() {
    let cloud = Cloud::new();
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("no-reboot: the image is as after a power cut");
    let tags = cloud.image(ended.ami()).tags;
    let mode = ("make-ami:consistency".to_owned(), "no-reboot".to_owned());
    assert!(tags.contains(&mode), "{tags:?}");
}

/// "It rebooted although I said no": what is asked for is in the request.
#[tokio::test(start_paused = true)]
async fn only_reboot_reboots_boto_3736() {
    for (mode, reboots) in [("no-reboot", 0), ("reboot", 1), ("quiesce", 0), ("stop", 0)] {
        let cloud = Cloud::new();
        let run = cloud.run().set("consistency", mode);
        let run = match mode {
            "quiesce" => run.set("quiesce_containers", "db"),
            _ => run,
        };
        run.end().await.assert_code(0);
        assert_eq!(cloud.instance().reboots, reboots, "{mode}");
    }
}

// --- Slow ---------------------------------------------------------------------------------------

/// Copies to several regions queued one behind the other.
#[tokio::test(start_paused = true)]
async fn copies_go_on_at_the_same_time_packer_10242() {
    let cloud = Cloud::new();
    cloud.world.copy_outcomes([Course::available(20 * MINUTE)]);
    let run = cloud
        .run()
        .set("copy_to", "us-east-1,us-west-2,eu-central-1");
    let ended = run.end().await;
    ended.assert_code(0);
    assert!(ended.took < 25 * MINUTE, "{ended}");
}

/// Nobody could tell a slow image from a stuck one.
#[tokio::test(start_paused = true)]
async fn slow_is_told_from_stuck_packer_plugin_amazon_520() {
    let cloud = Cloud::new();
    let course = Course::available(30 * MINUTE).progress(Progress::stalls([(0.4, 0.6)]));
    cloud.world.outcomes([course]);
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("% of 8 GiB")
        .assert_said("MiB/s, about");
    // A line at least every 30 s.
    assert!(
        ended.said.matches("waiting for image").count() >= 55,
        "{ended}"
    );
}

// --- Encryption and sharing ---------------------------------------------------------------------

/// An image whose snapshots AWS's own key encrypts cannot be shared, which was found out last.
#[tokio::test(start_paused = true)]
async fn default_key_cannot_be_shared_packer_7410_8271() {
    let own = Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab");
    let of_aws = Key::aws_ebs("aaaaaaaa-12ab-34cd-56ef-1234567890ab");
    for (key, is_shared) in [(&of_aws, false), (&own, true)] {
        let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 8).encrypted(&key.arn());
        let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
        cloud.world.aws_managed_key(&of_aws.arn());
        cloud.kms.add(own.clone());
        cloud.kms.add(of_aws.clone());
        let run = cloud.run().set("share_with", "111122223333");
        let ended = run.end().await;
        if is_shared {
            ended.assert_code(0);
        } else {
            ended
                .assert_code(2)
                .assert_said("cannot be shared")
                .assert_said("nothing was touched");
            assert!(!ended.changed_anything(), "{ended}");
        }
    }
}

/// Encrypted copies were not tagged, or tagged too early.
#[tokio::test(start_paused = true)]
async fn encrypted_copies_are_tagged_packer_6369_6434() {
    let cloud = Cloud::new();
    let key = Key::customer("9234abcd-12ab-34cd-56ef-1234567890ab").alias("alias/images");
    cloud.kms.add(key.region("us-east-1"));
    let ended = cloud
        .run()
        .all([
            ("copy_to", "us-east-1"),
            ("kms_key", "alias/images"),
            ("tags", "team=web"),
        ])
        .end()
        .await;
    ended.assert_code(0);
    let copy = &cloud.world.images_in("us-east-1")[0];
    let snapshot = &cloud.world.snapshots_in("us-east-1")[0];
    assert_eq!(copy.tags, cloud.image(ended.ami()).tags);
    assert_eq!(copy.tags, snapshot.tags);
    assert!(snapshot.encrypted);
    assert_eq!(snapshot.kms_key.as_deref(), Some("alias/images"));
}

// --- What was and was not done ------------------------------------------------------------------

/// One region's error read as if only that region had failed, when nothing had been done anywhere.
#[tokio::test(start_paused = true)]
async fn a_failed_region_says_what_the_others_have_bottlerocket_2688() {
    let cloud = Cloud::new();
    cloud.fake.intercept(|request| {
        let refused =
            request.operation == "CopyImage" && request.region().as_deref() == Some("us-west-2");
        match refused {
            true => Fate::Answered(Reply::error(
                400,
                "ResourceLimitExceeded",
                "You have reached your limit",
            )),
            false => Fate::Served,
        }
    });
    let run = cloud
        .run()
        .set("copy_to", "us-east-1,us-west-2,eu-central-1");
    let ended = run.end().await;
    let home = &cloud.world.images()[0].id;
    let copy = &cloud.world.images_in("us-east-1")[0].id;
    ended
        .assert_code(5)
        .assert_said(&format!(
            "cannot copy image {home} from eu-west-1 to us-west-2"
        ))
        .assert_said("ResourceLimitExceeded: You have reached your limit")
        .assert_said(&format!("remains: image {home} in eu-west-1"))
        .assert_said(&format!("remains: image {copy} in us-east-1"));
    assert!(cloud.world.images_in("eu-central-1").is_empty());
}
