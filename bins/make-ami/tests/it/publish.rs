//! What happens to an available image: copies, sharing, deprecation, the parameter, the manifest.

use crate::INSTANCE;
use crate::inside::{Cloud, Event};
use action::codebuild::CodeBuild;
use harness::ec2::{Course, Instance, Volume};
use harness::kms::Key;
use harness::ssm::ImageCheck;
use harness::{Fate, Reply};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// All that makes an image known to others.
const PUBLISHING: [(&str, &str); 4] = [
    ("ssm_parameter", "/web/ami"),
    ("share_with", "111122223333"),
    ("copy_to", "us-east-1"),
    ("deprecate_after", "90d"),
];

// --- Copies -------------------------------------------------------------------------------------

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

// --- Sharing ------------------------------------------------------------------------------------

const ORGANIZATION: &str = "arn:aws:organizations::123456789012:organization/o-exampleorgid";
const UNIT: &str = "arn:aws:organizations::123456789012:ou/o-exampleorgid/ou-abcd-12345678";

#[tokio::test(start_paused = true)]
async fn snapshots_are_shared_before_the_image_and_organizations_through_the_image_alone() {
    let data = Volume::new("vol-000000000000da7a0", "/dev/sdf", 80);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(data)]);
    let with = format!("111122223333,{ORGANIZATION},{UNIT}");
    let ended = cloud.run().set("share_with", with).end().await;
    ended.assert_code(0);
    let order: Vec<&String> = ended
        .calls
        .iter()
        .filter(|call| call.contains(":Modify"))
        .collect();
    assert_eq!(
        order,
        [
            "ec2:ModifySnapshotAttribute",
            "ec2:ModifySnapshotAttribute",
            "ec2:ModifyImageAttribute"
        ]
    );
    let image = cloud.image(ended.ami());
    assert_eq!(image.shared_with, ["111122223333", ORGANIZATION, UNIT]);
    for id in image.snapshots() {
        assert_eq!(cloud.snapshot(&id).shared_with, ["111122223333"]);
    }
}

#[tokio::test(start_paused = true)]
async fn copies_are_shared_too() {
    let cloud = Cloud::new();
    let ended = cloud
        .run()
        .all([("copy_to", "us-east-1"), ("share_with", "111122223333")])
        .end()
        .await;
    ended.assert_code(0);
    let copy = &cloud.world.images_in("us-east-1")[0];
    assert_eq!(copy.shared_with, ["111122223333"]);
    let snapshot = &cloud.world.snapshots_in("us-east-1")[0];
    assert_eq!(snapshot.shared_with, ["111122223333"]);
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_the_regions_default_key_cannot_be_shared_and_is_refused_first() {
    let key = Key::customer("1234abcd-12ab-34cd-56ef-1234567890ab");
    let disk = Volume::new("vol-000000000000da7a0", "/dev/sdf", 8).encrypted(&key.arn());
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(disk)]);
    cloud.kms.add(key);
    let share = [("copy_to", "us-east-1"), ("share_with", "111122223333")];
    let ended = cloud.run().all(share).end().await;
    ended
        .assert_code(2)
        .assert_said("the copy in us-east-1 would be encrypted with that Region's default key")
        .assert_said("MAKE_AMI_KMS_KEY");
    assert!(!ended.changed_anything(), "{ended}");
    let away = Key::customer("9234abcd-12ab-34cd-56ef-1234567890ab").alias("alias/images");
    cloud.kms.add(away.region("us-east-1"));
    let ended = cloud.run().all(share).set("kms_key", "alias/images");
    ended.end().await.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_to_share_keeps_the_image_and_says_what_to_allow() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    cloud
        .fake
        .first("ec2:ModifyImageAttribute", [Reply::unauthorized()]);
    let run = || {
        let run = cloud.run().in_build("web:1");
        run.set("share_with", "111122223333")
    };
    let refused = run().end().await;
    refused
        .assert_code(5)
        .assert_said("hint: allow ec2:ModifyImageAttribute for the role")
        .assert_said("make-ami wait --image-id ami-00000000000000001");
    let ended = run().end().await;
    assert_eq!(ended.assert_code(0).ami(), "ami-00000000000000001");
    assert!(ended.took < MINUTE, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_to_tag_keeps_the_image() {
    let cloud = Cloud::new();
    cloud.fake.first("ec2:CreateTags", [Reply::unauthorized()]);
    let run = || cloud.run().in_build("web:1").set("snapshot_tags", "after");
    let refused = run().end().await;
    refused
        .assert_code(5)
        .assert_said("hint: allow ec2:CreateTags");
    run().end().await.assert_code(0);
    assert_eq!(cloud.world.images().len(), 1);
}

// --- Deprecation --------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn an_image_and_its_copies_are_deprecated_after_a_time() {
    let cloud = Cloud::new();
    let ended = cloud
        .run()
        .all([("deprecate_after", "90d"), ("copy_to", "us-east-1")])
        .end()
        .await;
    ended.assert_code(0);
    let day = |image: &harness::ec2::Image| image.deprecation.clone().unwrap()[..10].to_owned();
    let expected = harness::ec2::iso(cloud.world.now() + 90 * 24 * 60 * MINUTE);
    assert_eq!(day(&cloud.image(ended.ami())), expected[..10]);
    assert_eq!(day(&cloud.world.images_in("us-east-1")[0]), expected[..10]);
}

#[tokio::test(start_paused = true)]
async fn the_time_to_deprecation_counts_from_the_images_creation() {
    let cloud = Cloud::new();
    let created = cloud.world.now();
    cloud.run().command("start").end().await.assert_code(0);
    tokio::time::sleep(5 * 24 * 60 * MINUTE).await;
    let id = cloud.world.images()[0].id.clone();
    let run = cloud.run().go_on("wait", &id);
    run.set("deprecate_after", "90d").end().await.assert_code(0);
    let expected = harness::ec2::iso(created + 90 * 24 * 60 * MINUTE);
    let found = cloud.image(&id).deprecation.unwrap();
    assert_eq!(found[..10], expected[..10]);
}

// --- The parameter ------------------------------------------------------------------------------

/// An account whose parameter names an older image.
fn with_parameter() -> Cloud {
    let cloud = Cloud::new();
    cloud.ssm.add_parameter(
        "/web/ami",
        "String",
        "aws:ec2:image",
        "ami-0aaaaaaaaaaaaaaaa",
    );
    cloud
}

#[tokio::test(start_paused = true)]
async fn the_parameter_is_written_last_typed_as_an_image_and_read_back() {
    let cloud = with_parameter();
    cloud.ssm.image_check(ImageCheck::PassesAfter(3));
    let ended = cloud.run().all(PUBLISHING).end().await;
    ended.assert_code(0).assert_said("parameter /web/ami holds");
    let parameter = cloud.ssm.parameter("/web/ami").unwrap();
    assert_eq!(parameter.value, ended.ami());
    assert_eq!(parameter.data_type, "aws:ec2:image");
    let changes: Vec<&String> = ended
        .calls
        .iter()
        .filter(|call| !call.contains(":Describe") && !call.contains(":Get"))
        .collect();
    assert_eq!(*changes.last().unwrap(), "ssm:PutParameter", "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_does_not_take_the_image_is_no_success() {
    let cloud = with_parameter();
    cloud.ssm.image_check(ImageCheck::Fails);
    let ended = cloud.run().set("ssm_parameter", "/web/ami").end().await;
    ended
        .assert_code(5)
        .assert_said("parameter /web/ami in eu-west-1 did not take ami-00000000000000001")
        .assert_said("it holds \"ami-0aaaaaaaaaaaaaaaa\"");
    assert!(ended.exports.is_empty());
    assert_eq!(cloud.world.images().len(), 1);
}

/// From the write on, somebody may launch what the parameter names.
#[tokio::test(start_paused = true)]
async fn an_image_that_a_parameter_names_is_not_taken_back_by_a_signal() {
    for operation in ["ssm:PutParameter", "ssm:GetParameter"] {
        let cloud = Cloud::new();
        cloud.ssm.image_check(ImageCheck::PassesAfter(2));
        let run = cloud.run().set("ssm_parameter", "/web/ami");
        let ended = run.at_first(operation, Event::Sigterm).end().await;
        let image = &cloud.world.images()[0];
        assert_eq!(ended.assert_code(0).ami(), image.id);
        assert_eq!(image.state, "available", "{ended}");
        assert_eq!(cloud.ssm.parameter("/web/ami").unwrap().value, image.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_before_the_parameter_is_written_takes_the_image_back() {
    let cloud = Cloud::new();
    let run = cloud
        .run()
        .all([("ssm_parameter", "/web/ami"), ("deprecate_after", "90d")]);
    let operation = "ec2:EnableImageDeprecation";
    let ended = run.at_first(operation, Event::Sigterm).end().await;
    ended.assert_code(143);
    assert_eq!(ended.count("ssm:PutParameter"), 0, "{ended}");
    assert!(cloud.world.images().is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_put_parameter_is_written_again() {
    let cloud = Cloud::new();
    cloud.fake.lose_reply("ssm:PutParameter");
    let ended = cloud.run().set("ssm_parameter", "/web/ami").end().await;
    ended.assert_code(0);
    assert_eq!(cloud.ssm.parameter("/web/ami").unwrap().value, ended.ami());
}

// --- The manifest -------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn the_manifest_tells_what_was_made_of_what_and_what_it_costs() {
    let data = Volume::new("vol-000000000000da7a0", "/dev/sdf", 80).written(8 << 30);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(data)]);
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let build = CodeBuild {
        build_id: Some("web:1".to_owned()),
        initiator: Some("codepipeline/web-prod".to_owned()),
        resolved_source_version: Some("0123456789abcdef".to_owned()),
        ..CodeBuild::default()
    };
    let run = cloud
        .run()
        .build(build)
        .set("manifest", path.to_str().unwrap());
    let ended = run
        .all([
            ("copy_to", "us-east-1"),
            ("share_with", "111122223333"),
            ("tags", "team=web"),
            ("app", "web"),
        ])
        .end()
        .await;
    ended.assert_code(0);
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let image = cloud.image(ended.ami());
    assert_eq!(manifest["image_id"], image.id);
    assert_eq!(manifest["name"], "web-42");
    assert_eq!(manifest["region"], "eu-west-1");
    assert_eq!(manifest["snapshots"][1]["id"], image.snapshots()[1]);
    assert_eq!(
        manifest["snapshots"][1]["volume_id"],
        "vol-000000000000da7a0"
    );
    assert_eq!(manifest["snapshots"][1]["full_bytes"], 8_u64 << 30);
    assert_eq!(manifest["source"]["instance_id"], INSTANCE);
    assert_eq!(manifest["source"]["consistency"], "no-reboot");
    assert_eq!(manifest["build"]["id"], "web:1");
    assert_eq!(manifest["build"]["commit"], "0123456789abcdef");
    assert_eq!(manifest["build"]["pipeline"], "web-prod");
    assert_eq!(manifest["tags"]["team"], "web");
    assert_eq!(manifest["tags"]["make-ami:app"], "web");
    assert_eq!(manifest["copies"][0]["region"], "us-east-1");
    assert_eq!(manifest["shared_with"][0], "account 111122223333");
    let seconds = manifest["times"]["seconds"].as_u64().unwrap();
    assert!((1800..2000).contains(&seconds), "{manifest:#}");
    let times = ["started", "available", "finished"].map(|time| manifest["times"][time].as_str());
    let times: Vec<&str> = times.into_iter().map(Option::unwrap).collect();
    assert!(times[0] < times[1] && times[1] <= times[2], "{manifest:#}");
    assert_eq!(manifest["cost"]["copies_not_counted"], 1);
    ended.assert_said("not counted: 1 copy of it");
    // 10 GiB in all, at the list price.
    assert_eq!(manifest["cost"]["billed_bytes_at_most"], 10_u64 << 30);
    assert_eq!(manifest["cost"]["usd_per_month"], 0.5);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_written_is_refused_first_and_later_keeps_the_image() {
    let cloud = Cloud::new();
    let run = cloud.run().set("manifest", "/nowhere/manifest.json");
    let ended = run.end().await;
    ended
        .assert_code(2)
        .assert_said("there can be no manifest; nothing was touched")
        .assert_said("No such file or directory");
    assert!(ended.calls.is_empty(), "{ended}");
    // Its folder goes while the image is made.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let folder = std::sync::Mutex::new(Some(folder));
    cloud.fake.intercept(move |request| {
        if request.operation == "CreateImage" {
            drop(folder.lock().unwrap().take());
        }
        Fate::Served
    });
    let run = cloud.run().set("manifest", path.to_str().unwrap());
    let ended = run.end().await;
    ended
        .assert_code(5)
        .assert_said("cannot write the manifest");
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn faults_of_one_call_each_in_publishing_are_retried() {
    let cloud = Cloud::new();
    let seen = std::sync::Mutex::new(std::collections::BTreeSet::new());
    cloud.fake.intercept(move |request| {
        // The SDK's own retry is off for CreateImage; that has tests of its own.
        let is_new = seen.lock().unwrap().insert(request.name());
        match is_new && request.operation != "CreateImage" {
            true => Fate::Answered(Reply::close()),
            false => Fate::Served,
        }
    });
    let ended = cloud.run().all(PUBLISHING).end().await;
    ended.assert_code(0);
}
