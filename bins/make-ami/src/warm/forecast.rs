//! What a warm start may save, before anything is known of this deployment.
//!
//! The image is available when the slowest of its snapshots is completed. Had as much changed as before the last
//! snapshots, it would take as long as they did, and a warm start can save no more than that. EBS promises no rate: "there
//! isn't a way to predict" it, says <https://repost.aws/knowledge-center/ebs-incremental-snapshot-creation-slow>.

use crate::job::timestamp;
use crate::plan::WARM_TAG;
use crate::warm::snapshots::tag;
use aws_sdk_ec2::types::{Snapshot, SnapshotState};
use std::time::Duration;

/// The most that can be saved: the time of the slowest among the volumes' last snapshots. Nothing where no snapshot of
/// theirs tells.
pub(crate) fn most_saved(volumes: &[String], earlier: &[Snapshot]) -> Option<Duration> {
    let last = |volume: &String| {
        let own = earlier.iter().filter(|snapshot| {
            snapshot.volume_id() == Some(volume)
                && snapshot.state() == Some(&SnapshotState::Completed)
                && tag(snapshot, WARM_TAG).is_none()
        });
        let timed = own.filter_map(|snapshot| {
            let started = timestamp(snapshot.start_time()?);
            let took = timestamp(snapshot.completion_time()?).duration_since(started);
            Some((started, Duration::try_from(took).ok()?))
        });
        timed.max_by_key(|(started, _)| *started)
    };
    let times = volumes.iter().filter_map(last).map(|(_, took)| took);
    times.max().filter(|most| !most.is_zero())
}

#[cfg(test)]
mod tests {
    use super::most_saved;
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::{Snapshot, SnapshotState, Tag};
    use std::time::Duration;

    fn snapshot(volume: &str, from: i64, to: i64) -> Snapshot {
        Snapshot::builder()
            .volume_id(volume)
            .state(SnapshotState::Completed)
            .start_time(DateTime::from_secs(from))
            .completion_time(DateTime::from_secs(to))
            .build()
    }

    #[test]
    fn the_slowest_of_the_last_snapshots_tells_the_most_that_is_saved() {
        let volumes = ["vol-1".to_owned(), "vol-2".to_owned()];
        let mut warm = snapshot("vol-1", 5_000, 9_000);
        warm.tags = Some(vec![Tag::builder().key("make-ami:warm").value("1").build()]);
        let earlier = [
            // The first one of a volume holds everything.
            snapshot("vol-1", 0, 3_600),
            snapshot("vol-1", 4_000, 4_060),
            warm,
            snapshot("vol-2", 4_000, 4_300),
            snapshot("vol-3", 4_000, 9_000),
        ];
        assert_eq!(
            most_saved(&volumes, &earlier),
            Some(Duration::from_secs(300))
        );
        assert_eq!(most_saved(&volumes, &[]), None);
        let pending = Snapshot::builder()
            .volume_id("vol-1")
            .state(SnapshotState::Pending);
        assert_eq!(most_saved(&volumes, &[pending.build()]), None);
    }
}
