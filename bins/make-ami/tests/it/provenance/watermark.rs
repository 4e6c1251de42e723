//! Watermarks.

use crate::INSTANCE;
use crate::inside::{Cloud, Event};
use harness::Reply;
use harness::ec2::{Course, Image, Instance};
use std::time::Duration;

const AWAY: &str = "us-east-1";
const KEY: &str = "123456789012:approved";
const ATTACH: &str = "ec2:AttachImageWatermark";
const BASE: &str = "ami-0000000000000ba5e";

/// An account whose instance was started from an image with these watermarks.
fn with_base(watermarks: &[&str]) -> Cloud {
    let cloud = Cloud::with([Instance::running(INSTANCE).image(BASE)]);
    let base = Image::available(BASE, "base");
    let base = watermarks
        .iter()
        .fold(base, |base, key| base.watermark(key));
    cloud.world.add_image(base);
    cloud
}

#[tokio::test(start_paused = true)]
async fn a_watermark_is_attached_when_the_image_is_available_and_its_copies_inherit_it() {
    let cloud = with_base(&["111122223333:base"]);
    let settings = [("watermark", "approved,web (1)"), ("copy_to", AWAY)];
    let ended = cloud.run().all(settings).end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("attached watermark {KEY} to ami-"));
    assert_eq!(ended.count(ATTACH), 2, "none is attached to the copy");
    let image = cloud.image(ended.ami());
    let keys = ["111122223333:base", KEY, "123456789012:web (1)"];
    assert_eq!(image.watermark_keys(), keys);
    let copy = &cloud.world.images_in(AWAY)[0];
    assert_eq!(copy.watermark_keys(), keys);
    assert_eq!(copy.watermarks[1].image, image.id);
    let at = |name: &str| ended.calls.iter().rposition(|call| call == name);
    assert!(at(ATTACH) < at("ec2:CopyImage"), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_never_becomes_available_gets_none() {
    let cloud = Cloud::new();
    let failed = Course::failed(Duration::from_secs(60), "Server.InternalError", "x");
    cloud.world.outcomes([failed]);
    let ended = cloud.run().set("watermark", "approved").end().await;
    assert_eq!(ended.assert_code(1).count(ATTACH), 0);
}

/// The run that asked for it may be the second one; EC2 perhaps refuses to attach a watermark twice.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_try_made_gets_what_it_lacks_and_nothing_twice() {
    let cloud = Cloud::new();
    let run = || cloud.run().in_build("web:1").set("copy_to", AWAY);
    run().end().await.assert_code(0);
    for attached in [2, 0] {
        let ended = run().set("watermark", "approved").end().await;
        assert_eq!(ended.assert_code(0).count(ATTACH), attached, "{ended}");
    }
    assert_eq!(cloud.world.images()[0].watermark_keys(), [KEY]);
    assert_eq!(cloud.world.images_in(AWAY)[0].watermark_keys(), [KEY]);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_lost_is_found_again() {
    let cloud = Cloud::new();
    cloud.fake.lose_reply(ATTACH);
    let ended = cloud.run().set("watermark", "approved").end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("attached watermark {KEY}"));
    assert_eq!(cloud.image(ended.ami()).watermark_keys(), [KEY]);
}

#[tokio::test(start_paused = true)]
async fn an_image_whose_watermark_is_refused_is_not_copied_not_exported_and_stays() {
    let limit = Reply::error(400, "ImageWatermarkLimitExceeded", "too many");
    for (reply, code, said) in [
        (Reply::unauthorized(), 5, "allow ec2:AttachImageWatermark"),
        (limit, 5, "ImageWatermarkLimitExceeded"),
    ] {
        let cloud = Cloud::new();
        cloud.fake.on(ATTACH, [reply]);
        let settings = [("watermark", "approved"), ("copy_to", AWAY)];
        let ended = cloud.run().all(settings).end().await;
        ended
            .assert_code(code)
            .assert_said("cannot attach watermark \"approved\" to image ami-")
            .assert_said(said)
            .assert_said("make-ami wait --image ami-");
        assert!(ended.exports.is_empty());
        assert_eq!(ended.count("ec2:CopyImage"), 0);
        assert_eq!(cloud.world.images().len(), 1);
    }
}

/// EC2's answer says which key there is now.
#[tokio::test(start_paused = true)]
async fn another_watermark_than_the_one_that_was_asked_for_is_no_success() {
    let cloud = Cloud::new();
    let other = "<AttachImageWatermarkResponse><watermarkKey>123456789012:other</watermarkKey></AttachImageWatermarkResponse>";
    cloud.fake.on(ATTACH, [Reply::xml(other.to_owned())]);
    let ended = cloud.run().set("watermark", "approved").end().await;
    ended
        .assert_code(5)
        .assert_said("EC2 attached 123456789012:other");
}

#[tokio::test(start_paused = true)]
async fn more_watermarks_than_an_image_can_have_are_refused_before_anything_is_made() {
    let keys = ["1", "2", "3", "4", "5"].map(|n| format!("111122223333:base-{n}"));
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let cloud = with_base(&keys);
    let ended = cloud.run().set("watermark", "approved").end().await;
    ended
        .assert_code(2)
        .assert_said("the image would have 6 watermarks, and EC2 allows 5; nothing was touched")
        .assert_said(&format!(
            "it inherits these from {BASE}: 111122223333:base-1,"
        ));
    assert!(!ended.changed_anything(), "{ended}");
    // One of the same name may be the very one, and an image that is gone tells nothing.
    let cloud = with_base(&[&keys[..4], &[KEY]].concat());
    let ended = cloud.run().set("watermark", "approved").end().await;
    ended.assert_code(0).assert_said(&format!(
        "has watermark {KEY} from {BASE} already: it says that {BASE} was found good"
    ));
    assert_eq!(ended.count(ATTACH), 0);
    let cloud = Cloud::new();
    let ended = cloud.run().set("watermark", "approved").end().await;
    ended.assert_code(0);
}

/// The image was found whole by then, and the next run of the build adopts it.
#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_while_it_attaches_is_repaired_by_the_next() {
    let cloud = Cloud::new();
    let run = || cloud.run().in_build("web:1").set("watermark", "approved");
    let killed = run().at_first(ATTACH, Event::Sigkill).end().await;
    assert_eq!(killed.code, None);
    let ended = run().end().await;
    assert_eq!(ended.assert_code(0).count(ATTACH), 0, "{ended}");
    assert_eq!(cloud.world.images().len(), 1);
    assert_eq!(cloud.world.images()[0].watermark_keys(), [KEY]);
}

#[tokio::test(start_paused = true)]
async fn verify_wants_the_watermark_of_the_account_that_is_named() {
    let cloud = Cloud::new();
    let made = cloud.run().set("watermark", "approved").end().await;
    let verify = |key: &str| {
        let run = cloud.run().go_on("verify", made.ami());
        run.set("watermark", key).end()
    };
    let ended = verify(KEY).await;
    ended.assert_said(&format!(
        "watermark {KEY} was attached to {} in eu-west-1",
        made.ami()
    ));
    assert!(!ended.assert_code(0).changed_anything(), "{ended}");
    for other in ["111122223333:approved", "123456789012:approved2"] {
        let ended = verify(&format!("{KEY},{other}")).await;
        ended
            .assert_code(1)
            .assert_said("breaks 1 of the rules")
            .assert_said(&format!("it has no watermark {other}"));
        assert!(ended.exports.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_asks_whether_a_watermark_may_be_attached_and_the_plan_names_it() {
    let cloud = Cloud::new();
    let earlier = Image::available("ami-0aaaaaaaaaaaaaaaa", "web-41").tag("make-ami:app", "web");
    cloud.world.add_image(earlier);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let dry = || {
        let run = cloud.run().dry_run().plan_file(&path);
        run.all([("watermark", "approved"), ("app", "web")])
    };
    let ended = dry().end().await;
    ended.assert_code(0);
    let plan = || std::fs::read_to_string(&path).unwrap();
    assert!(plan().contains("\"watermarks\""), "{}", plan());
    let has = |answer: &str| {
        let plan: serde_json::Value = serde_json::from_str(&plan()).unwrap();
        let all = plan["permissions"].as_array().unwrap().clone();
        let one = all.into_iter().find(|one| one["action"] == ATTACH);
        let one = one.unwrap();
        assert!(one["answer"].as_str().unwrap().starts_with(answer), "{one}");
    };
    has("permitted");
    cloud.fake.first(ATTACH, [Reply::unauthorized()]);
    dry().end().await.assert_code(3);
    has("refused");
    let world = &cloud.world;
    world.change_image("ami-0aaaaaaaaaaaaaaaa", |image| {
        *image = image.clone().watermark(KEY);
    });
    dry().end().await.assert_code(0);
    has("not asked");
}
