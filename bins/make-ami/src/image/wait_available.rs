//! Waiting until an image is truly available.

use crate::cost::{GIB, gib};
use crate::image::describe::{by_id, snapshot_ids, snapshots_of};
use crate::image::poll_schedule::{Ask, PROOF, PollSchedule};
use crate::image::visibility::{LOOK_AGAIN, NotListed, Visibility};
use crate::job::{Job, Regional};
use action::exit::Exit;
use action::failure::Failure;
use action::wait::{self, Look, humane};
use aws_sdk_ec2::types::{Image, ImageState, Snapshot, SnapshotState};
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// The pause after a look that EC2 did not answer.
const UNANSWERED: Duration = Duration::from_secs(15);

/// How long an available image may lack what it can hardly get any more, and in how many looks at least: what is
/// consistent only in the end shows it by then.
const LACKS_FOR: Duration = Duration::from_secs(300);
const LACKS_LOOKS: u32 = 3;

/// An image that is available and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verified {
    pub(crate) image_id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Its snapshots, in the order of the block-device mapping.
    pub(crate) snapshots: Vec<ImageSnapshot>,
}

/// A completed snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageSnapshot {
    pub(crate) id: String,
    /// The volume that it was made of.
    pub(crate) volume_id: Option<String>,
    /// The volume's size in bytes.
    pub(crate) volume_bytes: u64,
    /// All its written blocks in bytes, where EC2 tells: not what is billed.
    pub(crate) full_bytes: Option<u64>,
    /// Whether it is encrypted.
    pub(crate) encrypted: bool,
}

/// Why an image was not found available.
#[derive(Debug)]
pub(crate) struct NotAvailable {
    /// What ended the wait.
    pub(crate) failure: Failure,
    /// Whether it was listed, and somebody deregistered it.
    pub(crate) is_gone: bool,
}

impl Verified {
    /// The ids of the snapshots.
    pub(crate) fn snapshot_ids(&self) -> Vec<String> {
        self.snapshots
            .iter()
            .map(|snapshot| snapshot.id.clone())
            .collect()
    }
}

/// Waits until the image was seen available twice in a row, its mapping is whole and every snapshot is
/// completed. `volumes` is how many volumes it must hold.
pub(crate) async fn wait(
    job: &Job,
    regional: &Regional,
    image_id: &str,
    volumes: usize,
) -> Result<Verified, NotAvailable> {
    let what = format!("image {image_id} in {} to be available", regional.region);
    let started = Instant::now();
    let mut schedule = PollSchedule::default();
    let mut visibility = Visibility::default();
    let mut seen_good = false;
    // Of an image that is pending: the snapshots of its mapping.
    let mut pending: Option<Vec<String>> = None;
    let mut progress = String::new();
    // Since when it is available and lacks what it can hardly get, and in how many looks.
    let mut short: Option<(Duration, u32)> = None;
    let look = async || {
        if let (Ask::Snapshots, Some(mapped)) = (schedule.ask(started.elapsed()), &pending) {
            let snapshots = snapshots_of(regional, image_id, mapped).await?;
            check_snapshots(&snapshots, image_id, &regional.region)?;
            schedule.progressed(started.elapsed(), fraction(&snapshots));
            progress = describe(&snapshots, &schedule, started.elapsed());
            let pause = schedule.pause(started.elapsed());
            return Ok(Look::NotYetFor(format!("pending{progress}"), pause));
        }
        schedule.looked(started.elapsed());
        pending = None;
        let Some(image) = by_id(regional, image_id).await? else {
            seen_good = false;
            let elapsed = started.elapsed();
            return match visibility.record_missing(elapsed) {
                NotListed::NotYet => {
                    let pause = schedule.pause(elapsed);
                    Ok(Look::NotYetFor("not listed yet".to_owned(), pause))
                }
                NotListed::Unclear => {
                    let seen = "it was listed, and EC2 does not know it now".to_owned();
                    Ok(Look::NotYetFor(seen, LOOK_AGAIN))
                }
                NotListed::Never => Err(Failure::failed(format!(
                    "image {image_id} in {} does not exist",
                    regional.region
                ))),
                NotListed::Gone(missing_for, looks) => Err(Failure::failed(format!(
                    "image {image_id} in {} is deregistered",
                    regional.region
                ))
                .cause(format!(
                    "it was listed, and EC2 has not known it for {} now, in {looks} looks",
                    humane(missing_for)
                ))),
            };
        };
        visibility.record_listed();
        let mapped = snapshot_ids(&image);
        if !check_state(&image, image_id, &regional.region)? {
            seen_good = false;
            short = None;
            pending = Some(mapped);
            let pause = schedule.pause(started.elapsed());
            return Ok(Look::NotYetFor(format!("pending{progress}"), pause));
        }
        let snapshots = match mapped.is_empty() {
            true => Vec::new(),
            false => snapshots_of(regional, image_id, &mapped).await?,
        };
        check_snapshots(&snapshots, image_id, &regional.region)?;
        if let Some(lacking) = lacking(&mapped, volumes, &snapshots) {
            seen_good = false;
            let elapsed = started.elapsed();
            let seen = format!("available, but {lacking}");
            if matches!(lacking, Lacking::Completion { .. }) {
                short = None;
                return Ok(Look::NotYetFor(seen, schedule.pause(elapsed)));
            }
            let (since, looks) = short.get_or_insert((elapsed, 0));
            *looks += 1;
            let lasts = elapsed.saturating_sub(*since);
            if lasts >= LACKS_FOR && *looks >= LACKS_LOOKS {
                return Err(incomplete(&image, &snapshots, &lacking, lasts, regional));
            }
            return Ok(Look::NotYetFor(seen, LOOK_AGAIN));
        }
        short = None;
        if !seen_good {
            seen_good = true;
            return Ok(Look::NotYetFor(
                "available, looking once more".to_owned(),
                PROOF,
            ));
        }
        Ok(Look::There(Verified {
            image_id: image_id.to_owned(),
            name: image.name().unwrap_or_default().to_owned(),
            description: image
                .description()
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            snapshots: mapped.iter().map(|id| copied(id, &snapshots)).collect(),
        }))
    };
    let mut look = look;
    // An EC2 that throttles or fails for longer than a call's own retries says nothing about the
    // image: it is asked until the deadline (https://github.com/hashicorp/packer/issues/50).
    let patient = async || match look().await {
        Err(failure) if failure.exit() == Exit::Unavailable => {
            let why = failure.causes().join("; ");
            let seen = format!("EC2 does not answer: {why}");
            Ok(Look::NotYetFor(seen, UNANSWERED))
        }
        looked => looked,
    };
    let (deadline, interrupt) = (job.context.deadline, &job.context.interrupt);
    let waited = wait::until(&what, deadline, interrupt, wait::Pace::default(), patient).await;
    let verified = waited.map_err(|ended| NotAvailable {
        failure: ended.into_failure(&what),
        is_gone: visibility.is_gone(),
    })?;
    let took = humane(started.elapsed());
    tracing::info!(
        image_id,
        name = verified.name,
        "image available after {took}"
    );
    Ok(verified)
}

/// Whether the image is available.
pub(crate) fn check_state(image: &Image, image_id: &str, region: &str) -> Result<bool, Failure> {
    match image.state() {
        Some(ImageState::Available) => Ok(true),
        Some(ImageState::Pending | ImageState::Transient) | None => Ok(false),
        Some(ended) => {
            let failure = Failure::failed(format!("image {image_id} in {region} is {ended}"));
            let reason = image.state_reason();
            let code = reason.and_then(|reason| reason.code()).unwrap_or("no code");
            let message = reason
                .and_then(|reason| reason.message())
                .unwrap_or("EC2 gives no reason");
            Err(failure.cause(format!("{code}: {message}")))
        }
    }
}

/// Refuses a snapshot that failed.
fn check_snapshots(snapshots: &[Snapshot], image_id: &str, region: &str) -> Result<(), Failure> {
    let failed = snapshots
        .iter()
        .find(|snapshot| snapshot.state() == Some(&SnapshotState::Error));
    let Some(failed) = failed else {
        return Ok(());
    };
    let id = failed.snapshot_id().unwrap_or("a snapshot");
    let reason = failed.state_message().unwrap_or("EC2 gives no reason");
    Err(Failure::failed(format!(
        "snapshot {id} of image {image_id} in {region} failed"
    ))
    .cause(reason))
}

/// What an available image lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lacking {
    /// Volumes in its mapping.
    Volumes {
        /// How many it has.
        mapped: usize,
        /// How many it must have.
        expected: usize,
    },
    /// Snapshots that its mapping names and EC2 does not list.
    Snapshots(Vec<String>),
    /// The completion of its snapshots, which may come any time.
    Completion {
        /// How many are completed.
        completed: usize,
        /// How many there are.
        all: usize,
    },
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lacking::Volumes { mapped, expected } => {
                write!(f, "{mapped} of {expected} volumes are mapped")
            }
            Lacking::Snapshots(ids) => write!(f, "EC2 does not list {}", ids.join(", ")),
            Lacking::Completion { completed, all } => {
                write!(f, "{completed} of {all} snapshots are completed")
            }
        }
    }
}

/// What an available image still lacks.
pub(crate) fn lacking(
    mapped: &[String],
    expected: usize,
    snapshots: &[Snapshot],
) -> Option<Lacking> {
    let (mapped_ids, mapped) = (mapped, mapped.len());
    if mapped < expected {
        return Some(Lacking::Volumes { mapped, expected });
    }
    let found = |id: &str| {
        let mut snapshots = snapshots.iter();
        snapshots.find(|snapshot| snapshot.snapshot_id() == Some(id))
    };
    let unlisted = mapped_ids.iter().filter(|id| found(id).is_none());
    let unlisted: Vec<String> = unlisted.cloned().collect();
    if !unlisted.is_empty() {
        return Some(Lacking::Snapshots(unlisted));
    }
    let is_completed = |id: &&String| {
        found(id).is_some_and(|snapshot| snapshot.state() == Some(&SnapshotState::Completed))
    };
    let completed = mapped_ids.iter().filter(is_completed).count();
    (completed < mapped).then_some(Lacking::Completion {
        completed,
        all: mapped,
    })
}

/// The failure of an image that is available and will hardly be whole, with what it holds.
fn incomplete(
    image: &Image,
    snapshots: &[Snapshot],
    lacking: &Lacking,
    lasts: Duration,
    regional: &Regional,
) -> Failure {
    let id = image.image_id().unwrap_or_default();
    let failure = Failure::failed(format!(
        "image {id} in {} is available but not complete: {lacking}, for {} now",
        regional.region,
        humane(lasts)
    ));
    let held = image.block_device_mappings().iter().filter_map(|mapping| {
        let snapshot = mapping.ebs()?.snapshot_id()?;
        let device = mapping.device_name().unwrap_or("a device");
        let volume = snapshots
            .iter()
            .find(|one| one.snapshot_id() == Some(snapshot))
            .and_then(|one| one.volume_id())
            .unwrap_or("an unknown volume");
        Some(format!("it holds {device}: {snapshot} of {volume}"))
    });
    let failure = held.fold(failure, Failure::detail);
    match lacking {
        Lacking::Volumes { .. } => failure.hint(
            "was a volume detached while the image was made? compare with `aws ec2 describe-instances`, and run again",
        ),
        Lacking::Snapshots(_) | Lacking::Completion { .. } => {
            failure.hint("was a snapshot deleted while the image was made? run again")
        }
    }
}

fn copied(id: &str, snapshots: &[Snapshot]) -> ImageSnapshot {
    let snapshot = snapshots
        .iter()
        .find(|snapshot| snapshot.snapshot_id() == Some(id));
    let bytes = |number: Option<i64>| number.and_then(|bytes| u64::try_from(bytes).ok());
    ImageSnapshot {
        id: id.to_owned(),
        volume_id: snapshot
            .and_then(|snapshot| snapshot.volume_id())
            .map(str::to_owned),
        volume_bytes: snapshot.map_or(0, volume_bytes),
        full_bytes: bytes(snapshot.and_then(|snapshot| snapshot.full_snapshot_size_in_bytes())),
        encrypted: snapshot
            .and_then(|snapshot| snapshot.encrypted())
            .unwrap_or_default(),
    }
}

fn volume_bytes(snapshot: &Snapshot) -> u64 {
    let gib = snapshot.volume_size().unwrap_or_default();
    u64::try_from(gib).unwrap_or_default() * GIB
}

/// A snapshot's progress, 0 to 1. EC2 tells it as `42%`.
fn done(snapshot: &Snapshot) -> f64 {
    if snapshot.state() == Some(&SnapshotState::Completed) {
        return 1.0;
    }
    let text = snapshot.progress().unwrap_or_default();
    let percent: f64 = text.trim_end_matches('%').trim().parse().unwrap_or(0.0);
    // Completed is what the state says; 100 % may come before it.
    (percent / 100.0).clamp(0.0, 0.99)
}

/// How much of all the data is copied, 0 to 1.
fn fraction(snapshots: &[Snapshot]) -> f64 {
    let weight = |snapshot: &Snapshot| volume_bytes(snapshot).max(1) as f64;
    let all: f64 = snapshots.iter().map(weight).sum();
    let copied: f64 = snapshots
        .iter()
        .map(|snapshot| done(snapshot) * weight(snapshot))
        .sum();
    if all > 0.0 { copied / all } else { 0.0 }
}

/// `: snap-1 42 % of 8 GiB, 0.1 GiB/s, about 3 min 0 s left`.
fn describe(snapshots: &[Snapshot], schedule: &PollSchedule, elapsed: Duration) -> String {
    if snapshots.is_empty() {
        return String::new();
    }
    let each = snapshots.iter().map(|snapshot| {
        format!(
            "{} {:.0} % of {}",
            snapshot.snapshot_id().unwrap_or("snapshot"),
            done(snapshot) * 100.0,
            gib(volume_bytes(snapshot))
        )
    });
    let mut text = format!(": {}", each.collect::<Vec<_>>().join(", "));
    let all: u64 = snapshots.iter().map(volume_bytes).sum();
    if fraction(snapshots) < 1.0
        && let (Some(rate), Some(left)) = (schedule.rate(), schedule.left(elapsed))
    {
        let speed = rate * (all as f64) / (GIB as f64);
        let speed = match speed >= 0.1 {
            true => format!("{speed:.2} GiB/s"),
            false => format!("{:.1} MiB/s", speed * 1024.0),
        };
        let left = humane(Duration::from_secs_f64(left));
        text.push_str(&format!(", {speed}, about {left} left"));
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Lacking, check_state, describe, fraction, lacking};
    use crate::image::poll_schedule::PollSchedule;
    use aws_sdk_ec2::types::{Image, ImageState, Snapshot, SnapshotState, StateReason};
    use std::time::Duration;

    fn snapshot(id: &str, state: SnapshotState, percent: &str, gib: i32) -> Snapshot {
        Snapshot::builder()
            .snapshot_id(id)
            .state(state)
            .progress(percent)
            .volume_size(gib)
            .build()
    }

    #[test]
    fn states_that_no_wait_leaves_end_it_with_the_reason() {
        let image = |state| {
            let reason = StateReason::builder()
                .code("Server.InternalError")
                .message("why");
            Image::builder()
                .state(state)
                .state_reason(reason.build())
                .build()
        };
        for state in [
            ImageState::Failed,
            ImageState::Error,
            ImageState::Invalid,
            ImageState::Deregistered,
            ImageState::Disabled,
        ] {
            let said = check_state(&image(state.clone()), "ami-1", "eu-west-1").unwrap_err();
            assert!(said.to_string().contains(state.as_str()), "{said}");
            assert!(
                said.to_string().contains("Server.InternalError: why"),
                "{said}"
            );
        }
        assert!(!check_state(&image(ImageState::Pending), "ami-1", "x").unwrap());
        assert!(!check_state(&image(ImageState::Transient), "ami-1", "x").unwrap());
    }

    #[test]
    fn an_available_image_may_still_lack_something() {
        let mapped = ["snap-1".to_owned(), "snap-2".to_owned()];
        let done = snapshot("snap-1", SnapshotState::Completed, "100%", 8);
        assert_eq!(
            lacking(&mapped[..1], 2, std::slice::from_ref(&done)),
            Some(Lacking::Volumes {
                mapped: 1,
                expected: 2
            })
        );
        assert_eq!(
            lacking(&mapped, 2, std::slice::from_ref(&done)),
            Some(Lacking::Snapshots(vec!["snap-2".to_owned()]))
        );
        let pending = snapshot("snap-2", SnapshotState::Pending, "99%", 8);
        let pending = lacking(&mapped, 2, &[done.clone(), pending]).unwrap();
        assert_eq!(pending.to_string(), "1 of 2 snapshots are completed");
        let other = snapshot("snap-2", SnapshotState::Completed, "", 8);
        assert_eq!(lacking(&mapped, 2, &[done, other]), None);
    }

    #[test]
    fn progress_is_weighed_by_size_and_complete_only_when_the_state_says_so() {
        let small = snapshot("snap-1", SnapshotState::Completed, "100%", 10);
        let large = snapshot("snap-2", SnapshotState::Pending, "100%", 90);
        assert_eq!(fraction(&[small.clone(), large.clone()]), 0.1 + 0.99 * 0.9);
        let mut schedule = PollSchedule::default();
        schedule.progressed(Duration::from_secs(100), 0.5);
        let half = snapshot("snap-2", SnapshotState::Pending, "50%", 100);
        assert_eq!(
            describe(&[half], &schedule, Duration::from_secs(100)),
            ": snap-2 50 % of 100 GiB, 0.50 GiB/s, about 1 min 40 s left"
        );
        let small = snapshot("snap-2", SnapshotState::Pending, "50%", 1);
        assert_eq!(
            describe(&[small], &schedule, Duration::from_secs(100)),
            ": snap-2 50 % of 1 GiB, 5.1 MiB/s, about 1 min 40 s left"
        );
    }
}
