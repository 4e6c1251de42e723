//! Retiring older images of the application, once the new one is available: where it was made, and where its
//! copies are.

use crate::cleanup::undo;
use crate::image::describe::tagged;
use crate::job::{Job, Regional, timestamp_of};
use crate::plan::APP_TAG;
use crate::publish;
use crate::retention::references::{self, References};
use crate::retention::select::{Old, Stage, stage, surplus};
use crate::settings::Retention;
use action::failure::{Failure, Remainder, ResourceKind};
use aws::error::AwsError;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Image, ImageState};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What happens to an older image, or why nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The Region that it is in.
    pub(crate) region: String,
    pub(crate) image: Old,
    /// What happens to it.
    pub(crate) stage: Stage,
    /// What refers to it; then nothing happens.
    pub(crate) references: Vec<String>,
}

/// Finding out what refers to older images may not hold up the hand-over for longer, in each Region.
const PLAN_WITHIN: Duration = Duration::from_secs(120);
/// Retiring may not hold it up for longer; what is left is for the next run.
const RETIRE_WITHIN: Duration = Duration::from_secs(600);
/// With less time than this nothing is begun.
const AT_LEAST: Duration = Duration::from_secs(20);

/// Where the newest image is the one of this run.
struct Newest {
    regional: Regional,
    image_id: String,
    /// A copy that was not waited for may still fail, so that it does not count.
    available: bool,
}

/// Retires older images, in the Region of the new one and those of its copies. Whatever goes wrong here, the
/// new image is good and is handed over.
pub(crate) async fn retire(job: &Job, current: &str, copies: &[publish::ImageCopy]) -> Vec<Step> {
    let Some(retention) = &job.settings.retention else {
        return Vec::new();
    };
    let until = job.hand_over_by().min(Instant::now() + RETIRE_WITHIN);
    let home = Newest {
        regional: job.home.clone(),
        image_id: current.to_owned(),
        available: true,
    };
    let away = copies.iter().map(|copy| Newest {
        regional: job.regional(&copy.region),
        image_id: copy.image_id.clone(),
        available: copy.available,
    });
    let mut steps = Vec::new();
    for newest in [home].into_iter().chain(away) {
        if Instant::now() + AT_LEAST > until {
            tracing::warn!(
                "older images stay in {}: the time is short; the next run retires them",
                newest.regional.region
            );
            continue;
        }
        steps.extend(retire_in(job, retention, &newest, until).await);
    }
    steps
}

async fn retire_in(job: &Job, retention: &Retention, newest: &Newest, until: Instant) -> Vec<Step> {
    let regional = &newest.regional;
    let mut retention = retention.clone();
    if !newest.available {
        retention.keep = Some(retention.keep.unwrap_or(1) + 1);
    }
    let planned = plan(job, regional, &retention, &newest.image_id);
    let planned = timeout_at(until.min(Instant::now() + PLAN_WITHIN), planned);
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
    tracing::info!("{}", text(&steps, &retention, &regional.region).trim_end());
    for left in apply(job, regional, &steps, until).await {
        tracing::warn!("remains: {}\n    {}", left.what, left.command);
    }
    steps
}

/// Decides what becomes of the application's older images in a Region.
pub(crate) async fn plan(
    job: &Job,
    regional: &Regional,
    retention: &Retention,
    current: &str,
) -> Result<Vec<Step>, Failure> {
    let now = job.clock.now();
    let images = tagged(regional, APP_TAG, &retention.app).await?;
    let images: Vec<Old> = images.iter().filter_map(|image| old(image, now)).collect();
    let surplus = surplus(&images, current, retention, now);
    let ids: Vec<String> = surplus.iter().map(|image| image.id.clone()).collect();
    let References {
        of: mut found,
        mut unknown,
    } = references::of(regional, &ids).await?;
    // Disabling takes the launch permissions away
    // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/disable-an-ami.html).
    for image in surplus.iter().filter(|image| !image.disabled) {
        if unknown.contains_key(&image.id) {
            continue;
        }
        match references::shared_with(regional, &image.id).await? {
            Ok(shared) if shared.is_empty() => {}
            Ok(shared) => found.entry(image.id.clone()).or_default().extend(shared),
            Err(error) => drop(unknown.insert(image.id.clone(), error)),
        }
    }
    for (id, error) in &unknown {
        let region = &regional.region;
        tracing::info!("image {id} in {region} is left out, for EC2 does not know it: {error}");
    }
    let step = |image: Old| Step {
        region: regional.region.clone(),
        stage: stage(&image, retention.retire),
        references: found.remove(&image.id).unwrap_or_default(),
        image,
    };
    let known = surplus
        .into_iter()
        .filter(|image| !unknown.contains_key(&image.id));
    Ok(known.map(step).collect())
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
pub(crate) fn text(steps: &[Step], retention: &Retention, region: &str) -> String {
    let app = &retention.app;
    if steps.is_empty() {
        return format!("retention of {app} in {region}: nothing to retire\n");
    }
    let lines = steps.iter().map(|step| {
        let Old {
            id, name, created, ..
        } = &step.image;
        let day = created.strftime("%Y-%m-%d");
        match step.references.first() {
            None => format!("  {} {id} ({name}, of {day})\n", step.stage),
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
        "retention of {app} in {region}:\n{}",
        lines.collect::<String>()
    )
}

/// Does what the plan says, until the time is over; gives what could not be removed.
async fn apply(job: &Job, regional: &Regional, steps: &[Step], until: Instant) -> Vec<Remainder> {
    let mut left = Vec::new();
    for step in steps.iter().filter(|step| step.references.is_empty()) {
        if let Some(signal) = job.context.interrupt.pending() {
            tracing::warn!("the rest of the older images stays: {signal} received");
            break;
        }
        if Instant::now() + AT_LEAST > until {
            tracing::warn!(
                "the rest of the older images stays: the time is short; the next run retires them"
            );
            break;
        }
        let id = &step.image.id;
        let done = timeout_at(until, take(job, regional, step));
        left.extend(done.await.unwrap_or_else(|_| {
            let region = &regional.region;
            vec![Remainder::new(
                regional.resource(ResourceKind::Image, id),
                format!(
                    "perhaps image {id} in {region} or its snapshots: the time was over while it was to {}",
                    step.stage
                ),
                undo::snapshots_command(regional, id),
            )]
        }));
    }
    left
}

/// Takes one step; gives what could not be done.
async fn take(job: &Job, regional: &Regional, step: &Step) -> Vec<Remainder> {
    let id = &step.image.id;
    match step.stage {
        Stage::Deprecate => Vec::from_iter(deprecate(regional, id, job.clock.now()).await),
        Stage::Disable => Vec::from_iter(disable(regional, id).await),
        Stage::Deregister => undo::remove(regional, id).await,
    }
}

async fn deprecate(regional: &Regional, id: &str, now: Timestamp) -> Option<Remainder> {
    // A date that has passed is refused, and seconds are rounded to the minute.
    let at = DateTime::from_secs(now.as_second() + 60);
    let call = regional.ec2.enable_image_deprecation().image_id(id);
    let error = call.deprecate_at(at).send().await.err()?;
    Some(not_done(
        "deprecated",
        regional,
        id,
        &AwsError::of(&error),
        "enable-image-deprecation",
    ))
}

async fn disable(regional: &Regional, id: &str) -> Option<Remainder> {
    let error = regional
        .ec2
        .disable_image()
        .image_id(id)
        .send()
        .await
        .err()?;
    Some(not_done(
        "disabled",
        regional,
        id,
        &AwsError::of(&error),
        "disable-image",
    ))
}

fn not_done(
    word: &str,
    regional: &Regional,
    id: &str,
    error: &AwsError,
    command: &str,
) -> Remainder {
    let region = &regional.region;
    Remainder::new(
        regional.resource(ResourceKind::Image, id),
        format!("image {id} in {region}, which was not {word} ({error})"),
        format!("aws ec2 {command} --region {region} --image-id {id}"),
    )
}
