//! Checking an existing image against the rules that an exported one keeps.

use crate::consistency::frozen_tag::is_unverified_quiesce;
use crate::image::describe::{by_id, snapshot_ids, tag};
use crate::image::spec::ImageSpec;
use crate::image::wait_available;
use crate::image::wait_available::{Verified, check_state};
use crate::job::{Job, timestamp_of};
use crate::plan::{CONSISTENCY_TAG, FROZEN_TAG, RUN_TAG, SOURCE_TAG, VOLUMES_TAG, name};
use crate::provenance::proof;
use action::failure::Failure;
use aws_sdk_ec2::types::Image;

/// Proves the image, and gives it.
pub(crate) async fn verify(job: &Job, image_id: &str) -> Result<Verified, Failure> {
    let region = &job.home.region;
    let absent = || {
        Failure::failed(format!("image {image_id} in {region} does not exist"))
            .hint("check AWS_REGION and the account of the credentials")
    };
    let image = job
        .in_time(by_id(&job.home, image_id))
        .await?
        .ok_or_else(absent)?;
    let mut broken = broken(&image, job);
    // A wait for what is pending is `wait`'s job.
    match check_state(&image, image_id, region) {
        Ok(true) => {}
        Ok(false) => broken.push("it is pending; `make-ami wait` waits for it".to_owned()),
        Err(failure) => broken.push(format!(
            "{}: {}",
            failure.deed(),
            failure.causes().join("; ")
        )),
    }
    broken.extend(job.in_time(proof::broken(job, &image)).await?);
    if !broken.is_empty() {
        let failure = Failure::failed(format!(
            "image {image_id} in {region} breaks {} of the rules",
            broken.len()
        ));
        return Err(broken.into_iter().fold(failure, Failure::detail));
    }
    let spec = ImageSpec::of_image(&image, &job.settings).ok_or_else(absent)?;
    let volumes = spec.volumes;
    let verified = wait_available::wait(job, &job.home, image_id, volumes).await;
    verified.map_err(|not| not.failure)
}

/// The rules that the image's description alone can break.
fn broken(image: &Image, job: &Job) -> Vec<String> {
    let mut broken = Vec::new();
    for key in [RUN_TAG, CONSISTENCY_TAG, SOURCE_TAG, VOLUMES_TAG] {
        if tag(image, key).is_none() {
            broken.push(format!(
                "it has no tag {key}, so it was not made by make-ami"
            ));
        }
    }
    if is_unverified_quiesce(image) {
        broken.push(format!(
            "it was to be quiesced, and has no tag {FROZEN_TAG} that says it was"
        ));
    }
    if let Some(app) = &job.settings.app
        && tag(image, crate::plan::APP_TAG) != Some(app)
    {
        broken.push(format!("it is not of application {app}"));
    }
    if let Err(fault) = name::check(image.name().unwrap_or_default()) {
        broken.push(fault);
    }
    let volumes: Option<usize> = tag(image, VOLUMES_TAG).and_then(|number| number.parse().ok());
    let volumes = volumes.filter(|number| *number > 0);
    let mapped = snapshot_ids(image).len();
    match volumes {
        Some(volumes) if mapped < volumes => {
            broken.push(format!("{mapped} of its {volumes} volumes are mapped"));
        }
        None if tag(image, VOLUMES_TAG).is_some() => {
            broken.push(format!("its tag {VOLUMES_TAG} is no number of volumes"));
        }
        _ => {}
    }
    let deprecated = image.deprecation_time().and_then(timestamp_of);
    if deprecated.is_some_and(|at| at <= job.clock.now()) {
        broken.push("it is deprecated".to_owned());
    }
    broken
}
