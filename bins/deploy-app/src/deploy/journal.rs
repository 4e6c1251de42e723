//! What a run did so far, so that it can be taken back.

use filesync::Decision;

use crate::host::lock::Lock;
use crate::host::state::State;
use crate::runtime::run_spec::Manner;

/// What a run did so far, written down before each deed, because a deed that fails may be half done.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// The lock, once it was taken.
    pub lock: Option<Lock>,
    /// The release that is being brought to run.
    pub release: String,
    /// Whether that release was made by this run, or by one that died before it was proven; it goes when
    /// it fails.
    pub made: bool,
    /// Whether `current` was switched to it, and what comes back when it fails.
    pub switched: Option<Before>,
    /// How what comes back is run.
    pub back: Option<Manner>,
    /// In-place: the releases that may have files in the target folder, this one first, once any were moved.
    pub placed: Option<Vec<String>>,
    /// Whether commands of the new release may have run.
    pub started: bool,
    /// What the agent decided on an earlier deployment, until that is told.
    pub decision: Option<Decision>,
}

/// What comes back when a release fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing: this was the first release.
    Nothing,
    /// This release, which was healthy when it was started last.
    Release(String),
    /// Nothing: this release was current, and neither it nor any other was ever proven healthy.
    Unproven(String),
}

impl Before {
    /// The release that comes back.
    pub(super) fn release(&self) -> Option<&str> {
        match self {
            Self::Release(release) => Some(release),
            Self::Nothing | Self::Unproven(_) => None,
        }
    }

    /// What comes back when `next` fails.
    pub(super) fn of(state: &State, next: &str) -> Self {
        match (state.fallback(next), state.current_name()) {
            (Some(release), _) => Self::Release(release.to_owned()),
            (None, Some(current)) => Self::Unproven(current.to_owned()),
            (None, None) => Self::Nothing,
        }
    }
}
