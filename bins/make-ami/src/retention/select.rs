//! Which older images of an application go, and how far. Pure.

use crate::settings::Retention;
use crate::settings::modes::Retire;
use jiff::Timestamp;
use std::fmt;
use std::time::Duration;

/// The longest that a build of CodeBuild runs
/// (<https://docs.aws.amazon.com/codebuild/latest/userguide/limits.html>).
const LONGEST_RUN: Duration = Duration::from_secs(36 * 3600);

/// An image of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Old {
    pub(crate) id: String,
    pub(crate) name: String,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// Whether its deprecation time has come.
    pub(crate) deprecated: bool,
    /// Whether it is disabled.
    pub(crate) disabled: bool,
    /// When an instance of it was last launched, as far as EC2 tells.
    pub(crate) last_launched: Option<Timestamp>,
    /// EC2's word for its deregistration protection, where that is on.
    pub(crate) protection: Option<String>,
    /// Whether it is only the first image of a run that makes an encrypted copy.
    pub(crate) is_first: bool,
}

/// A step down for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It still works, and is hidden from everybody else's lists.
    Deprecate,
    /// It launches no more; it can be enabled again.
    Disable,
    /// It is gone, with its snapshots.
    Deregister,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Deprecate => "deprecate",
            Stage::Disable => "disable",
            Stage::Deregister => "deregister",
        })
    }
}

/// The images that are too many or too old, the oldest first. `current` always stays, whatever the
/// clocks say, and counts as the newest.
pub(crate) fn surplus(
    images: &[Old],
    current: &str,
    retention: &Retention,
    now: Timestamp,
) -> Vec<Old> {
    let age = |image: &Old| Duration::try_from(now.duration_since(image.created));
    // Its own run removes it; one that was killed could not.
    let is_left = |image: &Old| age(image).is_ok_and(|age| age > LONGEST_RUN);
    let others = images.iter().filter(|image| image.id != current);
    let (first, mut older): (Vec<&Old>, Vec<&Old>) = others.partition(|image| image.is_first);
    older.sort_by(|one, other| (other.created, &other.id).cmp(&(one.created, &one.id)));
    let keep = retention.keep.unwrap_or(1).max(1);
    let is_old = |image: &Old| {
        let most = retention.max_age;
        most.is_none_or(|most| age(image).is_ok_and(|age| age > most))
    };
    let mut gone: Vec<Old> = older
        .into_iter()
        .skip(keep - 1)
        .filter(|image| is_old(image))
        .chain(first.into_iter().filter(|image| is_left(image)))
        .cloned()
        .collect();
    gone.reverse();
    gone
}

/// What happens to a surplus image in this run.
pub(crate) fn stage(image: &Old, retire: Retire) -> Stage {
    match retire {
        Retire::Deregister => Stage::Deregister,
        Retire::Ladder if image.disabled => Stage::Deregister,
        Retire::Ladder if image.deprecated => Stage::Disable,
        Retire::Ladder => Stage::Deprecate,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Old, Stage, stage, surplus};
    use crate::settings::Retention;
    use crate::settings::modes::Retire;
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::time::Duration;

    const DAY: i64 = 86_400;

    fn old(id: &str, day: i64) -> Old {
        Old {
            id: id.to_owned(),
            name: format!("web-{id}"),
            created: Timestamp::from_second(day * DAY).unwrap(),
            deprecated: false,
            disabled: false,
            last_launched: None,
            protection: None,
            is_first: false,
        }
    }

    fn retention(keep: Option<usize>, days: Option<u64>) -> Retention {
        Retention {
            app: "web".to_owned(),
            keep,
            max_age: days.map(|days| Duration::from_secs(days * 86_400)),
            retire: Retire::Ladder,
            unused_for: None,
            usage_report_age: Duration::from_secs(86_400),
        }
    }

    fn gone(keep: Option<usize>, days: Option<u64>) -> Vec<String> {
        let images = [old("a", 1), old("b", 2), old("c", 3), old("new", 4)];
        let now = Timestamp::from_second(4 * DAY + 1).unwrap();
        let gone = surplus(&images, "new", &retention(keep, days), now);
        gone.into_iter().map(|image| image.id).collect()
    }

    #[test]
    fn the_newest_stay_and_the_oldest_go_first() {
        assert_eq!(gone(Some(2), None), ["a", "b"]);
        assert_eq!(gone(Some(4), None), Vec::<String>::new());
        assert_eq!(gone(None, Some(2)), ["a", "b"]);
        assert_eq!(gone(Some(3), Some(1)), ["a"]);
        assert_eq!(gone(Some(1), Some(30)), Vec::<String>::new());
    }

    #[test]
    fn the_ladder_goes_down_one_rung_a_run() {
        let mut image = old("a", 1);
        assert_eq!(stage(&image, Retire::Ladder), Stage::Deprecate);
        image.deprecated = true;
        assert_eq!(stage(&image, Retire::Ladder), Stage::Disable);
        image.disabled = true;
        assert_eq!(stage(&image, Retire::Ladder), Stage::Deregister);
        assert_eq!(stage(&old("a", 1), Retire::Deregister), Stage::Deregister);
    }

    proptest! {
        #[test]
        fn the_current_image_never_goes_and_enough_stay(
            days in proptest::collection::vec(0_i64..100, 0..20),
            current_day in 0_i64..100,
            keep in proptest::option::of(1_usize..6),
            age in proptest::option::of(1_u64..50),
        ) {
            let mut images: Vec<Old> = days
                .iter()
                .enumerate()
                .map(|(n, day)| old(&n.to_string(), *day))
                .collect();
            images.push(old("current", current_day));
            let now = Timestamp::from_second(100 * DAY).unwrap();
            let gone = surplus(&images, "current", &retention(keep, age), now);
            prop_assert!(gone.iter().all(|image| image.id != "current"));
            let left = images.len() - gone.len();
            prop_assert!(left >= keep.unwrap_or(1).min(images.len()));
            let newest_gone = gone.iter().map(|image| image.created).max();
            let stays_older = images.iter().filter(|image| {
                image.id != "current" && !gone.iter().any(|one| one.id == image.id)
            });
            for image in stays_older {
                prop_assert!(newest_gone.is_none_or(|newest| image.created >= newest));
            }
        }
    }
}
