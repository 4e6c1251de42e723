//! The proof that a quiesced image is one: for how long its instance stood still, as a tag.

use super::images;
use super::tagging::tag;
use crate::job::Job;
use crate::plan;
use action::failure::Failure;
use aws_sdk_ec2::types::Image;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tags the image with how long the instance stood still: the proof that it was thawed by us and not by
/// its lease, without which no later try adopts the image.
pub(super) async fn prove_frozen(
    job: &Job,
    image_id: &str,
    frozen: Duration,
) -> Result<(), Failure> {
    let tags = BTreeMap::from([(plan::FROZEN_TAG.to_owned(), frozen.as_millis().to_string())]);
    tag(job, vec![image_id.to_owned()], &tags).await
}

/// Whether a quiesced image lacks the proof that it is one.
#[must_use]
pub(super) fn lacks_proof(image: &Image) -> bool {
    images::tag(image, plan::CONSISTENCY_TAG) == Some("quiesce")
        && images::tag(image, plan::FROZEN_TAG).is_none()
}

/// How long the instance of an image stood still, as its tag says.
pub(super) fn frozen_of(image: &Image) -> Option<Duration> {
    let milliseconds = images::tag(image, plan::FROZEN_TAG)?.parse().ok()?;
    Some(Duration::from_millis(milliseconds))
}
