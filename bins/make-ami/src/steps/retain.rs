//! Retiring older images of the application, once the new one is available.

use super::images::tagged;
use super::references;
use crate::job::{Job, Place, timestamp_of};
use crate::plan::APP_TAG;
use crate::retention::{Old, Rung, rung, surplus};
use crate::settings::Retention;
use crate::undo;
use action::failure::{Failure, Remainder};
use aws::error::AwsError;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Image, ImageState};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::timeout;

/// What happens to an older image, or why nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The image.
    pub image: Old,
    /// What happens to it.
    pub rung: Rung,
    /// What refers to it; then nothing happens.
    pub references: Vec<String>,
}

/// Finding out what refers to older images may not hold up the hand-over for longer.
const RETIRE_WITHIN: Duration = Duration::from_secs(120);

/// Retires older images. Whatever goes wrong here, the new image is good and is handed over.
pub async fn retire(job: &Job, current: &str) -> Vec<Step> {
    let Some(retention) = &job.settings.retention else {
        return Vec::new();
    };
    let planned = timeout(RETIRE_WITHIN, plan(job, retention, current));
    let planned = job.context.interrupt.race(planned).await;
    let steps = match planned {
        Ok(Ok(Ok(steps))) => steps,
        Ok(Ok(Err(failure))) => {
            tracing::warn!("older images stay: {failure}");
            return Vec::new();
        }
        Ok(Err(_)) => {
            tracing::warn!("older images stay: nobody answered what refers to them");
            return Vec::new();
        }
        Err(signal) => {
            tracing::warn!("older images stay: {signal} received");
            return Vec::new();
        }
    };
    tracing::info!("{}", text(&steps, retention).trim_end());
    for left in apply(job, &steps).await {
        tracing::warn!("remains: {}\n    {}", left.what, left.command);
    }
    steps
}

/// Decides what becomes of the application's older images.
///
/// # Errors
/// A failed call.
pub async fn plan(job: &Job, retention: &Retention, current: &str) -> Result<Vec<Step>, Failure> {
    let now = job.clock.now();
    let images = tagged(&job.home, APP_TAG, &retention.app).await?;
    let images: Vec<Old> = images.iter().filter_map(|image| old(image, now)).collect();
    let surplus = surplus(&images, current, retention, now);
    let ids: Vec<String> = surplus.iter().map(|image| image.id.clone()).collect();
    let mut found = references::of(&job.home, &ids).await?;
    let step = |image: Old| Step {
        rung: rung(&image, retention.retire),
        references: found.remove(&image.id).unwrap_or_default(),
        image,
    };
    Ok(surplus.into_iter().map(step).collect())
}

/// Images that are finished; one that is still being made belongs to its own run.
fn old(image: &Image, now: Timestamp) -> Option<Old> {
    let disabled = match image.state() {
        Some(ImageState::Available) => false,
        Some(ImageState::Disabled) => true,
        _ => return None,
    };
    Some(Old {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        // Without a date nobody can say how old it is.
        created: timestamp_of(image.creation_date()?)?,
        deprecated: image
            .deprecation_time()
            .and_then(timestamp_of)
            .is_some_and(|at| at <= now),
        disabled,
    })
}

/// The plan for people.
#[must_use]
pub fn text(steps: &[Step], retention: &Retention) -> String {
    if steps.is_empty() {
        return format!("retention of {}: nothing to retire\n", retention.app);
    }
    let lines = steps.iter().map(|step| {
        let Old {
            id, name, created, ..
        } = &step.image;
        let day = created.strftime("%Y-%m-%d");
        match step.references.first() {
            None => format!("  {} {id} ({name}, of {day})\n", step.rung),
            Some(first) => format!(
                "  keep {id} ({name}, of {day}): {first} refers to it{}\n",
                match step.references.len() {
                    1 => String::new(),
                    n => format!(", and {} more", n - 1),
                }
            ),
        }
    });
    format!(
        "retention of {}:\n{}",
        retention.app,
        lines.collect::<String>()
    )
}

/// Does what the plan says; gives what could not be removed.
pub async fn apply(job: &Job, steps: &[Step]) -> Vec<Remainder> {
    let mut left = Vec::new();
    for step in steps.iter().filter(|step| step.references.is_empty()) {
        if let Some(signal) = job.context.interrupt.pending() {
            tracing::warn!("the rest of the older images stays: {signal} received");
            break;
        }
        let id = &step.image.id;
        match step.rung {
            Rung::Deprecate => left.extend(deprecate(&job.home, id, job.clock.now()).await),
            Rung::Disable => left.extend(disable(&job.home, id).await),
            Rung::Deregister => left.extend(undo::remove(&job.home, id).await),
        }
    }
    left
}

async fn deprecate(place: &Place, id: &str, now: Timestamp) -> Option<Remainder> {
    // A date that has passed is refused, and seconds are rounded to the minute.
    let at = DateTime::from_secs(now.as_second() + 60);
    let call = place.ec2.enable_image_deprecation().image_id(id);
    let error = call.deprecate_at(at).send().await.err()?;
    Some(not_done(
        "deprecated",
        place,
        id,
        &AwsError::of(&error),
        "enable-image-deprecation",
    ))
}

async fn disable(place: &Place, id: &str) -> Option<Remainder> {
    let error = place.ec2.disable_image().image_id(id).send().await.err()?;
    Some(not_done(
        "disabled",
        place,
        id,
        &AwsError::of(&error),
        "disable-image",
    ))
}

fn not_done(word: &str, place: &Place, id: &str, error: &AwsError, command: &str) -> Remainder {
    let region = &place.region;
    Remainder {
        what: format!("image {id} in {region}, which was not {word} ({error})"),
        command: format!("aws ec2 {command} --region {region} --image-id {id}"),
    }
}
