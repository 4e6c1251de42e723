//! Waiting until EC2 will take new snapshots of the volumes.
//!
//! Asked too early, CreateImage succeeds and the image turns `failed` with nothing but
//! `Server.InternalError` (<https://github.com/boto/boto3/issues/1698>).

use crate::instance::{Disk, Source};
use crate::job::{Job, timestamp};
use action::failure::Failure;
use action::wait::{self, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::{Filter, Snapshot, SnapshotState};
use jiff::Timestamp;
use std::time::Duration;

/// EC2's least distance between two snapshots of one volume
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
/// `SnapshotCreationPerVolumeRateExceeded`).
const APART: Duration = Duration::from_secs(15);

/// While too many snapshots are under way.
const PACE: Pace = Pace {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(30),
};

/// Waits until no volume has a snapshot younger than 15 s or as many pending as EC2 allows.
pub(crate) async fn wait(job: &Job, source: &Source) -> Result<(), Failure> {
    if source.volumes.is_empty() {
        return Ok(());
    }
    let what = format!("the volumes of {} to take new snapshots", source.id);
    let look = async || {
        let snapshots = snapshots(job, source).await?;
        Ok(
            match obstacle(&source.volumes, &snapshots, job.clock.now()) {
                None => Look::There(()),
                Some(Obstacle::Young(volume, rest)) => Look::NotYetFor(
                    format!("{volume} had a snapshot less than 15 s ago"),
                    rest.max(Duration::from_millis(200)),
                ),
                Some(Obstacle::Crowded(volume, pending)) => Look::NotYet(format!(
                    "{volume} has {pending} snapshots pending, which is the most EC2 makes at a time"
                )),
            },
        )
    };
    let (deadline, interrupt) = (job.context.deadline, &job.context.interrupt);
    let waited = wait::until(&what, deadline, interrupt, PACE, look).await;
    waited.map_err(|ended| {
        let is_late = matches!(ended, wait::Ended::Deadline(_));
        let failure = ended.into_failure(&what);
        match is_late {
            true => failure.hint(
                "AWS Backup and lifecycle policies make snapshots too; nothing was made, running again is safe",
            ),
            false => failure,
        }
    })
}

/// All snapshots of the volumes.
pub(crate) async fn snapshots(job: &Job, source: &Source) -> Result<Vec<Snapshot>, Failure> {
    let ids = source.volumes.iter().map(|disk| disk.id.clone()).collect();
    let of_volumes = Filter::builder().name("volume-id").set_values(Some(ids));
    let call = job.home.ec2.describe_snapshots().owner_ids("self");
    let pages = call.filters(of_volumes.build()).into_paginator();
    let all: Result<Vec<Snapshot>, _> = pages.items().send().collect().await;
    all.map_err(|error| {
        let operation = format!(
            "cannot look for snapshots of {} in {}",
            source.id, job.home.region
        );
        AwsError::of(&error).failure(operation, "ec2:DescribeSnapshots")
    })
}

enum Obstacle {
    /// The volume, and for how long it is too early.
    Young(String, Duration),
    /// The volume, and how many are pending.
    Crowded(String, usize),
}

fn obstacle(volumes: &[Disk], snapshots: &[Snapshot], now: Timestamp) -> Option<Obstacle> {
    for disk in volumes {
        let own = || {
            snapshots
                .iter()
                .filter(|snapshot| snapshot.volume_id() == Some(disk.id.as_str()))
        };
        let pending = own()
            .filter(|snapshot| snapshot.state() == Some(&SnapshotState::Pending))
            .count();
        if pending >= disk.concurrent_snapshots {
            return Some(Obstacle::Crowded(disk.id.clone(), pending));
        }
        let youngest = own().filter_map(Snapshot::start_time).map(timestamp).max();
        let Some(youngest) = youngest else { continue };
        // Clocks that disagree by more than this tell nothing about so short a time.
        let ahead = Duration::try_from(youngest.duration_since(now)).unwrap_or_default();
        let age = Duration::try_from(now.duration_since(youngest)).unwrap_or_default();
        if age < APART && ahead < APART {
            return Some(Obstacle::Young(disk.id.clone(), APART - age));
        }
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Obstacle, obstacle};
    use crate::instance::Disk;
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::{Snapshot, SnapshotState};
    use jiff::Timestamp;

    fn disk(concurrent_snapshots: usize) -> Disk {
        Disk {
            id: "vol-1".to_owned(),
            gib: 8,
            concurrent_snapshots,
            kms_key: None,
        }
    }

    fn snapshot(state: SnapshotState, second: i64) -> Snapshot {
        Snapshot::builder()
            .volume_id("vol-1")
            .state(state)
            .start_time(DateTime::from_secs(second))
            .build()
    }

    #[test]
    fn a_young_snapshot_is_waited_out_and_a_crowd_too() {
        let now = Timestamp::from_second(1_000).unwrap();
        let see = |limit, snapshots: &[Snapshot]| obstacle(&[disk(limit)], snapshots, now);
        assert!(see(5, &[snapshot(SnapshotState::Completed, 900)]).is_none());
        let young = see(5, &[snapshot(SnapshotState::Completed, 990)]);
        assert!(matches!(young, Some(Obstacle::Young(_, rest)) if rest.as_secs() == 5));
        let old = snapshot(SnapshotState::Pending, 100);
        assert!(see(5, &vec![old.clone(); 4]).is_none());
        assert!(matches!(
            see(5, &vec![old.clone(); 5]),
            Some(Obstacle::Crowded(_, 5))
        ));
        assert!(matches!(see(1, &[old]), Some(Obstacle::Crowded(_, 1))));
    }

    #[test]
    fn a_clock_far_ahead_of_ours_does_not_hold_us_up_for_ever() {
        let now = Timestamp::from_second(1_000).unwrap();
        let ahead = |second| [snapshot(SnapshotState::Completed, second)];
        assert!(obstacle(&[disk(5)], &ahead(5_000), now).is_none());
        assert!(obstacle(&[disk(5)], &ahead(1_003), now).is_some());
    }
}
