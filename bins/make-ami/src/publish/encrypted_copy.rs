//! An image whose encryption is not that of its volumes: CreateImage cannot change it, so that the image is an encrypted
//! copy, within the Region, of a first image, which is removed.
//!
//! <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AMIEncryption.html>

use crate::cleanup::undo;
use crate::image::describe::{tag, tagged};
use crate::image::spec::ImageSpec;
use crate::image::wait_available::{self, Verified};
use crate::instance::Source;
use crate::job::Job;
use crate::journal::Journal;
use crate::plan::{FIRST_TAG, FROZEN_TAG, RUN_TAG};
use crate::publish::image_copy::copy;
use crate::publish::in_time::in_time;
use crate::publish::preconditions::look_at_key;
use action::exit::Exit;
use action::failure::Failure;
use std::time::Duration;

/// Whether the image must be a copy: not where the key of the settings encrypts every volume already.
pub(crate) async fn is_needed(job: &Job, source: &Source) -> Result<bool, Failure> {
    let publish = &job.settings.publish;
    let (true, Some(key)) = (publish.encrypt, &publish.kms_key) else {
        return Ok(false);
    };
    let key = look_at_key(job, &job.home.region, key).await?;
    let has_key = |used: Option<&str>| used.is_some() && used == key.arn();
    Ok(!source
        .volumes
        .iter()
        .all(|disk| has_key(disk.kms_key.as_deref())))
}

/// Gives the image that is exported: the encrypted copy of a first image, which is removed then, or the image itself.
pub(crate) async fn encrypted(
    job: &Job,
    spec: &ImageSpec,
    verified: Verified,
    frozen: Option<Duration>,
    journal: &mut Journal,
) -> Result<Verified, Failure> {
    if !job.settings.publish.encrypt {
        return Ok(verified);
    }
    let Some(name) = &spec.first_of else {
        check(job, &verified)?;
        remove_first(job, journal).await;
        return Ok(verified);
    };
    in_time(job)?;
    let mut tags = spec.tags.clone();
    if let Some(frozen) = frozen {
        tags.insert(FROZEN_TAG.to_owned(), frozen.as_millis().to_string());
    }
    let image_id = copy(job, &job.home, &tags, &verified, name, journal).await?;
    journal.note(&job.home, &image_id);
    let volumes = verified.snapshots.len();
    let copied = match wait_available::wait(job, &job.home, &image_id, volumes).await {
        Ok(copied) => copied,
        // The first image is good and stays: another try copies it again.
        Err(bad) if bad.failure.exit() == Exit::Failed => {
            journal.made.retain(|made| made.image_id != image_id);
            job.give_time_to_undo();
            let good = [verified.image_id.as_str()];
            return Err(undo::copy(journal, &job.home, &image_id, &good, bad).await);
        }
        Err(unfinished) => return Err(unfinished.failure),
    };
    check(job, &copied)?;
    remove_first(job, journal).await;
    Ok(copied)
}

/// Refuses an image that holds a snapshot which is not encrypted.
fn check(job: &Job, image: &Verified) -> Result<(), Failure> {
    let Some(plain) = image.snapshots.iter().find(|one| !one.encrypted) else {
        return Ok(());
    };
    Err(Failure::failed(format!(
        "image {} in {} is to be encrypted, and its snapshot {} is not",
        image.image_id, job.home.region, plain.id
    ))
    .hint(
        "was it made without MAKE_AMI_ENCRYPT? another AMI_NAME or MAKE_AMI_RUN makes a new image",
    ))
}

/// Removes the first image of the run. One that stays is no reason to fail: the image is good.
async fn remove_first(job: &Job, journal: &mut Journal) {
    let run = &journal.run;
    let images = match tagged(&job.home, RUN_TAG, run).await {
        Ok(images) => images,
        Err(failure) => {
            let left = undo::possible_first_image(&job.home, run, &failure);
            tracing::warn!("remains: {}\n    {}", left.what, left.command);
            return;
        }
    };
    for image in images
        .iter()
        .filter(|image| tag(image, FIRST_TAG).is_some())
    {
        let id = image.image_id().unwrap_or_default();
        tracing::info!("removing {id}, which is not encrypted: its encrypted copy is available");
        for left in undo::remove(&job.home, id).await {
            tracing::warn!("remains: {}\n    {}", left.what, left.command);
        }
        journal.made.retain(|made| made.image_id != id);
    }
}
