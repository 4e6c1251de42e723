//! Waiting until the image is truly available.

use super::Verified;
use action::failure::Failure;
use action::program::Context;
use aws::error::AwsError;
use aws::session::Session;
use aws::wait::{self, Look, Pace};
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Image, ImageState, Snapshot, SnapshotState};
use std::time::Duration;
use tokio::time::Instant;

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(15),
};

/// How long a fresh image may be unknown to DescribeImages
/// (<https://github.com/ansible/ansible/issues/4368>: about one in ten is at first).
const UNKNOWN_FOR: Duration = Duration::from_secs(300);

/// Waits until the image is available twice in a row, its mapping is whole and every snapshot is
/// completed.
///
/// # Errors
/// A terminal state with EC2's reason, the deadline, a signal, or a failed call.
pub async fn wait(
    ec2: &Client,
    session: &Session,
    context: &Context,
    image_id: &str,
    volumes: usize,
) -> Result<Verified, Failure> {
    let what = format!("image {image_id} in {} to be available", session.region);
    let started = Instant::now();
    let mut times_seen = 0;
    let looking = wait::until(
        &what,
        context.deadline,
        &context.interrupt,
        PACE,
        async || {
            let image = match look(ec2, session, image_id).await? {
                Some(image) => image,
                None if started.elapsed() < UNKNOWN_FOR => {
                    return Ok(Look::NotYet("not listed yet".to_owned()));
                }
                None => {
                    return Err(Failure::failed(format!(
                        "image {image_id} in {} does not exist",
                        session.region
                    )));
                }
            };
            let snapshot_ids = snapshot_ids(&image);
            let snapshots = snapshots(ec2, session, &snapshot_ids).await?;
            let seen = judge(&image, image_id, volumes, &snapshots, &session.region)?;
            let Some(waiting) = seen else {
                times_seen += 1;
                return Ok(if times_seen >= 2 {
                    Look::There(Verified {
                        image_id: image_id.to_owned(),
                        name: image.name().unwrap_or_default().to_owned(),
                        snapshot_ids,
                    })
                } else {
                    Look::NotYet("available, looking once more".to_owned())
                });
            };
            times_seen = 0;
            Ok(Look::NotYet(waiting))
        },
    );
    looking.await.map_err(|ended| ended.into_failure(&what))
}

async fn look(ec2: &Client, session: &Session, image_id: &str) -> Result<Option<Image>, Failure> {
    let call = ec2
        .describe_images()
        .image_ids(image_id)
        .include_disabled(true);
    match call.send().await {
        Ok(reply) => Ok(reply.images.unwrap_or_default().into_iter().next()),
        Err(error) => {
            let error = AwsError::of(&error);
            // `.Unavailable` and `.Malformed` would be answers about the id itself.
            if error.is("InvalidAMIID.NotFound") {
                return Ok(None);
            }
            let deed = format!("cannot look at image {image_id} in {}", session.region);
            Err(error.failure(deed, "ec2:DescribeImages"))
        }
    }
}

async fn snapshots(
    ec2: &Client,
    session: &Session,
    ids: &[String],
) -> Result<Vec<Snapshot>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    match ec2
        .describe_snapshots()
        .set_snapshot_ids(Some(ids.to_vec()))
        .send()
        .await
    {
        Ok(reply) => Ok(reply.snapshots.unwrap_or_default()),
        Err(error) => {
            let error = AwsError::of(&error);
            if error.is("InvalidSnapshot.NotFound") {
                return Ok(Vec::new());
            }
            let deed = format!(
                "cannot look at snapshots {} in {}",
                ids.join(", "),
                session.region
            );
            Err(error.failure(deed, "ec2:DescribeSnapshots"))
        }
    }
}

/// The snapshots of an image's mapping.
#[must_use]
pub fn snapshot_ids(image: &Image) -> Vec<String> {
    image
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| mapping.ebs()?.snapshot_id())
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

/// What the image still waits for; nothing when it is ready; an error in a terminal state.
fn judge(
    image: &Image,
    image_id: &str,
    volumes: usize,
    snapshots: &[Snapshot],
    region: &str,
) -> Result<Option<String>, Failure> {
    let state = image.state();
    let progress = snapshots.iter().map(|snapshot| {
        let id = snapshot.snapshot_id().unwrap_or("snapshot");
        let done = snapshot
            .progress()
            .filter(|text| !text.is_empty())
            .unwrap_or("0%");
        format!("{id} {done}")
    });
    let progress = progress.collect::<Vec<_>>().join(", ");
    match state {
        Some(ImageState::Available) => {}
        Some(ImageState::Pending | ImageState::Transient) | None if progress.is_empty() => {
            return Ok(Some("pending".to_owned()));
        }
        Some(ImageState::Pending | ImageState::Transient) | None => {
            return Ok(Some(format!("pending, {progress}")));
        }
        Some(ended) => {
            let failure = Failure::failed(format!("image {image_id} in {region} is {ended}"));
            let reason = image.state_reason();
            let code = reason.and_then(|reason| reason.code()).unwrap_or("no code");
            let message = reason
                .and_then(|reason| reason.message())
                .unwrap_or("EC2 gives no reason");
            return Err(failure.cause(format!("{code}: {message}")));
        }
    }
    let mapped = snapshot_ids(image).len();
    if mapped < volumes {
        return Ok(Some(format!(
            "available, but {mapped} of {volumes} volumes are mapped"
        )));
    }
    if let Some(failed) = snapshots
        .iter()
        .find(|snapshot| snapshot.state() == Some(&SnapshotState::Error))
    {
        let id = failed.snapshot_id().unwrap_or("a snapshot");
        let reason = failed.state_message().unwrap_or("EC2 gives no reason");
        return Err(Failure::failed(format!(
            "snapshot {id} of image {image_id} in {region} failed"
        ))
        .cause(reason));
    }
    let completed = snapshots
        .iter()
        .filter(|snapshot| snapshot.state() == Some(&SnapshotState::Completed))
        .count();
    if completed < mapped {
        return Ok(Some(format!(
            "available, {completed} of {mapped} snapshots completed ({progress})"
        )));
    }
    Ok(None)
}
