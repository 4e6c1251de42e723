//! After a signal, whatever was held still is let go first, and nothing that goes slowly there holds the build up
//! beyond some minutes.

use crate::INSTANCE;
use crate::inside::{Cloud, Ended, Event};
use harness::ssm::Invocation;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

/// A run that quiesces, and gets SIGTERM while the image is requested.
async fn quiesced(cloud: &Cloud) -> Ended {
    let run = cloud.run().set("consistency", "quiesce");
    let run = run.set("quiesce_container", "db");
    run.at_first("ec2:CreateImage", Event::Sigterm).end().await
}

/// A run that stops the instance, and gets SIGTERM meanwhile.
async fn stopped(cloud: &Cloud) -> Ended {
    let run = cloud.run().set("consistency", "stop");
    run.at_first("ec2:StopInstances", Event::Sigterm)
        .end()
        .await
}

fn nothing_is_left(cloud: &Cloud, ended: &Ended) {
    assert!(cloud.world.images().is_empty(), "{ended}");
    assert!(cloud.world.snapshots().is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_thaw_that_takes_a_minute_is_waited_for_after_a_signal() {
    let cloud = Cloud::new();
    cloud.ssm.slow_commands(2, 10, 20);
    let ended = quiesced(&cloud).await;
    ended.assert_code(143).assert_said("stood still for 1.84s");
    assert!(ended.took > MINUTE && ended.took < 3 * MINUTE, "{ended}");
    assert_eq!(cloud.ssm.sent().len(), 2, "{ended}");
    nothing_is_left(&cloud, &ended);
}

/// The instance lets itself go; the run says so and ends.
#[tokio::test(start_paused = true)]
async fn a_thaw_that_nobody_answers_ends_within_minutes_after_a_signal() {
    let cloud = Cloud::new();
    cloud
        .ssm
        .on_command(|script, _| match script.contains("still.sh freeze") {
            true => (0, "frozen\n", "").into(),
            false => Invocation::without_code("InProgress"),
        });
    let ended = quiesced(&cloud).await;
    ended
        .assert_code(143)
        .assert_said("the deadline passed while waiting for command")
        .assert_said("last seen: InProgress")
        .assert_said("the instance thaws by itself 60 s after it was frozen");
    assert!((3 * MINUTE..4 * MINUTE).contains(&ended.took), "{ended}");
    nothing_is_left(&cloud, &ended);
}

/// Nobody knows how far the freeze came, and the thaw says that it did not undo all of it.
#[tokio::test(start_paused = true)]
async fn what_still_stands_still_after_a_freeze_that_nobody_answered_is_listed() {
    let cloud = Cloud::new();
    cloud
        .ssm
        .on_command(|script, _| match script.contains("still.sh freeze") {
            true => Invocation::without_code("TimedOut"),
            false => (202, "", "still: cannot thaw /data\n").into(),
        });
    let run = cloud.run().set("consistency", "quiesce");
    let ended = run.set("quiesce_mount", "/data").end().await;
    ended
        .assert_code(5)
        .assert_said(&format!("cannot quiesce instance {INSTANCE}"))
        .assert_said("still: cannot thaw /data")
        .assert_said(&format!("remains: containers or mounts of {INSTANCE}"));
    nothing_is_left(&cloud, &ended);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_takes_minutes_is_waited_for_after_a_signal() {
    let cloud = Cloud::new();
    cloud.world.slow_stops(5);
    cloud.world.slow_starts(20);
    let ended = stopped(&cloud).await;
    ended.assert_code(143);
    assert!(
        ended.took > 2 * MINUTE && ended.took < 5 * MINUTE,
        "{ended}"
    );
    assert_eq!(cloud.instance().state, "running", "{ended}");
    assert!(cloud.instance().tags.is_empty(), "{ended}");
    nothing_is_left(&cloud, &ended);
}

/// A deadline of six hours does not hold up a build that was told to stop.
#[tokio::test(start_paused = true)]
async fn a_start_that_never_ends_is_listed_five_minutes_after_a_signal() {
    let cloud = Cloud::new();
    cloud.world.slow_starts(1_000_000);
    let ended = stopped(&cloud).await;
    ended
        .assert_code(5)
        .assert_said("last seen: it is pending")
        .assert_said(&format!("remains: instance {INSTANCE}"))
        .assert_said(&format!(
            "aws ec2 start-instances --region eu-west-1 --instance-ids {INSTANCE}"
        ));
    assert!((5 * MINUTE..6 * MINUTE).contains(&ended.took), "{ended}");
    nothing_is_left(&cloud, &ended);
}
