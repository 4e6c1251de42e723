//! What a warm start saved, asked once the image is available. Never a reason to fail: the image is good whether that is
//! known or not.

use crate::cost::gib;
use crate::cost::snapshot_usage::{changed_blocks, client};
use crate::image::describe::snapshots_of;
use crate::image::spec::ImageSpec;
use crate::image::wait_available::Verified;
use crate::job::{Job, timestamp};
use crate::plan::WARM_TAG;
use crate::warm::saved::{Saved, Timing, saved};
use crate::warm::snapshots::{all, done_with, of_run, tag};
use action::wait::humane;
use aws_sdk_ec2::types::Snapshot;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Asking may not hold up the hand-over for longer.
const WITHIN: Duration = Duration::from_secs(60);

/// What is known of a warm start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WarmStart {
    /// The snapshots, which are deleted when the run has gone well.
    pub(crate) snapshots: Vec<String>,
    /// The most that it was foretold to save.
    pub(crate) foretold: Option<Duration>,
    pub(crate) saved: Option<Saved>,
    /// The bytes that changed between the warm snapshots and the image's.
    pub(crate) changed: Option<u64>,
}

/// What was found out.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) warm_start: Option<WarmStart>,
    /// Whether it is known that nothing has to be deleted.
    pub(crate) nothing_is_left: bool,
}

/// Measures the warm start of a run, where there was one.
pub(crate) async fn measure(job: &Job, image: &Verified, spec: &ImageSpec) -> Found {
    let until = job.context.deadline.min(Instant::now() + WITHIN);
    let measuring = timeout_at(until, asked(job, image, spec));
    match job.context.interrupt.race(measuring).await {
        Ok(Ok(Ok(found))) => return found,
        Ok(Ok(Err(why))) => tracing::info!("what a warm start saved is not known: {why}"),
        _ => {}
    }
    Found {
        warm_start: None,
        nothing_is_left: false,
    }
}

async fn asked(job: &Job, image: &Verified, spec: &ImageSpec) -> Result<Found, String> {
    let all = all(&job.home)
        .await
        .map_err(|failure| failure.to_string())?;
    let warm: Vec<&Snapshot> = of_run(&all, &spec.run).collect();
    if warm.is_empty() {
        let (instance, app) = (&spec.instance_id, spec.app());
        let left = done_with(&all, &spec.run, instance, app, job.clock.now());
        return Ok(Found {
            warm_start: None,
            nothing_is_left: left.is_empty(),
        });
    }
    let ids = warm.iter().filter_map(|one| one.snapshot_id());
    let foretold = warm
        .iter()
        .filter_map(|one| tag(one, WARM_TAG)?.parse().ok());
    let of_image = snapshots_of(&job.home, &image.image_id, &image.snapshot_ids()).await;
    let of_image = of_image.map_err(|failure| failure.to_string())?;
    let pairs: Vec<(&Snapshot, &Snapshot)> = of_image
        .iter()
        .filter_map(|own| {
            let is_before = |one: &&&Snapshot| one.volume_id() == own.volume_id();
            Some((*warm.iter().find(is_before)?, own))
        })
        .collect();
    let timings: Vec<Timing> = pairs
        .iter()
        .filter_map(|pair| timing(pair.0, pair.1))
        .collect();
    let found = WarmStart {
        snapshots: ids.map(str::to_owned).collect(),
        foretold: foretold.max().map(Duration::from_secs),
        saved: saved(&timings),
        changed: changed(job, &pairs).await,
    };
    tracing::info!("{}", words(&found));
    Ok(Found {
        warm_start: Some(found),
        nothing_is_left: false,
    })
}

fn timing(warm: &Snapshot, image: &Snapshot) -> Option<Timing> {
    Some(Timing {
        warm_began: timestamp(warm.start_time()?),
        warm_completed: warm.completion_time().map(timestamp),
        image_began: timestamp(image.start_time()?),
        image_completed: timestamp(image.completion_time()?),
    })
}

/// The bytes that changed since the warm snapshots. EBS compares completed ones only.
async fn changed(job: &Job, pairs: &[(&Snapshot, &Snapshot)]) -> Option<u64> {
    let ebs = client(job);
    let mut sum = 0;
    for (warm, image) in pairs {
        warm.completion_time()?;
        match changed_blocks(&ebs, warm.snapshot_id()?, image.snapshot_id()?).await {
            Ok(bytes) => sum += bytes,
            Err(why) => {
                tracing::info!("what changed since the warm start is not known: {why}");
                return None;
            }
        }
    }
    (!pairs.is_empty()).then_some(sum)
}

/// `warm start: saved about 31 min: …`.
fn words(found: &WarmStart) -> String {
    let Some(saved) = found.saved else {
        return "warm start: what it saved is not known, for EC2 does not tell the times of the snapshots"
            .to_owned();
    };
    let mut text = format!(
        "warm start: saved about {}: the image's snapshots took {}, and would have taken {}",
        humane(saved.time()),
        humane(saved.with),
        humane(saved.without)
    );
    if let Some(changed) = found.changed {
        text.push_str(&format!("; {} changed since", gib(changed)));
    }
    if !saved.was_complete {
        text.push_str("; the warm snapshots were not completed when the image's began");
    }
    match found.foretold {
        Some(most) => text.push_str(&format!("; foretold: {} at most", humane(most))),
        None => text.push_str("; nothing was foretold"),
    }
    text
}
