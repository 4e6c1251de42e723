//! Throttling.

use super::MINUTE;
use crate::inside::Cloud;
use harness::ec2::Course;
use harness::{Fate, Reply};

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
    let cloud = Cloud::in_region("eu-north-1");
    for operation in ["ec2:ModifySnapshotAttribute", "ec2:ModifyImageAttribute"] {
        let storm = std::iter::repeat_n(Reply::throttled(), 8);
        cloud.fake.first(operation, storm);
    }
    let run = cloud.run().set("share_with", "111122223333");
    let ended = run.end().await;
    let image = cloud.image(ended.assert_code(0).ami());
    assert_eq!(image.shared_with, ["111122223333"]);
}
