//! Deregistration protection: nobody deregisters the image by mistake
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deregistration-protection.html>).

use crate::job::{Job, Regional};
use crate::publish::image_copy::ImageCopy;
use crate::settings::modes::Protect;
use action::failure::Failure;
use aws::error::AwsError;

/// Turns it on for the image and for the copies that are available.
pub(crate) async fn protect(
    job: &Job,
    image_id: &str,
    copies: &[ImageCopy],
) -> Result<(), Failure> {
    one(job, &job.home, image_id).await?;
    for copy in copies {
        let regional = job.regional(&copy.region);
        match copy.available {
            true => one(job, &regional, &copy.image_id).await?,
            false => tracing::warn!(
                "the copy {} in {} is not protected: it was not waited for",
                copy.image_id,
                copy.region
            ),
        }
    }
    Ok(())
}

async fn one(job: &Job, regional: &Regional, image_id: &str) -> Result<(), Failure> {
    let region = &regional.region;
    let call = regional
        .ec2
        .enable_image_deregistration_protection()
        .image_id(image_id)
        .with_cooldown(job.settings.publish.protect == Protect::Cooldown);
    call.send().await.map_err(|error| {
        let operation = format!("cannot protect image {image_id} in {region}");
        AwsError::of(&error).failure(operation, "ec2:EnableImageDeregistrationProtection")
    })?;
    tracing::info!("image {image_id} in {region} is under deregistration protection");
    Ok(())
}
