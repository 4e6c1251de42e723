//! A time before another.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// So long before a time.
pub(super) fn ago(duration: Duration, now: Timestamp) -> Timestamp {
    let duration = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    now.checked_sub(duration).unwrap_or(Timestamp::MIN)
}
