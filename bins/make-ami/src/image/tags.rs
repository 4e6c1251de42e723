//! Tags on images and snapshots.

use crate::job::Job;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::Tag;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often a resource that EC2 does not know yet is tagged
/// (<https://github.com/ansible/ansible/issues/4368>), and how long apart.
const TAG_TRIES: u32 = 12;
const TAG_PAUSE: Duration = Duration::from_secs(2);

pub(crate) async fn tag(
    job: &Job,
    resources: Vec<String>,
    tags: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let operation = format!("cannot tag {} in {}", resources.join(", "), job.home.region);
    for tries in 1.. {
        let call = job.home.ec2.create_tags();
        let call = call
            .set_resources(Some(resources.clone()))
            .set_tags(Some(sdk_tags(tags)));
        let Err(error) = call.send().await else {
            return Ok(());
        };
        let error = AwsError::of(&error);
        let is_unknown = error
            .code
            .as_deref()
            .is_some_and(|code| code.ends_with(".NotFound"));
        if !is_unknown || tries == TAG_TRIES || job.context.interrupt.pending().is_some() {
            return Err(error.failure(operation, "ec2:CreateTags"));
        }
        job.pause(TAG_PAUSE).await;
    }
    Ok(())
}

/// Tags as the SDK takes them.
pub(crate) fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}
