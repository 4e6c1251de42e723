//! IMDSv2 required by the image: its instances offer no other metadata service unless their launch says so
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-IMDS-new-instances.html>).
//!
//! CreateImage has no word for it, and EC2 cannot take it back. Whether an image gets it from the one that its instance
//! was launched from is unproven: it is looked at first.

use crate::image::describe::by_id;
use crate::job::{Job, Regional};
use crate::publish::in_time::STOPPED;
use crate::settings::modes::Imds;
use action::failure::Failure;
use action::wait::{self, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::{AttributeValue, Image, ImdsSupportValues};
use std::time::Duration;
use tokio::time::Instant;

/// How long EC2 may show the image without it.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);
const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(5),
};

/// Has the image require IMDSv2, where the settings ask for it, and proves it.
pub(crate) async fn require(job: &Job, regional: &Regional, image_id: &str) -> Result<(), Failure> {
    if job.settings.publish.imds != Imds::V2 {
        return Ok(());
    }
    let region = &regional.region;
    let look = async || by_id(regional, image_id).await;
    let before = job.unless_stopped(STOPPED, look()).await??;
    if before.as_ref().is_some_and(requires_v2) {
        return Ok(());
    }
    let value = AttributeValue::builder().value("v2.0").build();
    let call = regional.ec2.modify_image_attribute().image_id(image_id);
    let asked = call.imds_support(value).send();
    job.unless_stopped(STOPPED, asked).await?.map_err(|error| {
        let operation = format!("cannot require IMDSv2 of image {image_id} in {region}");
        AwsError::of(&error).failure(operation, "ec2:ModifyImageAttribute")
    })?;
    let what = format!("image {image_id} in {region} to require IMDSv2");
    let look = async || {
        let image = look().await?;
        Ok(match image.as_ref().is_some_and(requires_v2) {
            true => Look::There(()),
            false => Look::NotYet("it does not yet".to_owned()),
        })
    };
    let deadline = job.context.deadline.min(Instant::now() + SHOWN_WITHIN);
    let waited = wait::until(&what, deadline, &job.context.interrupt, PACE, look).await;
    waited.map_err(|ended| ended.into_failure(&what))?;
    tracing::info!("image {image_id} in {region} requires IMDSv2");
    Ok(())
}

/// Whether an image requires IMDSv2.
pub(crate) fn requires_v2(image: &Image) -> bool {
    image.imds_support() == Some(&ImdsSupportValues::V20)
}
