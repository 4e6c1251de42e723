//! What a warm start saved, reckoned from what was measured. Pure.
//!
//! What the warm snapshot of a volume had copied when the image's began, the image's need not copy. So without it the
//! image's snapshot would have taken its own time and the warm one's head start. An image waits for the slowest of its
//! snapshots. Unproven: that a snapshot which begins while the warm one is pending carries only the difference, and that
//! the time goes with the bytes. A volume of some GiB of new data with and without a warm start settles both.

use jiff::Timestamp;
use std::time::Duration;

/// When the two snapshots of a volume began and were completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    pub(crate) warm_began: Timestamp,
    /// Nothing where it is pending still.
    pub(crate) warm_completed: Option<Timestamp>,
    pub(crate) image_began: Timestamp,
    pub(crate) image_completed: Timestamp,
}

impl Timing {
    /// For how long the warm snapshot was copied before the image's began.
    fn head_start(self) -> Duration {
        let until = self.warm_completed.unwrap_or(self.image_began);
        between(self.warm_began, until.min(self.image_began))
    }

    fn image_took(self) -> Duration {
        between(self.image_began, self.image_completed)
    }
}

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Saved {
    /// How long the image's snapshots took.
    pub(crate) with: Duration,
    /// How long they would have taken without the warm ones.
    pub(crate) without: Duration,
    /// Whether every warm snapshot was completed before the image's began.
    pub(crate) was_complete: bool,
}

impl Saved {
    /// The difference.
    pub(crate) fn time(self) -> Duration {
        self.without.saturating_sub(self.with)
    }
}

/// Reckons from the timings of the volumes that have both snapshots.
pub(crate) fn saved(volumes: &[Timing]) -> Option<Saved> {
    let with = volumes.iter().map(|one| one.image_took()).max()?;
    let without = volumes
        .iter()
        .map(|one| one.image_took() + one.head_start());
    let is_complete = |one: &Timing| one.warm_completed.is_some_and(|at| at <= one.image_began);
    Some(Saved {
        with,
        without: without.max()?,
        was_complete: volumes.iter().all(is_complete),
    })
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Timing, saved};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::time::Duration;

    fn timing(warm: (i64, Option<i64>), image: (i64, i64)) -> Timing {
        let at = |second| Timestamp::from_second(second).unwrap();
        Timing {
            warm_began: at(warm.0),
            warm_completed: warm.1.map(at),
            image_began: at(image.0),
            image_completed: at(image.1),
        }
    }

    #[test]
    fn the_slowest_volume_counts() {
        // 31 minutes beside the deployment; another volume that hardly matters.
        let large = timing((0, Some(1_860)), (2_000, 2_120));
        let small = timing((0, Some(30)), (2_000, 2_010));
        let found = saved(&[large, small]).unwrap();
        assert_eq!(found.with, Duration::from_secs(120));
        assert_eq!(found.time(), Duration::from_secs(1_860));
        assert!(found.was_complete);
        assert_eq!(saved(&[]), None);
    }

    #[test]
    fn a_warm_snapshot_that_is_pending_saves_its_head_start_at_most() {
        let found = saved(&[timing((0, None), (600, 1_200))]).unwrap();
        assert_eq!(found.time(), Duration::from_secs(600));
        assert!(!found.was_complete);
        let late = saved(&[timing((0, Some(900)), (600, 1_200))]).unwrap();
        assert_eq!(late.time(), Duration::from_secs(600));
        assert!(!late.was_complete);
    }

    proptest! {
        /// Never negative, and never more than the longest head start, whatever the clocks say.
        #[test]
        fn what_is_saved_is_no_more_than_the_head_start(
            volumes in proptest::collection::vec((0_i64..9_999, proptest::option::of(0_i64..9_999), 0_i64..9_999, 0_i64..9_999), 1..5)
        ) {
            let volumes: Vec<Timing> = volumes
                .into_iter()
                .map(|(warm, done, image, end)| timing((warm, done), (image, end)))
                .collect();
            let most = volumes.iter().map(|one| one.head_start()).max().unwrap();
            let found = saved(&volumes).unwrap();
            prop_assert!(found.without >= found.with);
            prop_assert!(found.time() <= most);
        }
    }
}
