//! The time of day, which follows tokio's clock: a test can pause it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Seconds since 1970, counted from when the worker started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    unix: i64,
}

impl Clock {
    /// The time of this machine. Must be called inside a tokio runtime.
    pub(crate) fn start() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = unix.unwrap_or(Duration::ZERO).as_secs();
        Self::at(i64::try_from(seconds).unwrap_or_default())
    }

    /// A clock that says `unix` now.
    pub(crate) fn at(unix: i64) -> Self {
        Self {
            started: Instant::now(),
            unix,
        }
    }

    pub(crate) fn now(&self) -> i64 {
        self.unix.saturating_add(seconds(self.started.elapsed()))
    }

    /// When it is this late.
    pub(crate) fn instant(&self, unix: i64) -> Instant {
        let left = u64::try_from(unix.saturating_sub(self.now())).unwrap_or(0);
        // A time that a foreign token makes up must not overflow the clock.
        Instant::now() + Duration::from_secs(left.min(30 * 86_400))
    }
}

/// Whole seconds of a duration.
pub(crate) fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}
