//! Why an operation on the store of releases did not succeed.

use std::io;

use bundle::names::bytes;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why an operation on the store of releases did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
pub enum StoreError {
    /// The system refused something.
    #[error("cannot {what} `{}`: {}", bytes::shown(path), io::Error::from_raw_os_error(*errno))]
    System {
        /// What was to be done with the path: `write`, `remove` and the like.
        what: String,
        /// Where.
        path: String,
        /// The system's number for it.
        errno: i32,
    },
    /// Files that no deployment put there lie where files of the release shall lie.
    #[error("{first}")]
    InTheWay {
        /// What the system said first.
        first: Box<Self>,
        /// Some of them; folders end in a slash.
        paths: Vec<String>,
    },
    /// The folder of a release is gone.
    #[error("the folder of release {0} is gone")]
    Gone(String),
    /// A release of this name is there.
    #[error("release {0} is there already")]
    There(String),
    /// A release's manifest cannot be read.
    #[error("the manifest of release {0} cannot be read")]
    NoManifest(String),
    /// What came over the connection ended early, or makes no sense.
    #[error("what was sent {0}")]
    Stream(String),
}

impl StoreError {
    /// Whether the user has no right to it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.is(&[Errno::ACCESS, Errno::PERM, Errno::ROFS])
    }

    /// Whether the disk, or the user's share of it, is full.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.is(&[Errno::NOSPC, Errno::DQUOT])
    }

    fn is(&self, those: &[Errno]) -> bool {
        match self {
            Self::System { errno, .. } => those.iter().any(|it| it.raw_os_error() == *errno),
            Self::InTheWay { first, .. } => first.is(those),
            _ => false,
        }
    }

    /// What the system said when something was to be done with a path.
    pub(crate) fn at(what: &str, path: &str, error: impl Into<io::Error>) -> Self {
        Self::System {
            what: what.to_owned(),
            path: path.to_owned(),
            errno: error
                .into()
                .raw_os_error()
                .unwrap_or(Errno::IO.raw_os_error()),
        }
    }
}
