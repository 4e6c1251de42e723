//! What explains a failure, collected on the way.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What has been gathered so far. Cheap when no bundle is asked for.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Name in the bundle and content.
    pub(super) files: Vec<(String, String)>,
    /// The release that was being deployed.
    pub(super) release: Option<String>,
}

impl Evidence {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a file; an empty one says nothing.
    pub(crate) fn add(&self, name: impl Into<String>, content: impl Into<String>) {
        let (name, content) = (name.into(), content.into());
        if !content.trim().is_empty() {
            let mut state = self.state();
            state.files.push((name, content));
        }
    }

    /// Remembers which release it is about.
    pub(crate) fn about(&self, release: &str) {
        let mut state = self.state();
        state.release = Some(release.to_owned());
    }
}
