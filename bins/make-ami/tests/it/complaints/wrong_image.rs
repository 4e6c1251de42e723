//! Deleting the wrong image.

use super::MINUTE;
use crate::inside::{Cloud, Event};
use harness::ec2::{Course, Image, Instance, LaunchTemplate};
use std::time::Duration;

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
