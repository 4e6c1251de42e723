//! Keeping the instance still while EC2 begins its snapshots, and letting it go again.
//!
//! A snapshot's content is fixed when it is requested, not when it is completed
//! (<https://docs.aws.amazon.com/ebs/latest/userguide/ebs-create-snapshot.html>), so the instance is held
//! for seconds, not for the length of the copy.

mod quiesce;
mod stop;

use super::images::{by_id, snapshot_ids, snapshots_of};
use super::instance::Source;
use crate::job::Job;
use crate::plan::Plan;
use crate::settings::modes::Consistency;
use action::failure::Failure;
use action::wait::{self, Look, Pace};
use aws_sdk_ec2::types::ImageState;
use std::time::Duration;

/// What holds the instance still, and so must let it go whatever happens.
#[derive(Debug)]
pub enum Held {
    /// Nothing: it runs on, or EC2 reboots it by itself, or it was stopped before.
    Nothing,
    /// We stopped it.
    Stopped,
    /// Its containers and mounts stand still, for the length of a lease at most.
    Quiesced(quiesce::Lease),
}

/// Holds the instance still, as the mode asks. On failure it is let go again.
///
/// # Errors
/// Why it could not be held; what could not be undone is listed.
pub async fn hold(job: &Job, plan: &Plan, source: &Source) -> Result<Held, Failure> {
    match plan.consistency {
        Consistency::NoReboot | Consistency::Reboot => Ok(Held::Nothing),
        Consistency::Stop => stop::hold(job, plan, source).await,
        Consistency::Quiesce => quiesce::hold(job, source).await.map(Held::Quiesced),
    }
}

/// Lets the instance go, and gives how long it stood still where that was measured.
///
/// # Errors
/// It could not be let go (listed, with the command), or it let itself go too early.
pub async fn let_go(job: &Job, source: &Source, held: Held) -> Result<Option<Duration>, Failure> {
    match held {
        Held::Nothing => Ok(None),
        Held::Stopped => stop::let_go(job, &source.id).await.map(|()| None),
        Held::Quiesced(lease) => quiesce::let_go(job, lease).await.map(Some),
    }
}

/// Starts an instance that an earlier try of this run stopped for its image and did not start again.
///
/// # Errors
/// When it cannot be started, or the image's snapshots do not begin.
pub async fn let_go_of_an_earlier_try(
    job: &Job,
    plan: &Plan,
    source: &Source,
    image_id: &str,
) -> Result<(), Failure> {
    if source.stopped_by.as_deref() == Some(plan.run.as_str()) {
        tracing::info!(
            "starting {}, which an earlier try of this run stopped",
            source.id
        );
        begun(job, image_id, source).await?;
        stop::let_go(job, &source.id).await?;
    }
    Ok(())
}

/// Starts an instance that a run has stopped, and waits until it runs.
///
/// # Errors
/// When it cannot be started.
pub async fn start(job: &Job, instance_id: &str) -> Result<(), Failure> {
    stop::let_go(job, instance_id).await
}

/// While the snapshots are about to begin, which takes seconds.
const PACE: Pace = Pace {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(5),
};
/// How long the snapshots of an image may take to appear.
const BEGIN_WITHIN: Duration = Duration::from_secs(300);

/// Waits until every volume's snapshot has begun, so that the instance may go on.
///
/// # Errors
/// They do not begin, a signal, or a failed call.
pub async fn begun(job: &Job, image_id: &str, source: &Source) -> Result<(), Failure> {
    let volumes = source.volumes.len();
    let what = format!("the {volumes} snapshots of {image_id} to begin");
    let look = async || {
        let image = by_id(&job.home, image_id).await?;
        let Some(image) = image else {
            return Ok(Look::NotYet("the image is not listed yet".to_owned()));
        };
        // A failed image has all it will ever have; the wait that follows says why.
        if !matches!(image.state(), Some(ImageState::Pending) | None) {
            return Ok(Look::There(()));
        }
        let mapped = snapshot_ids(&image);
        let snapshots = snapshots_of(&job.home, image_id, &mapped).await?;
        Ok(if snapshots.len() >= volumes {
            Look::There(())
        } else {
            Look::NotYet(format!("{} of {volumes} have", snapshots.len()))
        })
    };
    let deadline = job.context.deadline;
    let deadline = deadline.min(tokio::time::Instant::now() + BEGIN_WITHIN);
    let waited = wait::until(&what, deadline, &job.context.interrupt, PACE, look).await;
    waited.map_err(|ended| ended.into_failure(&what))
}
