//! The proof that a quiesced image is one: for how long its instance stood still, as a tag.

use crate::image::describe;
use crate::image::tags::tag;
use crate::job::Job;
use crate::plan;
use action::failure::Failure;
use aws_sdk_ec2::types::Image;
use std::collections::BTreeMap;
use std::time::Duration;

/// Tags the image with how long the instance stood still: the proof that it was thawed by us and not by
/// its lease, without which no later try adopts the image.
pub(crate) async fn tag_frozen(job: &Job, image_id: &str, frozen: Duration) -> Result<(), Failure> {
    let tags = BTreeMap::from([(plan::FROZEN_TAG.to_owned(), frozen.as_millis().to_string())]);
    tag(job, vec![image_id.to_owned()], &tags).await
}

/// Whether a quiesced image lacks the proof that it is one.
pub(crate) fn is_unverified_quiesce(image: &Image) -> bool {
    describe::tag(image, plan::CONSISTENCY_TAG) == Some("quiesce")
        && describe::tag(image, plan::FROZEN_TAG).is_none()
}

/// How long the instance of an image stood still, as its tag says.
pub(crate) fn frozen_of(image: &Image) -> Option<Duration> {
    let milliseconds = describe::tag(image, plan::FROZEN_TAG)?.parse().ok()?;
    Some(Duration::from_millis(milliseconds))
}
