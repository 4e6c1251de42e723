//! When to look next while an image is being made: seldom while its snapshots crawl, often near the
//! end, and never more calls than a poll every 15 seconds makes.
//!
//! Pure: time is a duration since the wait began. The end is foretold from the snapshots' progress,
//! which EC2 tells in whole percents.

use std::time::Duration;

/// The poll that this is measured against: the stock waiter's delay
/// (<https://docs.aws.amazon.com/cli/latest/reference/ec2/wait/image-available.html>).
pub const STOCK_POLL: Duration = Duration::from_secs(15);

/// The first looks of a wait; each pause is twice the one before.
const FIRST: f64 = 1.0;
/// The pause where the end is near, and the longest one.
const NEAR: f64 = 1.7;
const FAR: f64 = 60.0;
/// The longest pause while nothing foretells the end.
const BLIND: f64 = 20.0;
/// How far ahead a look is put, as a part of the time that seems to be left.
const AHEAD: f64 = 0.6;
/// How long snapshots stay unasked while the image is looked at.
const SNAPSHOTS_EVERY: f64 = 25.0;
/// What a wait of up to five minutes may spend, and what is held back for the looks that prove it.
const FREE_CALLS: f64 = 20.0;
const HELD_BACK: f64 = 4.0;
/// With less than this many calls to spare, even a near end is looked at more slowly.
const EASY: f64 = 8.0;
/// The pause between the two looks that prove an image available.
pub const PROOF: Duration = Duration::from_millis(500);

/// The looks of one wait so far.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    calls: u32,
    looks: u32,
    /// When snapshots were asked for, and how far they were: 0 to 1.
    progress: Vec<(f64, f64)>,
    asked_snapshots: Option<f64>,
    /// Every snapshot is completed; only the image's own state is missing.
    copied: bool,
}

impl Pace {
    /// Counts a look at the image.
    pub fn looked(&mut self) {
        self.looks += 1;
        self.calls += 1;
    }

    /// Counts a look at the snapshots: how much of the data is copied, 0 to 1.
    pub fn progressed(&mut self, elapsed: Duration, fraction: f64) {
        self.calls += 1;
        self.asked_snapshots = Some(elapsed.as_secs_f64());
        self.copied = fraction >= 1.0;
        let is_news = self
            .progress
            .last()
            .is_none_or(|(_, before)| fraction > *before);
        if is_news {
            self.progress.push((elapsed.as_secs_f64(), fraction));
        }
    }

    /// API calls so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls
    }

    /// Whether the snapshots are worth a call of their own at this look. The image's state decides;
    /// they only foretell it.
    #[must_use]
    pub fn wants_snapshots(&self, elapsed: Duration) -> bool {
        let since = |asked: f64| elapsed.as_secs_f64() - asked;
        !self.copied
            && self
                .asked_snapshots
                .is_none_or(|asked| since(asked) >= SNAPSHOTS_EVERY.min(since(0.0) / 8.0).max(1.0))
    }

    /// How much is copied in a second, as a fraction of the whole, over the younger half of what was
    /// seen: snapshots rarely keep their first pace.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        let (now, done) = self.progress.last()?;
        let from = self.progress.iter().find(|(at, _)| *at >= now / 2.0)?;
        let (seconds, fraction) = (now - from.0, done - from.1);
        if seconds > 0.0 && fraction > 0.0 {
            return Some(fraction / seconds);
        }
        (*now > 0.0 && *done > 0.0).then(|| done / now)
    }

    /// The seconds that seem to be left until the last snapshot is completed.
    #[must_use]
    pub fn left(&self, elapsed: Duration) -> Option<f64> {
        let (seen, done) = self.progress.last()?;
        let left = (1.0 - done) / self.rate()?;
        Some((left - (elapsed.as_secs_f64() - seen)).max(0.0))
    }

    /// The pause until the next look.
    #[must_use]
    pub fn pause(&self, elapsed: Duration) -> Duration {
        let left = match self.left(elapsed) {
            _ if self.copied => Some(0.0),
            left => left,
        };
        let elapsed = elapsed.as_secs_f64();
        let spare = self.allowance(elapsed) - f64::from(self.calls);
        let near = NEAR * (EASY / spare.max(1.0)).max(1.0);
        let wanted = match left {
            Some(left) => (left * AHEAD).max(near).min(FAR),
            None => (FIRST * f64::from(1_u32 << self.looks.saturating_sub(1).min(10))).min(BLIND),
        };
        // A look may be two calls.
        let allowed =
            (f64::from(self.calls) + 2.0 + HELD_BACK) * STOCK_POLL.as_secs_f64() - elapsed;
        let must_wait = spare < 2.0 && allowed > wanted;
        Duration::from_secs_f64(if must_wait { allowed } else { wanted })
    }

    /// How many calls may have been made by now.
    fn allowance(&self, elapsed: f64) -> f64 {
        (elapsed / STOCK_POLL.as_secs_f64()).max(FREE_CALLS) - HELD_BACK
    }
}

#[cfg(test)]
#[expect(
    clippy::print_stdout,
    reason = "the figures are the point of the simulation"
)]
mod tests {
    use super::{PROOF, Pace, STOCK_POLL};
    use std::time::Duration;

    /// How a snapshot's copy goes on: the part that is done, by the part of the time that has passed.
    type Curve = fn(f64) -> f64;

    const CURVES: [(&str, Curve); 5] = [
        ("steady", |t| t),
        ("slower and slower", |t| t.sqrt()),
        ("slow, then fast", |t| t * t),
        ("stalls in the middle", |t| {
            if t < 0.3 {
                t * 2.0
            } else if t < 0.7 {
                0.6
            } else {
                0.6 + (t - 0.7) / 0.3 * 0.4
            }
        }),
        ("steps of five percent", |t| (t * 20.0).floor() / 20.0),
    ];

    struct Waited {
        lag: f64,
        calls: u32,
    }

    /// A wait for an image whose snapshots take `copy` seconds and which is available `gap` seconds
    /// after the last of them. Every call takes 0.2 s.
    fn wait(copy: f64, gap: f64, curve: Curve, jitter: &mut impl FnMut() -> f64) -> Waited {
        let available = copy + gap;
        let mut pace = Pace::default();
        let mut now = 0.0;
        let call = 0.2;
        loop {
            pace.looked();
            now += call;
            if now >= available {
                // The second look that proves it, with the snapshots.
                now += PROOF.as_secs_f64() + 2.0 * call;
                return Waited {
                    lag: now - available,
                    calls: pace.calls() + 2,
                };
            }
            let elapsed = Duration::from_secs_f64(now);
            if pace.wants_snapshots(elapsed) {
                let done = if now >= copy {
                    1.0
                } else {
                    (curve(now / copy) * 100.0).floor().min(99.0) / 100.0
                };
                pace.progressed(elapsed, done);
                now += call;
            }
            now += pace.pause(Duration::from_secs_f64(now)).as_secs_f64() * jitter();
        }
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    #[test]
    fn fewer_calls_than_every_15_seconds_and_a_median_lag_of_3_seconds_at_most() {
        let mut seed = 7_u64;
        let mut random = move || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut all = Vec::new();
        for (name, curve) in CURVES {
            let mut lags = Vec::new();
            let mut share = Vec::new();
            for _ in 0..400 {
                // From a minute to six hours, as many between 1 and 2 minutes as between 3 and 6 hours.
                let total = 60.0 * 360_f64.powf(random());
                let gap = (total * 0.2).min(90.0) * random();
                let waited = wait(total - gap, gap, curve, &mut || 0.9 + 0.2 * random());
                let stock = (total / STOCK_POLL.as_secs_f64()).floor() + 1.0;
                if total > 300.0 {
                    assert!(
                        f64::from(waited.calls) < stock,
                        "{name}: {} calls in {total:.0} s, a poll every 15 s makes {stock}",
                        waited.calls
                    );
                    share.push(f64::from(waited.calls) / stock);
                }
                lags.push(waited.lag);
            }
            println!(
                "{name:>22}: median lag {:.1} s, of the calls of a 15 s poll {:.0} %",
                median(lags.clone()),
                median(share) * 100.0
            );
            all.extend(lags);
        }
        let lag = median(all);
        println!("{:>22}: median lag {lag:.1} s", "all");
        assert!(lag <= 3.0, "median lag {lag:.1} s");
    }

    #[test]
    fn a_wait_without_any_progress_keeps_the_allowance_too() {
        for total in [301.0, 700.0, 5_000.0, 21_600.0] {
            let waited = wait(total, 0.0, |_| 0.0, &mut || 1.0);
            assert!(
                f64::from(waited.calls) < total / 15.0 + 1.0,
                "{total}: {}",
                waited.calls
            );
            assert!(waited.lag < 35.0, "{total}: {}", waited.lag);
        }
    }

    #[test]
    fn what_is_left_is_foretold_from_the_younger_half() {
        let mut pace = Pace::default();
        for (at, done) in [(10, 0.5), (100, 0.6), (200, 0.7)] {
            pace.progressed(Duration::from_secs(at), done);
        }
        // 0.1 in 100 s: 300 s to go, 50 of which have passed.
        assert_eq!(
            pace.left(Duration::from_secs(250)).map(f64::round),
            Some(250.0)
        );
    }
}
