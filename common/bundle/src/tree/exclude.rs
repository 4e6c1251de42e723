//! Patterns of what stays out of folders.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// Patterns in gitignore syntax, as if each folder that is read had an ignore file with these lines.
#[derive(Debug, Clone)]
pub struct Exclude(Gitignore);

impl Exclude {
    /// Reads patterns, one an element.
    ///
    /// # Errors
    /// The first pattern that is none, and why.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        // Without a root of its own: what is matched begins below the folder.
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            builder
                .add_line(None, pattern)
                .map_err(|error| error.to_string())?;
        }
        builder.build().map(Self).map_err(|error| error.to_string())
    }

    /// Whether nothing can stay out.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path below a folder stays out; what is above it was asked before.
    pub(super) fn holds(&self, below: &Path, is_folder: bool) -> bool {
        self.0.matched(below, is_folder).is_ignore()
    }
}

impl Default for Exclude {
    /// Nothing.
    fn default() -> Self {
        Self(Gitignore::empty())
    }
}
