//! What is read, and where it goes.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::names::{self, Names};

/// A file or folder on this machine, and where it goes in the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file or folder; a symbolic link here is followed, since it was named on purpose.
    pub path: PathBuf,
    /// The name in the bundle. Empty, for a folder: its content goes to the bundle's root.
    pub name: String,
}

impl Source {
    /// A folder whose content becomes the bundle's root.
    #[must_use]
    pub fn root(folder: impl Into<PathBuf>) -> Self {
        Self {
            path: folder.into(),
            name: String::new(),
        }
    }

    /// A file or folder under a name of its own.
    #[must_use]
    pub fn named(path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            name: name.into(),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// `PATH` or `PATH=NAME`: the last `=` divides, and the name `.` puts a folder's content at the
    /// root.
    fn from_str(text: &str) -> Result<Self, String> {
        let (path, name) = match text.rsplit_once('=') {
            Some((path, name)) => (path, name),
            None => {
                let own = Path::new(text).file_name().and_then(|name| name.to_str());
                let own = own.ok_or_else(|| {
                    format!("{text:?} has no name of its own; give one: {text}=NAME, or {text}=. for its content")
                })?;
                (text, own)
            }
        };
        if path.is_empty() {
            return Err(format!(
                "{text:?} does not name a file; write PATH or PATH=NAME"
            ));
        }
        let name = if name == "." {
            ""
        } else {
            name.trim_end_matches('/')
        };
        if name.is_empty() && !text.ends_with("=.") {
            return Err(format!(
                "{text:?} gives an empty name; write PATH or PATH=NAME"
            ));
        }
        if !name.is_empty() {
            names::check(name, Names::Portable)
                .map_err(|fault| format!("the name {name:?} in the archive {fault}"))?;
        }
        Ok(Self::named(path, name))
    }
}
