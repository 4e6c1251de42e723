//! Waiting: too short, and in the dark.

use super::{HOUR, MINUTE};
use crate::inside::Cloud;
use harness::ec2::{Course, Progress};

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
        .assert_said("make-ami wait --image ami-00000000000000001");
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
    let run = cloud.run().set("tag", "team=web").timeout(10 * MINUTE);
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
