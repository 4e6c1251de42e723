//! Which execution of a real pipeline is meant.

use std::path::PathBuf;

use action::settings::faults::Faults;

/// An execution that is there, or one that is started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Follow {
    /// Its id; the newest one otherwise.
    pub(crate) execution: Option<String>,
    /// The action that is replayed.
    pub(crate) action: Option<String>,
    pub(crate) is_started: bool,
    /// The versions of sources by the names of their actions.
    pub(crate) revisions: Vec<(String, String)>,
}

impl Follow {
    /// With the id that was given in the place of a definition.
    pub(crate) fn of(self, id: Option<PathBuf>, faults: &mut Faults) -> Self {
        if id.is_some() && self.is_started {
            faults.of(
                "start_execution",
                "an execution that is named has begun already",
            );
        }
        if !self.revisions.is_empty() && !self.is_started {
            faults.of("source_revision", "only --start-execution pins a source");
        }
        Self {
            execution: id.map(|id| id.to_string_lossy().into_owned()),
            ..self
        }
    }
}
