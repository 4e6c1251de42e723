//! Keeping the instance still while EC2 begins its snapshots, and letting it go again.
//!
//! A snapshot's content is fixed when it is requested, not when it is completed
//! (<https://docs.aws.amazon.com/ebs/latest/userguide/ebs-create-snapshot.html>), so the instance is held
//! for seconds, not for the length of the copy.

pub(crate) mod frozen_tag;
pub(crate) mod quiesce;
pub(crate) mod snapshot_rate_limit;
pub(crate) mod stop;

use crate::image::describe::{by_id, snapshot_ids, snapshots_of};
use crate::instance::Source;
use crate::job::Job;
use crate::plan::Plan;
use crate::settings::modes::Consistency;
use action::failure::Failure;
use action::wait::{self, Look, Pace};
use aws_sdk_ec2::types::ImageState;
use std::time::Duration;

/// What holds the instance still, and so must let it go whatever happens.
#[derive(Debug)]
pub(crate) enum Held {
    /// Nothing: it runs on, or EC2 reboots it by itself, or it was stopped before.
    Nothing,
    /// We stopped it.
    Stopped,
    /// Its containers and mounts stand still, for the length of a lease at most.
    Quiesced(quiesce::Lease),
}

/// Holds the instance still, as the mode asks. On failure it is let go again.
pub(crate) async fn acquire(job: &Job, plan: &Plan, source: &Source) -> Result<Held, Failure> {
    match plan.consistency {
        Consistency::NoReboot | Consistency::Reboot => Ok(Held::Nothing),
        Consistency::Stop => Ok(match stop::acquire(job, plan, source).await? {
            true => Held::Stopped,
            false => Held::Nothing,
        }),
        Consistency::Quiesce => quiesce::acquire(job, source).await.map(Held::Quiesced),
    }
}

/// Lets the instance go, and gives how long it stood still where that was measured.
pub(crate) async fn release(
    job: &Job,
    source: &Source,
    held: Held,
) -> Result<Option<Duration>, Failure> {
    match held {
        Held::Nothing => Ok(None),
        Held::Stopped => stop::start(job, &source.id).await.map(|()| None),
        Held::Quiesced(lease) => quiesce::release(job, lease).await.map(Some),
    }
}

/// Starts an instance that an earlier try of this run stopped for its image and did not start again.
pub(crate) async fn restart_instance_left_stopped(
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
        wait_snapshots_begun(job, image_id, source).await?;
        stop::start(job, &source.id).await?;
    }
    Ok(())
}

/// While the snapshots are about to begin, which takes seconds.
const PACE: Pace = Pace {
    first: Duration::from_millis(500),
    longest: Duration::from_secs(5),
};
/// How long the snapshots of an image may take to appear.
const BEGIN_WITHIN: Duration = Duration::from_secs(300);

/// Waits until every volume's snapshot has begun, so that the instance may go on.
pub(crate) async fn wait_snapshots_begun(
    job: &Job,
    image_id: &str,
    source: &Source,
) -> Result<(), Failure> {
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
