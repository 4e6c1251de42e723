//! What it means that EC2 does not list an image: not yet, for a moment, or no longer. Pure: time is a duration since
//! the wait began.

use std::time::Duration;

/// How long a fresh image may be unknown to DescribeImages
/// (<https://github.com/ansible/ansible/issues/4368>: about one in ten is at first).
const UNKNOWN_FOR: Duration = Duration::from_secs(300);
/// How long one that was listed before may be unknown: what is consistent only in the end flickers for seconds.
const GONE_AFTER: Duration = Duration::from_secs(60);
/// In how many looks at least.
const GONE_LOOKS: u32 = 3;
/// The pause between these looks.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// What was seen of an image so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Visibility {
    /// Whether it was listed at any time.
    listed: bool,
    /// Since when it is not, and in how many looks.
    missing: Option<(Duration, u32)>,
    is_gone: bool,
}

/// Why an image is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotListed {
    /// It is too young to be.
    NotYet,
    /// It never was, and would be by now.
    Never,
    /// It was a moment ago; who knows.
    Unclear,
    /// It was, and is not for so long, in so many looks: somebody deregistered it.
    Gone(Duration, u32),
}

impl Visibility {
    /// Notes a look that found it.
    pub(crate) fn record_listed(&mut self) {
        self.listed = true;
        self.missing = None;
    }

    /// Notes a look that did not.
    pub(crate) fn record_missing(&mut self, elapsed: Duration) -> NotListed {
        let (since, looks) = self.missing.get_or_insert((elapsed, 0));
        *looks += 1;
        let (missing_for, looks) = (elapsed.saturating_sub(*since), *looks);
        if !self.listed {
            return match elapsed < UNKNOWN_FOR {
                true => NotListed::NotYet,
                false => NotListed::Never,
            };
        }
        self.is_gone = missing_for >= GONE_AFTER && looks >= GONE_LOOKS;
        match self.is_gone {
            true => NotListed::Gone(missing_for, looks),
            false => NotListed::Unclear,
        }
    }

    /// Whether it was listed, and is gone for good.
    pub(crate) fn is_gone(self) -> bool {
        self.is_gone
    }
}

#[cfg(test)]
mod tests {
    use super::{NotListed, Visibility};
    use std::time::Duration;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_image_that_was_never_listed_has_five_minutes() {
        let mut visibility = Visibility::default();
        for seconds in [0, 1, 120, 299] {
            assert_eq!(visibility.record_missing(at(seconds)), NotListed::NotYet);
        }
        assert_eq!(visibility.record_missing(at(300)), NotListed::Never);
        assert!(!visibility.is_gone());
    }

    #[test]
    fn one_that_was_listed_is_gone_after_a_minute_of_looks() {
        let mut visibility = Visibility::default();
        visibility.record_listed();
        for seconds in [100, 115, 130, 145] {
            assert_eq!(visibility.record_missing(at(seconds)), NotListed::Unclear);
        }
        assert_eq!(
            visibility.record_missing(at(160)),
            NotListed::Gone(at(60), 5)
        );
        assert!(visibility.is_gone());
    }

    #[test]
    fn a_flicker_begins_anew_and_two_looks_prove_nothing() {
        let mut visibility = Visibility::default();
        visibility.record_listed();
        assert_eq!(visibility.record_missing(at(100)), NotListed::Unclear);
        visibility.record_listed();
        assert_eq!(visibility.record_missing(at(170)), NotListed::Unclear);
        // A look may take its time.
        assert_eq!(visibility.record_missing(at(400)), NotListed::Unclear);
        assert_eq!(
            visibility.record_missing(at(401)),
            NotListed::Gone(at(231), 3)
        );
    }
}
