//! What becomes of an image that is created, counted in readings or in time.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What becomes of an image that is created.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// `pending` for so many readings, then available.
    Available {
        /// How many readings say `pending`.
        after_polls: u32,
    },
    /// `pending` for so many readings, then failed for a reason.
    Failed {
        /// How many readings say `pending`.
        after_polls: u32,
        /// The code, such as `Client.InstanceTerminated`.
        code: String,
        /// The message.
        message: String,
    },
    /// `pending` for so many readings, then any other state, such as `error` or `deregistered`.
    Becomes {
        /// How many readings say `pending`.
        after_polls: u32,
        /// The state.
        state: String,
    },
    /// `pending` as long as anyone looks.
    Never,
    /// `pending` for so many readings, then not to be found.
    Vanishes {
        /// How many readings say `pending`.
        after_polls: u32,
    },
    /// By the world's clock, not by readings.
    Timed(Course),
}

impl Outcome {
    /// How many readings say `pending`; all when there is no number.
    pub(super) fn polls(&self) -> Option<u32> {
        match self {
            Self::Available { after_polls }
            | Self::Failed { after_polls, .. }
            | Self::Becomes { after_polls, .. }
            | Self::Vanishes { after_polls } => Some(*after_polls),
            Self::Never | Self::Timed(_) => None,
        }
    }

    /// How it ends.
    pub(super) fn end(&self) -> End {
        match self {
            Self::Available { .. } => End::Available,
            Self::Failed { code, message, .. } => End::Failed {
                code: code.clone(),
                message: message.clone(),
            },
            Self::Becomes { state, .. } => End::Becomes(state.clone()),
            Self::Never => End::Never,
            Self::Vanishes { .. } => End::Vanishes,
            Self::Timed(course) => course.end.clone(),
        }
    }
}

impl From<Course> for Outcome {
    fn from(course: Course) -> Self {
        Self::Timed(course)
    }
}

/// How a course ends.
#[derive(Debug, Clone)]
pub enum End {
    /// The image is available.
    Available,
    /// The image has failed.
    Failed {
        /// The code, such as `Client.InstanceTerminated`.
        code: String,
        /// The message.
        message: String,
    },
    /// Any other state, such as `error`, `invalid`, `deregistered` or `disabled`.
    Becomes(String),
    /// It stays `pending`, its snapshots at most at 99 %.
    Never,
    /// The image is not to be found any more.
    Vanishes,
}

/// What becomes of an image by the world's clock.
#[derive(Debug, Clone)]
pub struct Course {
    /// From CreateImage, or CopyImage, to the end.
    pub after: Duration,
    /// What happens then.
    pub end: End,
    /// How its snapshots get on.
    pub progress: Progress,
    /// How long before the end the last snapshot is completed.
    pub gap: Duration,
    /// Whether a smaller snapshot is completed earlier, in the proportion of the sizes.
    pub by_size: bool,
    /// Puts the snapshots into the state `error` with this message at the end.
    pub snapshot_error: Option<String>,
}

impl Course {
    fn new(after: Duration, end: End) -> Self {
        Self {
            after,
            end,
            progress: Progress::linear(),
            gap: Duration::ZERO,
            by_size: false,
            snapshot_error: None,
        }
    }

    /// Available after so long.
    pub fn available(after: Duration) -> Self {
        Self::new(after, End::Available)
    }

    /// Failed after so long, with a code such as `Server.InternalError`.
    pub fn failed(after: Duration, code: &str, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        Self::new(after, End::Failed { code, message })
    }

    /// In another state after so long, such as `disabled`.
    pub fn becomes(after: Duration, state: &str) -> Self {
        Self::new(after, End::Becomes(state.to_owned()))
    }

    /// Never done; its snapshots get to 99 % in that time and stay there.
    pub fn never(after: Duration) -> Self {
        Self::new(after, End::Never)
    }

    /// Not to be found after so long.
    pub fn vanishes(after: Duration) -> Self {
        Self::new(after, End::Vanishes)
    }

    /// Changes how the snapshots get on.
    #[must_use]
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Lets the snapshots be completed so long before the image turns.
    #[must_use]
    pub fn gap(mut self, gap: Duration) -> Self {
        self.gap = gap;
        self
    }

    /// Lets smaller snapshots be completed earlier.
    #[must_use]
    pub fn by_size(mut self) -> Self {
        self.by_size = true;
        self
    }

    /// Puts the snapshots into the state `error` at the end.
    #[must_use]
    pub fn snapshot_error(mut self, message: &str) -> Self {
        self.snapshot_error = Some(message.to_owned());
        self
    }

    /// When a snapshot of `size` is completed if the largest has `largest`, from the beginning.
    pub(super) fn completion(&self, size: u32, largest: u32) -> Duration {
        let whole = self.after.saturating_sub(self.gap);
        if self.by_size && largest > 0 {
            whole.mul_f64(f64::from(size) / f64::from(largest))
        } else {
            whole
        }
    }
}

/// Percent of a snapshot over the part of its time that has gone by.
#[derive(Clone)]
pub struct Progress(Arc<dyn Fn(f64) -> f64 + Send + Sync>);

impl Progress {
    /// As much of the snapshot as of the time.
    pub fn linear() -> Self {
        Self::custom(|part| part * 100.0)
    }

    /// Shown in steps of so many percent.
    pub fn steps(percent: u32) -> Self {
        let step = f64::from(percent.max(1));
        Self::custom(move |part| (part * 100.0 / step).floor() * step)
    }

    /// Linear but for stretches of the time, each from one fraction to another and in order, in
    /// which nothing moves.
    pub fn stalls(stretches: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let stretches: Vec<(f64, f64)> = stretches.into_iter().collect();
        let idle = move |until: f64| -> f64 {
            stretches
                .iter()
                .map(|(from, to)| (to.min(until) - from).max(0.0))
                .sum()
        };
        Self::custom(move |part| 100.0 * (part - idle(part)) / (1.0 - idle(1.0)))
    }

    /// Any course: from the fraction of the time, 0 to 1, to percent.
    pub fn custom(percent: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(percent))
    }

    /// Percent when `fraction` of the time has gone by; 100 only when all of it has.
    pub(super) fn at(&self, fraction: f64) -> u32 {
        if fraction >= 1.0 {
            return 100;
        }
        let percent = (self.0)(fraction.max(0.0)).clamp(0.0, 99.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 99"
        )]
        let percent = percent as u32;
        percent
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<u32> = (0..=4).map(|n| self.at(f64::from(n) / 4.0)).collect();
        write!(f, "Progress{shown:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::Progress;

    #[test]
    fn progress_steps_stalls_and_is_whole_only_at_the_end() {
        assert_eq!(Progress::steps(5).at(0.49), 45);
        let stalled = Progress::stalls([(0.25, 0.75)]);
        assert_eq!(
            [0.0, 0.25, 0.5, 0.75, 0.875, 1.0].map(|part| stalled.at(part)),
            [0, 50, 50, 50, 75, 100]
        );
        assert_eq!(Progress::custom(|_| 250.0).at(0.999), 99);
        assert_eq!(Progress::linear().at(2.0), 100);
    }
}
