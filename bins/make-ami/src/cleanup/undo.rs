//! Removing images: those of a failed run, and those that retention gives up.

use crate::image::describe::{self, by_id, snapshot_ids, snapshots_of, snapshots_tagged, tagged};
use crate::image::wait_available::NotAvailable;
use crate::job::{Job, Regional};
use crate::journal::{Journal, Made};
use crate::plan::RUN_TAG;
use action::exit::Exit;
use action::export::quote::posix;
use action::failure::{Failure, Remainder, ResourceKind};
use action::interrupt::Interrupt;
use action::wait::{self, Ended, Look, Pace};
use aws::error::{AwsError, Kind};
use aws_sdk_ec2::types::{Image, ImageState};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long an image may not be listed that a lost reply may have made.
const UNLISTED_FOR: Duration = Duration::from_secs(22);
const PACE: Pace = Pace {
    first: PAUSE,
    longest: PAUSE,
};
/// How often an image that EC2 does not list yet is asked to go, and how long apart.
const TRIES: u32 = 12;
const PAUSE: Duration = Duration::from_secs(2);
/// How often a snapshot is asked to go that is said to be in use by no image that is listed.
const IN_USE_TRIES: u32 = 5;

/// Removes what a failed run made, the last first, and whatever else carries its run key; adds to
/// `failure` what could not be removed, with the command that does.
pub(crate) async fn all(job: &Job, journal: &Journal, failure: Failure) -> Failure {
    job.give_time_to_undo();
    let mut left = Vec::new();
    for made in journal.made.iter().rev() {
        let Made {
            regional, image_id, ..
        } = made;
        let region = &regional.region;
        if made.is_gone {
            tracing::warn!(image_id, "removing the snapshots of the image in {region}");
            left.extend(remove_snapshots(regional, image_id, &journal.run).await);
            continue;
        }
        tracing::warn!(image_id, "removing the unfinished image in {region}");
        left.extend(remove(regional, image_id).await);
    }
    let made = journal.made.iter().map(|made| &made.regional);
    let away = made.chain(&journal.lost_copies);
    let mut regions = vec![&job.home];
    for regional in away {
        if regions.iter().all(|known| known.region != regional.region) {
            regions.push(regional);
        }
    }
    let mut found = !journal.made.is_empty();
    for regional in regions {
        let lost_copy = journal.lost_copy_in(regional);
        let swept = sweep(
            regional,
            journal,
            &[],
            &left,
            journal.lost_reply || lost_copy,
        )
        .await;
        if lost_copy && !swept.found {
            left.push(possible_orphan_copy(regional, journal));
        }
        found |= swept.found;
        left.extend(swept.left);
    }
    if journal.lost_reply && !found {
        left.push(possible_orphan_image(&job.home, journal));
    }
    let mut failure = failure;
    // Exit 6 promises that the run can be resumed; after cleaning up there is nothing to resume.
    if failure.exit() == Exit::Deadline {
        failure = failure.with_exit(Exit::Failed);
    }
    if left.is_empty() && found {
        tracing::info!("what this run had made is removed");
    }
    with_remains_exit(with(failure, left))
}

/// Removes a bad copy and whatever else carries the run's key where it is, but for the images in `good`; adds to its
/// failure what could not be removed.
pub(crate) async fn copy(
    journal: &Journal,
    regional: &Regional,
    image_id: &str,
    good: &[&str],
    bad: NotAvailable,
) -> Failure {
    tracing::warn!(image_id, "removing the bad copy in {}", regional.region);
    let mut left = match bad.is_gone {
        true => Vec::new(),
        false => remove(regional, image_id).await,
    };
    left.extend(sweep(regional, journal, good, &left, false).await.left);
    with_remains_exit(with(bad.failure, left))
}

/// Removes what carries the run's key beside the images of a run that went well: the image of a lost reply
/// that failed and was followed by a good one. Gives what could not be removed.
pub(crate) async fn leftovers(job: &Job, journal: &Journal) -> Vec<Remainder> {
    if !journal.lost_reply {
        return Vec::new();
    }
    let good: Vec<&str> = journal
        .made
        .iter()
        .map(|made| made.image_id.as_str())
        .collect();
    sweep(&job.home, journal, &good, &[], true).await.left
}

/// The remainder of a run that does not know whether it made an image.
pub(crate) fn possible_orphan_image(regional: &Regional, journal: &Journal) -> Remainder {
    Remainder::new(
        regional.resource(ResourceKind::Run, &journal.run),
        "perhaps an image: a reply of CreateImage was lost",
        listing(regional, &journal.run, "images"),
    )
}

/// The remainder of a run that does not know whether it made a copy in a Region.
pub(crate) fn possible_orphan_copy(regional: &Regional, journal: &Journal) -> Remainder {
    Remainder::new(
        regional.resource(ResourceKind::Run, &journal.run),
        format!(
            "perhaps a copy in {}: a reply of CopyImage was lost",
            regional.region
        ),
        listing(regional, &journal.run, "images"),
    )
}

/// The remainder of a run that could not look for its first image, of which another is the encrypted copy.
pub(crate) fn possible_first_image(regional: &Regional, run: &str, why: &Failure) -> Remainder {
    search_failed(regional, run, "images", why)
}

/// The command that lists what carries the run's key: `images` or `snapshots`.
fn listing(regional: &Regional, run: &str, what: &str) -> String {
    let owner = match what {
        "images" => "--owners",
        _ => "--owner-ids",
    };
    format!(
        "aws ec2 describe-{what} --region {} {owner} self --filters {}",
        regional.region,
        posix(&format!("Name=tag:{RUN_TAG},Values={run}"))
    )
}

/// Exit 130 and 143 promise that a stopped run has cleaned up: where something is left that it could not undo,
/// it is [`Exit::Remains`].
pub(crate) fn with_remains_exit(failure: Failure) -> Failure {
    let is_stopped = matches!(failure.exit(), Exit::Interrupted | Exit::Terminated);
    match is_stopped && !failure.remainders().is_empty() {
        true => failure.with_exit(Exit::Remains),
        false => failure,
    }
}

fn with(failure: Failure, left: Vec<Remainder>) -> Failure {
    left.into_iter().fold(failure, Failure::leaving)
}

#[derive(Default)]
struct Swept {
    /// Whether an image was found.
    found: bool,
    left: Vec<Remainder>,
}

/// Removes what carries the run's key, but not the images in `good` and what is listed in `known`. After a
/// lost reply it looks for long (`patiently`), since nobody knows what it looks for.
async fn sweep(
    regional: &Regional,
    journal: &Journal,
    good: &[&str],
    known: &[Remainder],
    patiently: bool,
) -> Swept {
    let run = &journal.run;
    let is_listed = |kind, id: &str, left: &[Remainder]| {
        let resource = regional.resource(kind, id);
        known.iter().chain(left).any(|one| one.resource == resource)
    };
    let mut swept = Swept::default();
    let mut kept = Vec::new();
    let to_remove = |image: &Image| {
        let id = image.image_id().unwrap_or_default();
        !good.contains(&id) && !is_listed(ResourceKind::Image, id, &[])
    };
    let mut images = Vec::new();
    let look = async || {
        images = tagged(regional, RUN_TAG, run).await?;
        Ok(match !patiently || images.iter().any(to_remove) {
            true => Look::There(()),
            false => Look::NotYet("nothing to remove is listed".to_owned()),
        })
    };
    let what = format!("an image of run {run} in {}", regional.region);
    let limit = Instant::now() + UNLISTED_FOR;
    let looked = wait::until(&what, limit, &Interrupt::never(), PACE, look).await;
    if let Err(Ended::Failed(failure)) = looked {
        let left = search_failed(regional, run, "images", &failure);
        swept.left.push(left);
    }
    for image in images {
        let id = image.image_id().unwrap_or_default();
        if good.contains(&id) {
            kept.extend(snapshot_ids(&image));
        } else if to_remove(&image) {
            tracing::warn!("removing image {id}, which carries this run's key");
            swept.found = true;
            swept.left.extend(remove(regional, id).await);
        }
    }
    match snapshots_tagged(regional, RUN_TAG, run).await {
        Ok(snapshots) => {
            for snapshot in snapshots {
                let id = snapshot.snapshot_id().unwrap_or_default();
                let stays = kept.iter().any(|kept| kept == id);
                if !stays && !is_listed(ResourceKind::Snapshot, id, &swept.left) {
                    swept.left.extend(delete_snapshot(regional, id).await);
                }
            }
        }
        Err(failure) => swept
            .left
            .push(search_failed(regional, run, "snapshots", &failure)),
    }
    swept
}

/// What a failed look leaves open.
fn search_failed(regional: &Regional, run: &str, what: &str, failure: &Failure) -> Remainder {
    Remainder::new(
        regional.resource(ResourceKind::Run, run),
        format!(
            "perhaps {what} of run {run} ({})",
            failure.causes().join("; ")
        ),
        listing(regional, run, what),
    )
}

/// Deregisters an image and deletes its snapshots; gives what could not be removed. Snapshots that
/// another image uses stay, and are no remainder.
pub(crate) async fn remove(regional: &Regional, image_id: &str) -> Vec<Remainder> {
    let region = &regional.region;
    let deregister = || {
        format!(
            "aws ec2 deregister-image --region {region} --image-id {image_id} --delete-associated-snapshots"
        )
    };
    let mut left = Vec::new();
    let mut unlisted = true;
    let mut own = BTreeSet::new();
    let mut unseen = None;
    for tries in 1..=TRIES {
        // Asked before deregistering: afterwards nobody knows which snapshots were its own.
        if let Ok(Some(image)) = by_id(regional, image_id).await {
            unlisted = false;
            own.extend(snapshot_ids(&image));
        }
        match snapshots_of(regional, image_id, &[]).await {
            Ok(snapshots) => {
                let ids = snapshots.iter().filter_map(|one| one.snapshot_id());
                own.extend(ids.map(str::to_owned));
                unseen = None;
            }
            Err(failure) => unseen = Some(failure),
        }
        let call = regional.ec2.deregister_image().image_id(image_id);
        let error = match call.delete_associated_snapshots(true).send().await {
            Ok(reply) => {
                let told = reply.delete_snapshot_results().iter();
                own.extend(told.filter_map(|one| one.snapshot_id().map(str::to_owned)));
                break;
            }
            Err(error) => AwsError::of(&error),
        };
        let gone = describe::is_unknown(&error);
        // One that was listed and is not any more is gone; one that never was may still appear.
        if gone && !unlisted {
            break;
        }
        let may_pass =
            gone || matches!(error.kind, Kind::Unavailable | Kind::Lost | Kind::Nonsense);
        if !may_pass || tries == TRIES {
            left.push(Remainder::new(
                regional.resource(ResourceKind::Image, image_id),
                format!("image {image_id} in {region} ({error})"),
                deregister(),
            ));
            if gone {
                // It may never appear; its snapshots are there all the same.
                break;
            }
            return left;
        }
        sleep(PAUSE).await;
    }
    if let (true, Some(failure)) = (own.is_empty(), unseen) {
        left.push(Remainder::new(
            regional.resource(ResourceKind::Image, image_id),
            format!(
                "perhaps snapshots of image {image_id}, which is gone ({})",
                failure.causes().join("; ")
            ),
            snapshots_command(regional, image_id),
        ));
        return left;
    }
    for snapshot in own {
        left.extend(delete_snapshot(regional, &snapshot).await);
    }
    // EC2 has said yes; what counts is that it is gone.
    if left.is_empty()
        && let Ok(Some(image)) = by_id(regional, image_id).await
        && image.state() != Some(&ImageState::Deregistered)
    {
        left.push(Remainder::new(
            regional.resource(ResourceKind::Image, image_id),
            format!("image {image_id} in {region}, deregistered but still listed"),
            deregister(),
        ));
    }
    left
}

/// The command that lists the snapshots of an image that is gone.
pub(crate) fn snapshots_command(regional: &Regional, image_id: &str) -> String {
    let region = &regional.region;
    format!(
        "aws ec2 describe-snapshots --region {region} --owner-ids self --filters 'Name=description,Values=Created by CreateImage(*) for {image_id}*'"
    )
}

/// Deletes the snapshots of an image that is gone, which only their descriptions name; gives what could not be deleted.
async fn remove_snapshots(regional: &Regional, image_id: &str, run: &str) -> Vec<Remainder> {
    let snapshots = match snapshots_of(regional, image_id, &[]).await {
        Ok(snapshots) => snapshots,
        Err(failure) => return vec![search_failed(regional, run, "snapshots", &failure)],
    };
    let mut left = Vec::new();
    for id in snapshots.iter().filter_map(|one| one.snapshot_id()) {
        left.extend(delete_snapshot(regional, id).await);
    }
    left
}

/// Deletes a snapshot; gives it when that failed. One that is gone, or that another image uses, is fine.
pub(crate) async fn delete_snapshot(regional: &Regional, id: &str) -> Option<Remainder> {
    let region = &regional.region;
    let mut tries = 0;
    let error = loop {
        tries += 1;
        let call = regional.ec2.delete_snapshot().snapshot_id(id);
        let error = AwsError::of(&call.send().await.err()?);
        if error.is("InvalidSnapshot.NotFound") {
            return None;
        }
        if !error.is("InvalidSnapshot.InUse") {
            break error;
        }
        match describe::using(regional, id).await {
            Ok(users) if !users.is_empty() => {
                tracing::info!("snapshot {id} stays: {} uses it", users.join(", "));
                return None;
            }
            // The image that was deregistered a moment ago may count as a user still.
            _ if tries < IN_USE_TRIES => sleep(PAUSE).await,
            _ => break error,
        }
    };
    Some(Remainder::new(
        regional.resource(ResourceKind::Snapshot, id),
        format!("snapshot {id} in {region} ({error})"),
        delete_snapshot_command(regional, id),
    ))
}

/// The command that deletes a snapshot.
pub(crate) fn delete_snapshot_command(regional: &Regional, id: &str) -> String {
    let region = &regional.region;
    format!("aws ec2 delete-snapshot --region {region} --snapshot-id {id}")
}
