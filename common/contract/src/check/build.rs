//! A build of a pipeline, as far as its variables go.

use crate::checks::buildspec::{self, Set};
use crate::model::buildspec::Buildspec;

/// A build: what it runs, and the variables that it begins with, where they are known.
pub(super) struct Build {
    pub(super) spec: Buildspec,
    pub(super) given: Option<Vec<String>>,
}

impl Build {
    pub(super) fn set(&self, name: &str) -> Set {
        let given = self.given.as_ref();
        let given: Option<Vec<&str>> =
            given.map(|names| names.iter().map(String::as_str).collect());
        buildspec::sets(&self.spec, name, given.as_deref())
    }

    /// The buildspec, when it sets that variable.
    pub(super) fn sets(&self, name: &str) -> Option<String> {
        (self.set(name) == Set::Yes).then(|| self.spec.file.clone())
    }
}
