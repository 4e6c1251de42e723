//! What happens to an available image: copies, sharing, deprecation, the parameter, the manifest.

mod copies;
mod deprecation;
mod machine;
mod manifest;
mod parameter;
mod protection;
mod sharing;

use crate::inside::Cloud;
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
