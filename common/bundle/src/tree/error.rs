//! Why a tree could not be read.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::tree::refusal::Refusals;

/// Why a tree could not be read into a manifest.
#[derive(Debug, Error)]
pub enum TreeError {
    /// Some entries may not travel; all of them are listed.
    #[error("{0}")]
    Refused(Refusals),
    /// A file or folder could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder could not be walked, or an ignore file has a bad pattern.
    #[error("cannot walk `{}`: {source}", path.display())]
    Walk {
        /// The folder that was walked.
        path: PathBuf,
        /// What went wrong, with the place.
        source: ignore::Error,
    },
    /// No entry is left.
    #[error("nothing to bundle in {}", display_paths(roots))]
    Empty {
        /// What was looked through.
        roots: Vec<PathBuf>,
    },
}

fn display_paths(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if shown.is_empty() {
        "no files at all".to_owned()
    } else {
        shown.join(", ")
    }
}
