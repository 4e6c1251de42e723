//! Settings that name folders.

use std::path::{Path, PathBuf};

use action::settings::faults::Faults;
use action::settings::value::Lines;

/// The one source folder of a buildspec or of check.
pub(super) fn source_folder(given: &Lines, faults: &mut Faults) -> Option<PathBuf> {
    match given.0.as_slice() {
        [] => existing("source", PathBuf::from("."), faults),
        [one] => existing("source", PathBuf::from(one), faults),
        _ => {
            faults.of("source", "only a pipeline has several sources");
            None
        }
    }
}

/// A folder that may not be there yet.
pub(super) fn absolute(field: &str, folder: &Path, faults: &mut Faults) -> Option<PathBuf> {
    match std::path::absolute(folder) {
        Ok(path) => Some(path),
        Err(error) => {
            faults.of(field, format!("{}: {error}", folder.display()));
            None
        }
    }
}

pub(super) fn existing(field: &str, folder: PathBuf, faults: &mut Faults) -> Option<PathBuf> {
    match folder.canonicalize() {
        Ok(path) if path.is_dir() => Some(path),
        Ok(_) => {
            faults.of(field, format!("{} is not a folder", folder.display()));
            None
        }
        Err(error) => {
            faults.of(field, format!("{}: {error}", folder.display()));
            None
        }
    }
}
