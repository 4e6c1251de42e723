//! Removing images: those of a failed run, and those that retention gives up.

use crate::job::{Job, Place};
use crate::plan::RUN_TAG;
use crate::steps::images::{by_id, snapshot_ids, snapshots, snapshots_of, tagged};
use action::exit::Exit;
use action::failure::{Failure, Remainder};
use aws::error::{AwsError, Kind};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::sleep;

/// An image that this run made or adopted.
#[derive(Debug, Clone)]
pub struct Made {
    /// Where it is.
    pub place: Place,
    /// Its id.
    pub image_id: String,
}

/// How often an image that EC2 does not list yet is asked to go, and how long apart.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_secs(2);

/// Removes what a failed run made, the last first, and whatever else carries its run key; adds to
/// `failure` what could not be removed, with the command that does.
pub async fn all(job: &Job, run: &str, made: &[Made], failure: Failure) -> Failure {
    let mut left = Vec::new();
    for Made { place, image_id } in made.iter().rev() {
        tracing::warn!(
            image_id,
            "removing the unfinished image in {}",
            place.region
        );
        left.extend(remove(place, image_id).await);
    }
    let mut places = vec![job.home.clone()];
    for made in made {
        if places.iter().all(|known| known.region != made.place.region) {
            places.push(made.place.clone());
        }
    }
    for place in &places {
        left.extend(sweep(place, run, &left).await);
    }
    let mut failure = failure;
    // Exit 6 promises that the run can be resumed; after cleaning up there is nothing to resume.
    if failure.exit() == Exit::Deadline {
        failure = failure.with_exit(Exit::Failed);
    }
    if left.is_empty() && !made.is_empty() {
        tracing::info!("what this run had made is removed");
    }
    left.into_iter().fold(failure, |failure, left| {
        failure.remains(left.what, left.command)
    })
}

/// Removes one image of a run and whatever else carries the run key where it is; adds to `failure` what
/// could not be removed.
pub async fn one(run: &str, made: &Made, failure: Failure) -> Failure {
    let Made { place, image_id } = made;
    tracing::warn!(image_id, "removing the bad copy in {}", place.region);
    let mut left = remove(place, image_id).await;
    left.extend(sweep(place, run, &left).await);
    left.into_iter().fold(failure, |failure, left| {
        failure.remains(left.what, left.command)
    })
}

/// Removes what carries the run key and is not listed as remaining already.
async fn sweep(place: &Place, run: &str, known: &[Remainder]) -> Vec<Remainder> {
    let is_known = |id: &str| known.iter().any(|left| left.what.contains(id));
    let mut left = Vec::new();
    match tagged(place, RUN_TAG, run).await {
        Ok(images) => {
            for image in images {
                let id = image.image_id().unwrap_or_default();
                if !is_known(id) {
                    tracing::warn!("removing image {id}, which carries this run's key");
                    left.extend(remove(place, id).await);
                }
            }
        }
        Err(failure) => left.push(unswept(place, run, "images", &failure)),
    }
    match snapshots(place, &format!("tag:{RUN_TAG}"), run).await {
        Ok(snapshots) => {
            for snapshot in snapshots {
                let id = snapshot.snapshot_id().unwrap_or_default();
                if !is_known(id) && left.iter().all(|one| !one.what.contains(id)) {
                    left.extend(delete_snapshot(place, id).await);
                }
            }
        }
        Err(failure) => left.push(unswept(place, run, "snapshots", &failure)),
    }
    left
}

/// What a failed look leaves open.
fn unswept(place: &Place, run: &str, what: &str, failure: &Failure) -> Remainder {
    let owner = if what == "images" {
        "--owners"
    } else {
        "--owner-ids"
    };
    Remainder {
        what: format!(
            "perhaps {what} of run {run} ({})",
            failure.causes().join("; ")
        ),
        command: format!(
            "aws ec2 describe-{what} --region {} {owner} self --filters 'Name=tag:{RUN_TAG},Values={run}'",
            place.region
        ),
    }
}

/// Deregisters an image and deletes its snapshots; gives what could not be removed. Snapshots that
/// another image uses stay, and are no remainder.
pub async fn remove(place: &Place, image_id: &str) -> Vec<Remainder> {
    let region = &place.region;
    let deregister = || {
        format!(
            "aws ec2 deregister-image --region {region} --image-id {image_id} --delete-associated-snapshots"
        )
    };
    let mut left = Vec::new();
    let mut unlisted = true;
    let mut own = BTreeSet::new();
    for tries in 1..=TRIES {
        // Asked before deregistering: afterwards nobody knows which snapshots were its own.
        if let Ok(Some(image)) = by_id(place, image_id).await {
            unlisted = false;
            own.extend(snapshot_ids(&image));
        }
        if let Ok(snapshots) = snapshots_of(place, image_id, &[]).await {
            let ids = snapshots.iter().filter_map(|one| one.snapshot_id());
            own.extend(ids.map(str::to_owned));
        }
        let call = place.ec2.deregister_image().image_id(image_id);
        let Err(error) = call.delete_associated_snapshots(true).send().await else {
            break;
        };
        let error = AwsError::of(&error);
        let gone = error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable");
        // One that was listed and is not any more is gone; one that never was may still appear.
        if gone && !unlisted {
            break;
        }
        let may_pass =
            gone || matches!(error.kind, Kind::Unavailable | Kind::Lost | Kind::Nonsense);
        if !may_pass || tries == TRIES {
            left.push(Remainder {
                what: format!("image {image_id} in {region} ({error})"),
                command: deregister(),
            });
            if gone {
                // It may never appear; its snapshots are there all the same.
                break;
            }
            return left;
        }
        sleep(PAUSE).await;
    }
    for snapshot in own {
        left.extend(delete_snapshot(place, &snapshot).await);
    }
    // EC2 has said yes; what counts is that it is gone.
    if left.is_empty()
        && let Ok(Some(image)) = by_id(place, image_id).await
        && image.state() != Some(&aws_sdk_ec2::types::ImageState::Deregistered)
    {
        left.push(Remainder {
            what: format!("image {image_id} in {region}, deregistered but still listed"),
            command: deregister(),
        });
    }
    left
}

/// Deletes a snapshot; gives it when that failed. One that is gone, or that another image uses, is fine.
async fn delete_snapshot(place: &Place, id: &str) -> Option<Remainder> {
    let region = &place.region;
    let error = place
        .ec2
        .delete_snapshot()
        .snapshot_id(id)
        .send()
        .await
        .err()?;
    let error = AwsError::of(&error);
    if error.is("InvalidSnapshot.NotFound") {
        return None;
    }
    if error.is("InvalidSnapshot.InUse") {
        tracing::info!("snapshot {id} stays: another image uses it");
        return None;
    }
    Some(Remainder {
        what: format!("snapshot {id} in {region} ({error})"),
        command: format!("aws ec2 delete-snapshot --region {region} --snapshot-id {id}"),
    })
}
