//! Checking an existing image against the rules that an exported one keeps.

use crate::consistency::frozen_tag::is_unverified_quiesce;
use crate::image::describe::{by_id, snapshot_ids, tag};
use crate::image::mapping;
use crate::image::spec::ImageSpec;
use crate::image::wait_available;
use crate::image::wait_available::{Verified, check_state};
use crate::job::{Job, timestamp_of};
use crate::plan::{CONSISTENCY_TAG, FIRST_TAG, FROZEN_TAG, RUN_TAG, SOURCE_TAG, VOLUMES_TAG, name};
use crate::settings::modes::Imds;
use action::exit::Exit;
use action::failure::Failure;
use aws_sdk_ec2::types::{EbsBlockDevice, Image, ImdsSupportValues};

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

/// Refuses an image whose block device mapping is not as the settings ask, with exit 1; any other exit says nothing of it.
pub(crate) async fn check_mapping(job: &Job, verified: &Verified) -> Result<(), Failure> {
    let changes = &job.settings.volumes;
    if changes.0.is_empty() {
        return Ok(());
    }
    let (id, region) = (&verified.image_id, &job.home.region);
    let looking = by_id(&job.home, id);
    let image = job.unless_stopped("stopped before the image was checked", looking);
    let Some(image) = image.await?? else {
        let unlisted =
            format!("image {id} in {region} was available, and EC2 does not know it now");
        return Err(Failure::new(Exit::Unavailable, unlisted));
    };
    let broken = mapping::broken(&image, changes);
    if broken.is_empty() {
        return Ok(());
    }
    let failure = Failure::failed(format!(
        "image {id} in {region} is not as MAKE_AMI_VOLUME asks"
    ));
    Err(broken.into_iter().fold(failure, Failure::detail))
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
            broken.push(format!("its tag {VOLUMES_TAG} is not a number of volumes"));
        }
        _ => {}
    }
    if tag(image, FIRST_TAG).is_some() {
        broken.push("it is only the first image of a run that makes an encrypted copy".to_owned());
    }
    broken.extend(mapping::broken(image, &job.settings.volumes));
    broken.extend(as_asked(image, job));
    let deprecated = image.deprecation_time().and_then(timestamp_of);
    if deprecated.is_some_and(|at| at <= job.clock.now()) {
        broken.push("it is deprecated".to_owned());
    }
    broken
}

/// What of the settings that make an image special it does not keep.
fn as_asked(image: &Image, job: &Job) -> Vec<String> {
    let (settings, publish) = (&job.settings, &job.settings.publish);
    let mut broken = Vec::new();
    if publish.imds == Imds::V2 && image.imds_support() != Some(&ImdsSupportValues::V20) {
        broken.push("it does not require IMDSv2".to_owned());
    }
    let mut volumes = image.block_device_mappings().iter();
    let is_plain = |ebs: &EbsBlockDevice| ebs.encrypted() != Some(true);
    if publish.encrypt && volumes.any(|mapping| mapping.ebs().is_some_and(is_plain)) {
        broken.push("it holds a snapshot that is not encrypted".to_owned());
    }
    // What a placeholder stood for is not known any more.
    if let Some(asked) = settings
        .description
        .as_deref()
        .filter(|text| !text.contains('{'))
        && image.description() != Some(asked)
    {
        broken.push(format!("its description is not {asked:?}"));
    }
    broken
}
