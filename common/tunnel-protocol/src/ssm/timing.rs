//! How long an acknowledgement may take, from how long others took: Jacobson's estimate, as in TCP (RFC 6298).

use std::time::Duration;

/// Before anything is known, as AWS's own client has it.
const FIRST: Duration = Duration::from_millis(200);
const LEAST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(1);

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Timing {
    /// The smoothed time, and how far the times lie from it.
    known: Option<(Duration, Duration)>,
}

impl Timing {
    /// A message that was sent once was acknowledged after this time.
    pub(crate) fn took(&mut self, time: Duration) {
        self.known = Some(match self.known {
            None => (time, time / 2),
            Some((usual, spread)) => {
                let off = time.abs_diff(usual);
                ((usual * 7 + time) / 8, (spread * 3 + off) / 4)
            }
        });
    }

    /// After so long a message is sent again.
    pub(crate) fn timeout(&self) -> Duration {
        match self.known {
            None => FIRST,
            Some((usual, spread)) => (usual + spread * 4).clamp(LEAST, MOST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FIRST, LEAST, MOST, Timing};
    use std::time::Duration;

    #[test]
    fn the_time_follows_the_network_within_its_bounds() {
        let mut timing = Timing::default();
        assert_eq!(timing.timeout(), FIRST);
        let after = |timing: &mut Timing, time: u64, times: usize| {
            for _ in 0..times {
                timing.took(Duration::from_millis(time));
            }
            timing.timeout()
        };
        assert_eq!(after(&mut timing, 1, 100), LEAST);
        let slow = after(&mut timing, 400, 100);
        assert!(slow > Duration::from_millis(399) && slow < Duration::from_millis(410));
        assert!(after(&mut timing, 700, 1) > slow);
        assert_eq!(after(&mut timing, 60_000, 100), MOST);
    }
}
