//! Limits of EC2 that pass are waited out; others end the run.

use super::AWAY;
use crate::inside::Cloud;
use harness::Reply;
use std::time::Duration;

fn limit(code: &str) -> Reply {
    Reply::error(400, code, "the limit is reached")
}

const PASSING: [&str; 5] = [
    "ConcurrentCreateImageNoRebootLimitExceeded",
    "ConcurrentSnapshotLimitExceeded",
    "PendingSnapshotLimitExceeded",
    "SnapshotCreationPerVolumeRateExceeded",
    "ResourceLimitExceeded",
];

#[tokio::test(start_paused = true)]
async fn limits_that_pass_are_waited_out_whatever_they_are_of() {
    for code in PASSING {
        for operation in ["ec2:CreateImage", "ec2:CopyImage"] {
            let cloud = Cloud::new();
            // More often than a service that fails is asked.
            cloud.fake.first(operation, vec![limit(code); 12]);
            let ended = cloud.run().set("copy_to", AWAY).end().await;
            ended.assert_code(0).assert_said(code);
            assert_eq!(ended.count(operation), 13, "{operation}: {ended}");
            assert!(
                ended.took > Duration::from_secs(200),
                "{operation}: {ended}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_lasts_ends_with_the_deadline_and_names_itself() {
    let cloud = Cloud::new();
    cloud.fake.first(
        "ec2:CreateImage",
        vec![limit("PendingSnapshotLimitExceeded"); 500],
    );
    let run = cloud.run().timeout(Duration::from_secs(600));
    let ended = run.end().await;
    ended
        .assert_code(6)
        .assert_said("the last error of CreateImage: PendingSnapshotLimitExceeded");
    assert!(cloud.world.images().is_empty());
    let cloud = Cloud::new();
    cloud
        .fake
        .first("ec2:CopyImage", vec![limit("ResourceLimitExceeded"); 500]);
    let run = cloud.run().in_build("web:1").set("copy_to", AWAY);
    let ended = run.timeout(Duration::from_secs(600)).end().await;
    ended
        .assert_code(6)
        .assert_said("the last error of CopyImage: ResourceLimitExceeded")
        .assert_said("make-ami wait --image ami-");
    assert!(ended.exports.is_empty());
}

/// A full quota stays full until somebody deletes something.
#[tokio::test(start_paused = true)]
async fn limits_that_do_not_pass_end_the_run_at_once() {
    for code in ["SnapshotLimitExceeded", "AMIQuotaExceeded"] {
        let cloud = Cloud::new();
        cloud.fake.first("ec2:CreateImage", [limit(code)]);
        let ended = cloud.run().end().await;
        ended.assert_code(1).assert_said(code);
        assert_eq!(ended.count("ec2:CreateImage"), 1);
    }
}
