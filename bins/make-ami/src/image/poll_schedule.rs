//! When to look next while an image is being made: seldom while its snapshots crawl, often near the
//! end, and never more calls than a poll every 15 seconds makes.
//!
//! Pure: time is a duration since the wait began. The end is foretold from the snapshots' progress,
//! which EC2 tells in whole percents.

use std::time::Duration;

/// The poll that this is measured against: the stock waiter's delay
/// (<https://docs.aws.amazon.com/cli/latest/reference/ec2/wait/image-available.html>).
pub(crate) const STOCK_POLL: Duration = Duration::from_secs(15);

/// The first looks of a wait; each pause is twice the one before.
const FIRST: f64 = 1.0;
/// The pause where the end is near, and the longest one.
const NEAR: f64 = 1.7;
const FAR: f64 = 60.0;
/// The longest pause while nothing foretells the end.
const BLIND: f64 = 20.0;
/// How far ahead a look is put, as a part of the time that seems to be left.
const AHEAD: f64 = 0.6;
/// After so many looks at the snapshots the image itself is looked at, which may have failed meanwhile: while
/// they tell how far they are, and while they do not.
const IMAGE_EVERY: u32 = 6;
const IMAGE_EVERY_BLIND: u32 = 1;
/// And after so long in any case, in seconds.
const IMAGE_WITHIN: f64 = 100.0;
/// From when on calls count, in seconds.
const COUNTED_FROM: f64 = 300.0;
/// What is held back for the looks that prove the image.
const HELD_BACK: f64 = 5.0;
/// With less than this many calls to spare, even a near end is looked at more slowly.
const EASY: f64 = 5.0;
/// Until calls count, the ones to spare are spread over this part of the time that is left until then.
const SPREAD: f64 = 0.5;
/// The pause between the two looks that prove an image available.
pub(crate) const PROOF: Duration = Duration::from_millis(500);

/// What the next look asks for: one call each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The image, whose state decides.
    Image,
    /// Its snapshots: as long as one is copied, the image cannot be available.
    Snapshots,
}

/// The looks of one wait so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct PollSchedule {
    calls: u32,
    /// How often the snapshots were asked for since the image was.
    since_image: u32,
    /// When the image was looked at.
    image: f64,
    /// When snapshots were asked for, and how far they were: 0 to 1.
    progress: Vec<(f64, f64)>,
    /// Every snapshot is completed; only the image's own state is missing.
    copied: bool,
}

impl PollSchedule {
    /// Counts a look at the image.
    pub(crate) fn looked(&mut self, elapsed: Duration) {
        self.calls += 1;
        self.since_image = 0;
        self.image = elapsed.as_secs_f64();
    }

    /// Counts a look at the snapshots: how much of the data is copied, 0 to 1.
    pub(crate) fn progressed(&mut self, elapsed: Duration, fraction: f64) {
        self.calls += 1;
        self.since_image += 1;
        self.copied = fraction >= 1.0;
        let is_news = self
            .progress
            .last()
            .is_none_or(|(_, before)| fraction > *before);
        if is_news {
            self.progress.push((elapsed.as_secs_f64(), fraction));
        }
    }

    #[cfg(test)]
    pub(crate) fn calls(&self) -> u32 {
        self.calls
    }

    /// What the next look asks for.
    pub(crate) fn ask(&self, elapsed: Duration) -> Ask {
        let is_due = self.since_image > 0 && elapsed.as_secs_f64() - self.image >= IMAGE_WITHIN;
        let most = match self.rate() {
            Some(_) => IMAGE_EVERY,
            None => IMAGE_EVERY_BLIND,
        };
        if self.calls > 0 && !self.copied && !is_due && self.since_image < most {
            Ask::Snapshots
        } else {
            Ask::Image
        }
    }

    /// How much is copied in a second, as a fraction of the whole, over the younger half of what was
    /// seen: snapshots rarely keep their first pace.
    pub(crate) fn rate(&self) -> Option<f64> {
        let (now, done) = self.progress.last()?;
        let from = self.progress.iter().find(|(at, _)| *at >= now / 2.0)?;
        let (seconds, fraction) = (now - from.0, done - from.1);
        if seconds > 0.0 && fraction > 0.0 {
            return Some(fraction / seconds);
        }
        (*now > 0.0 && *done > 0.0).then(|| done / now)
    }

    /// The seconds that seem to be left until the last snapshot is completed.
    pub(crate) fn left(&self, elapsed: Duration) -> Option<f64> {
        let (seen, done) = self.progress.last()?;
        let left = (1.0 - done) / self.rate()?;
        Some((left - (elapsed.as_secs_f64() - seen)).max(0.0))
    }

    /// The pause until the next look.
    pub(crate) fn pause(&self, elapsed: Duration) -> Duration {
        if self.copied && self.since_image > 0 {
            // The image may be available by now.
            return Duration::ZERO;
        }
        let left = match self.left(elapsed) {
            _ if self.copied => Some(0.0),
            left => left,
        };
        let elapsed = elapsed.as_secs_f64();
        let calls = f64::from(self.calls);
        let spare = elapsed.max(COUNTED_FROM) / STOCK_POLL.as_secs_f64() - HELD_BACK - calls;
        let near = NEAR * (EASY / spare.max(1.0)).max(1.0);
        let doubled = FIRST * f64::from(1_u32 << self.calls.saturating_sub(1).min(10));
        let wanted = match left {
            Some(left) => (left * AHEAD).max(near).min(FAR),
            None => doubled.min(BLIND),
        };
        let spread = (COUNTED_FROM - elapsed) / spare.max(1.0) * SPREAD;
        let wanted = wanted.max(spread.min(doubled));
        if spare >= 1.0 {
            return Duration::from_secs_f64(wanted);
        }
        // A wait may be a tenth shorter than it is told: see `action::wait::until`.
        let earliest = (calls + 1.0 + HELD_BACK) * STOCK_POLL.as_secs_f64();
        Duration::from_secs_f64(wanted.max((earliest - elapsed) / 0.9))
    }
}

#[cfg(test)]
#[expect(
    clippy::print_stdout,
    reason = "the figures are the point of the simulation"
)]
mod tests {
    use super::{Ask, PROOF, PollSchedule, STOCK_POLL};
    use std::time::Duration;

    /// How a snapshot's copy goes on: the part that is done, by the part of the time that has passed.
    type Curve = fn(f64) -> f64;

    const CURVES: [(&str, Curve); 8] = [
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
        ("none until the end", |_| 0.0),
        ("all at the end", |t| ((t - 0.95) / 0.05).max(0.0)),
        ("long at 99 %", |t| (t * 3.0).min(0.99)),
    ];

    /// Waits up to so many minutes, with the most that their median lag and their longest may be, in seconds,
    /// while the progress tells something, and where it does not.
    const BANDS: [(f64, [f64; 2], [f64; 2]); 6] = [
        (2.0, [16.0, 75.0], [15.0, 75.0]),
        (3.0, [16.0, 75.0], [25.0, 75.0]),
        (5.0, [16.0, 75.0], [40.0, 140.0]),
        (10.0, [8.0, 75.0], [15.0, 75.0]),
        (30.0, [4.0, 75.0], [12.0, 75.0]),
        (360.0, [3.0, 75.0], [12.0, 75.0]),
    ];
    /// How many of the curves tell something.
    const TELLING: usize = 5;

    struct Waited {
        lag: f64,
        calls: u32,
    }

    /// A wait for an image whose snapshots take `copy` seconds and which is available `gap` seconds
    /// after the last of them. Every call takes 0.2 s.
    fn wait(copy: f64, gap: f64, curve: Curve, jitter: &mut impl FnMut() -> f64) -> Waited {
        let available = copy + gap;
        let mut schedule = PollSchedule::default();
        let mut now = 0.0;
        let call = 0.2;
        loop {
            now += call;
            match schedule.ask(Duration::from_secs_f64(now)) {
                Ask::Image => {
                    schedule.looked(Duration::from_secs_f64(now));
                    if now >= available {
                        // Its snapshots, and the second look that proves it, with its snapshots.
                        now += PROOF.as_secs_f64() * jitter() + 3.0 * call;
                        return Waited {
                            lag: now - available,
                            calls: schedule.calls() + 3,
                        };
                    }
                }
                Ask::Snapshots => {
                    let done = if now >= copy {
                        1.0
                    } else {
                        (curve(now / copy) * 100.0).floor().min(99.0) / 100.0
                    };
                    schedule.progressed(Duration::from_secs_f64(now), done);
                }
            }
            now += schedule.pause(Duration::from_secs_f64(now)).as_secs_f64() * jitter();
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
        for (index, (name, curve)) in CURVES.into_iter().enumerate() {
            let mut lags: Vec<(f64, f64)> = Vec::new();
            let mut share = Vec::new();
            for _ in 0..1500 {
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
                lags.push((total / 60.0, waited.lag));
            }
            print!(
                "{name:>22}: of the calls of a 15 s poll {:.0} %; median and longest lag in s",
                median(share) * 100.0
            );
            let mut from = 1.0;
            for (to, telling, silent) in BANDS {
                let band = lags
                    .iter()
                    .filter(|(minutes, _)| (from..to).contains(minutes));
                let band: Vec<f64> = band.map(|(_, lag)| *lag).collect();
                let longest = band.iter().copied().fold(0.0, f64::max);
                let middle = median(band);
                print!(", {from} to {to} min {middle:.1} {longest:.0}");
                let [most, at_the_most] = if index < TELLING { telling } else { silent };
                assert!(middle <= most, "{name}: {middle} s up to {to} min");
                assert!(longest <= at_the_most, "{name}: {longest} s up to {to} min");
                from = to;
            }
            println!();
            if index < TELLING {
                all.extend(lags.into_iter().map(|(_, lag)| lag));
            }
        }
        let lag = median(all);
        println!("{:>22}: median lag {lag:.1} s", "all that tell");
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
            assert!(waited.lag < 65.0, "{total}: {}", waited.lag);
        }
    }

    #[test]
    fn what_is_left_is_foretold_from_the_younger_half() {
        let mut schedule = PollSchedule::default();
        for (at, done) in [(10, 0.5), (100, 0.6), (200, 0.7)] {
            schedule.progressed(Duration::from_secs(at), done);
        }
        // 0.1 in 100 s: 300 s to go, 50 of which have passed.
        assert_eq!(
            schedule.left(Duration::from_secs(250)).map(f64::round),
            Some(250.0)
        );
    }
}
