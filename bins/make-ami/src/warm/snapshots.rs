//! The snapshots of warm starts: finding and deleting them.

use crate::cleanup::undo;
use crate::image::describe::snapshots;
use crate::job::{Job, Regional, timestamp};
use crate::plan::{APP_TAG, RUN_TAG, SOURCE_TAG, WARM_TAG};
use action::export::quote::posix;
use action::failure::{Failure, Remainder, ResourceKind};
use aws_sdk_ec2::types::{Filter, Snapshot, SnapshotState};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::timeout_at;

/// The longest that a build of CodeBuild runs
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html>): what a run left behind longer ago, nobody uses.
const LONGEST_RUN: Duration = Duration::from_secs(36 * 3600);

/// The snapshots of warm starts in a Region, of every run.
pub(crate) async fn all(regional: &Regional) -> Result<Vec<Snapshot>, Failure> {
    let tagged = Filter::builder().name("tag-key").values(WARM_TAG).build();
    let mut all = snapshots(regional, tagged).await?;
    // What is deleted by its tag must have it, whatever the endpoint makes of a filter.
    all.retain(|snapshot| tag(snapshot, WARM_TAG).is_some());
    Ok(all)
}

/// Those of a run among them.
pub(crate) fn of_run<'a>(all: &'a [Snapshot], run: &'a str) -> impl Iterator<Item = &'a Snapshot> {
    all.iter().filter(move |one| tag(one, RUN_TAG) == Some(run))
}

/// Those of a run, whose image is available and needs them no more, and those that earlier runs of the instance and
/// application left: older than the run's own, or than any build.
pub(crate) fn done_with<'a>(
    all: &'a [Snapshot],
    run: &str,
    instance: &str,
    app: Option<&str>,
    now: Timestamp,
) -> Vec<&'a Snapshot> {
    let started = |one: &Snapshot| one.start_time().map(timestamp);
    let own = of_run(all, run).filter_map(started).min();
    let is_left = |one: &&Snapshot| {
        let is_ours = tag(one, SOURCE_TAG) == Some(instance) && tag(one, APP_TAG) == app;
        let Some(started) = started(one) else {
            return false;
        };
        let age = Duration::try_from(now.duration_since(started)).unwrap_or_default();
        is_ours && (age > LONGEST_RUN || own.is_some_and(|own| started < own))
    };
    let is_done = |one: &&Snapshot| tag(one, RUN_TAG) == Some(run) || is_left(one);
    all.iter().filter(is_done).collect()
}

/// Deletes what a finished run needs no more, while the build lives. What is not deleted is listed, and no reason to fail.
pub(crate) async fn remove(job: &Job, run: &str, instance: &str, app: Option<&str>) {
    let removing = async {
        let all = all(&job.home).await?;
        let mut left = Vec::new();
        for snapshot in done_with(&all, run, instance, app, job.clock.now()) {
            let id = snapshot.snapshot_id().unwrap_or_default();
            match undo::delete_snapshot(&job.home, id).await {
                None => {
                    tracing::info!("deleted {id} of a warm start: the image holds what it held")
                }
                Some(remainder) => left.push(remainder),
            }
        }
        Ok::<_, Failure>(left)
    };
    let left = match timeout_at(job.hand_over_by(), removing).await {
        Ok(Ok(left)) => left,
        Ok(Err(failure)) => vec![possible(&job.home, run, &failure.causes().join("; "))],
        Err(_) => vec![possible(&job.home, run, "there was no time to delete them")],
    };
    for left in left {
        tracing::warn!("remains: {}\n    {}", left.what, left.command);
    }
}

/// Whether a snapshot will never be completed.
pub(crate) fn has_failed(snapshot: &Snapshot) -> bool {
    snapshot.state() == Some(&SnapshotState::Error)
}

/// The value of a snapshot's tag.
pub(crate) fn tag<'a>(snapshot: &'a Snapshot, key: &str) -> Option<&'a str> {
    let tags = snapshot.tags().iter();
    tags.filter(|tag| tag.key() == Some(key))
        .find_map(|tag| tag.value())
}

/// The remainder of a run that does not know whether it left snapshots.
pub(crate) fn possible(regional: &Regional, run: &str, why: &str) -> Remainder {
    Remainder::new(
        regional.resource(ResourceKind::Run, run),
        format!("perhaps snapshots of a warm start: {why}"),
        format!("make-ami clean --image {}", posix(run)),
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::done_with;
    use crate::plan::{APP_TAG, RUN_TAG, SOURCE_TAG, WARM_TAG};
    use aws_sdk_ec2::primitives::DateTime;
    use aws_sdk_ec2::types::{Snapshot, Tag};
    use jiff::Timestamp;

    fn warm(id: &str, run: &str, instance: &str, app: &str, second: i64) -> Snapshot {
        let told = [
            (RUN_TAG, run),
            (SOURCE_TAG, instance),
            (APP_TAG, app),
            (WARM_TAG, "60"),
        ];
        let tags = told.map(|(key, value)| Tag::builder().key(key).value(value).build());
        Snapshot::builder()
            .snapshot_id(id)
            .start_time(DateTime::from_secs(second))
            .set_tags(Some(tags.into()))
            .build()
    }

    #[test]
    fn a_run_deletes_its_own_and_what_earlier_runs_left_and_nothing_of_a_later_one() {
        const DAY: i64 = 86_400;
        let all = [
            warm("own", "run", "i-1", "web", 10 * DAY),
            warm("earlier", "killed", "i-1", "web", 10 * DAY - 60),
            warm("later", "next", "i-1", "web", 10 * DAY + 60),
            warm("of another application", "x", "i-1", "api", DAY),
            warm("of another instance", "y", "i-2", "web", DAY),
        ];
        let now = Timestamp::from_second(10 * DAY + 120).unwrap();
        let gone = |run: &str, now| {
            let gone = done_with(&all, run, "i-1", Some("web"), now);
            let ids = gone.into_iter().filter_map(Snapshot::snapshot_id);
            ids.collect::<Vec<_>>()
        };
        assert_eq!(gone("run", now), ["own", "earlier"]);
        // A run without a warm start of its own cannot tell what a run beside it needs.
        assert!(gone("plain", now).is_empty());
        let much_later = Timestamp::from_second(12 * DAY).unwrap();
        assert_eq!(gone("plain", much_later), ["own", "earlier", "later"]);
    }
}
