//! Tags on images and snapshots.

use crate::job::Job;
use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::{self, Ended, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::Tag;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How long EC2 may not know a resource that it has just made
/// (<https://github.com/ansible/ansible/issues/4368>), and how often it is asked.
const UNKNOWN_FOR: Duration = Duration::from_secs(22);
const PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(2),
};

pub(crate) async fn tag(
    job: &Job,
    resources: Vec<String>,
    tags: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let shown = resources.join(", ");
    let operation = format!("cannot tag {shown} in {}", job.home.region);
    let mut unknown = None;
    let look = async || {
        let call = job.home.ec2.create_tags();
        let call = call
            .set_resources(Some(resources.clone()))
            .set_tags(Some(sdk_tags(tags)));
        let Err(error) = call.send().await else {
            return Ok(Look::There(()));
        };
        let error = AwsError::of(&error);
        let failure = error.failure(&operation, "ec2:CreateTags");
        let code = error.code.as_deref();
        let is_unknown = code.is_some_and(|code| code.ends_with(".NotFound"));
        if !is_unknown || job.context.interrupt.pending().is_some() {
            return Err(failure);
        }
        unknown = Some(failure);
        Ok(Look::NotYet(error.to_string()))
    };
    let what = format!("EC2 to know {shown}");
    let deadline = job.context.deadline.min(Instant::now() + UNKNOWN_FOR);
    // A signal ends the wait, and never drops the call: the tag may be a proof.
    let waited = wait::until(&what, deadline, &Interrupt::never(), PACE, look).await;
    waited.map_err(|ended| match (ended, unknown) {
        (Ended::Deadline(_), Some(failure)) => failure,
        (ended, _) => ended.into_failure(&what),
    })
}

/// Tags as the SDK takes them.
pub(crate) fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}
