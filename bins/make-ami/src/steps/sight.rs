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
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// What was seen of an image so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sight {
    /// Whether it was listed at any time.
    listed: bool,
    /// Since when it is not, and in how many looks.
    missing: Option<(Duration, u32)>,
    is_gone: bool,
}

/// Why an image is not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absence {
    /// It is too young to be.
    NotYet,
    /// It never was, and would be by now.
    Never,
    /// It was a moment ago; who knows.
    Unclear,
    /// It was, and is not for so long, in so many looks: somebody deregistered it.
    Gone(Duration, u32),
}

impl Sight {
    /// Notes a look that found it.
    pub(super) fn listed(&mut self) {
        self.listed = true;
        self.missing = None;
    }

    /// Notes a look that did not.
    pub(super) fn missed(&mut self, elapsed: Duration) -> Absence {
        let (since, looks) = self.missing.get_or_insert((elapsed, 0));
        *looks += 1;
        let (missing_for, looks) = (elapsed.saturating_sub(*since), *looks);
        if !self.listed {
            return match elapsed < UNKNOWN_FOR {
                true => Absence::NotYet,
                false => Absence::Never,
            };
        }
        self.is_gone = missing_for >= GONE_AFTER && looks >= GONE_LOOKS;
        match self.is_gone {
            true => Absence::Gone(missing_for, looks),
            false => Absence::Unclear,
        }
    }

    /// Whether it was listed, and is gone for good.
    #[must_use]
    pub(super) fn is_gone(self) -> bool {
        self.is_gone
    }
}

#[cfg(test)]
mod tests {
    use super::{Absence, Sight};
    use std::time::Duration;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn an_image_that_was_never_listed_has_five_minutes() {
        let mut sight = Sight::default();
        for seconds in [0, 1, 120, 299] {
            assert_eq!(sight.missed(at(seconds)), Absence::NotYet);
        }
        assert_eq!(sight.missed(at(300)), Absence::Never);
        assert!(!sight.is_gone());
    }

    #[test]
    fn one_that_was_listed_is_gone_after_a_minute_of_looks() {
        let mut sight = Sight::default();
        sight.listed();
        for seconds in [100, 115, 130, 145] {
            assert_eq!(sight.missed(at(seconds)), Absence::Unclear);
        }
        assert_eq!(sight.missed(at(160)), Absence::Gone(at(60), 5));
        assert!(sight.is_gone());
    }

    #[test]
    fn a_flicker_begins_anew_and_two_looks_prove_nothing() {
        let mut sight = Sight::default();
        sight.listed();
        assert_eq!(sight.missed(at(100)), Absence::Unclear);
        sight.listed();
        assert_eq!(sight.missed(at(170)), Absence::Unclear);
        // A look may take its time.
        assert_eq!(sight.missed(at(400)), Absence::Unclear);
        assert_eq!(sight.missed(at(401)), Absence::Gone(at(231), 3));
    }
}
