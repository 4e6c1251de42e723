//! What the image's snapshots really store, asked once it is available. Never a reason to fail: the
//! image is good whether its price is known or not.

use crate::cost::Stored;
use crate::image::describe::snapshots;
use crate::image::wait_available::{ImageSnapshot, Verified};
use crate::job::{Job, timestamp};
use crate::plan::WARM_TAG;
use aws::error::AwsError;
use aws_sdk_ebs::Client;
use aws_sdk_ebs::config::retry::RetryConfig;
use aws_sdk_ec2::types::{Snapshot, SnapshotState};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// The most pages of changed blocks that are read: 100 at 10,000 blocks of 512 KiB are 488 GiB of changes,
/// for less than a tenth of a cent (<https://docs.aws.amazon.com/ebs/latest/userguide/ebsapi-pricing.html>).
const PAGES: usize = 1_000;
const BLOCKS_A_PAGE: i32 = 10_000;
/// What EC2 gives as the volume of every copied snapshot.
const COPIED: &str = "vol-ffffffff";
/// Asking may not hold up the hand-over for longer.
const WITHIN: Duration = Duration::from_secs(60);

/// Asks how much is stored.
pub(crate) async fn stored(job: &Job, verified: &Verified) -> Stored {
    let sizes = verified.snapshots.iter();
    let full: Option<u64> = sizes.clone().map(|snapshot| snapshot.full_bytes).sum();
    let until = job.hand_over_by().min(Instant::now() + WITHIN);
    let changed = match job
        .context
        .interrupt
        .race(timeout_at(until, changed(job, verified)))
        .await
    {
        Ok(Ok(Ok(changed))) => changed,
        Ok(Ok(Err(why))) => {
            tracing::info!("the changed blocks are not known: {why}");
            None
        }
        _ => None,
    };
    Stored {
        volumes: sizes.map(|snapshot| snapshot.volume_bytes).sum(),
        full,
        changed,
    }
}

/// EBS, asked twice at most: nothing depends on it.
pub(crate) fn client(job: &Job) -> Client {
    let config = aws_sdk_ebs::config::Builder::from(&job.session.config);
    let retry = RetryConfig::standard().with_max_attempts(2);
    Client::from_conf(config.retry_config(retry).build())
}

/// The bytes that changed since the volumes' previous snapshots; nothing when no volume has one.
async fn changed(job: &Job, verified: &Verified) -> Result<Option<u64>, String> {
    let ebs = client(job);
    let mut sum = 0;
    let mut has_previous = false;
    for snapshot in &verified.snapshots {
        match previous(job, snapshot).await? {
            Some(before) => {
                has_previous = true;
                sum += changed_blocks(&ebs, &before, &snapshot.id).await?;
            }
            // The volume's first snapshot stores all its written blocks.
            None => match snapshot.full_bytes {
                Some(bytes) => sum += bytes,
                None => return Ok(None),
            },
        }
    }
    Ok(has_previous.then_some(sum))
}

/// The latest completed snapshot of the same volume that is older.
async fn previous(job: &Job, of: &ImageSnapshot) -> Result<Option<String>, String> {
    let Some(volume) = of.volume_id.as_deref().filter(|id| *id != COPIED) else {
        return Ok(None);
    };
    let all = snapshots(&job.home, ec2::equals("volume-id", volume)).await;
    let all = all.map_err(|failure| failure.to_string())?;
    let started = |snapshot: &&Snapshot| snapshot.start_time().map(timestamp);
    let own = all
        .iter()
        .find(|snapshot| snapshot.snapshot_id() == Some(of.id.as_str()));
    let own = own.as_ref().and_then(started);
    let before = all
        .iter()
        .filter(|snapshot| snapshot.state() == Some(&SnapshotState::Completed))
        .filter(|snapshot| snapshot.snapshot_id() != Some(of.id.as_str()))
        // Those of a warm start go, and what they hold is billed with the image's.
        .filter(|snapshot| {
            snapshot
                .tags()
                .iter()
                .all(|tag| tag.key() != Some(WARM_TAG))
        })
        .filter(|snapshot| started(snapshot) < own)
        .max_by_key(started);
    Ok(before
        .and_then(|snapshot| snapshot.snapshot_id())
        .map(str::to_owned))
}

/// The bytes in blocks that differ between two completed snapshots of a volume.
pub(crate) async fn changed_blocks(ebs: &Client, before: &str, after: &str) -> Result<u64, String> {
    let mut bytes = 0;
    let mut token: Option<String> = None;
    for _ in 0..PAGES {
        let call = ebs
            .list_changed_blocks()
            .first_snapshot_id(before)
            .second_snapshot_id(after)
            .max_results(BLOCKS_A_PAGE)
            .set_next_token(token);
        let reply = call
            .send()
            .await
            .map_err(|error| format!("ebs:ListChangedBlocks: {}", AwsError::of(&error)))?;
        let block = reply.block_size().and_then(|size| u64::try_from(size).ok());
        bytes += reply.changed_blocks().len() as u64 * block.unwrap_or(512 * 1024);
        token = reply.next_token;
        if token.is_none() {
            return Ok(bytes);
        }
    }
    Err(format!("more than {PAGES} pages of them"))
}
