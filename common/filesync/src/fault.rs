//! In what a folder is not the wanted tree.

use std::fmt;

use bundle::names::bytes;
use serde::{Deserialize, Serialize};

/// One way in which the host's copy is not the wanted tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Where.
    pub path: String,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// It is not there, or cannot be read.
    Missing,
    /// Its content is another.
    Content,
    /// It may be executed and must not be, or the other way round; or others may read what they must not.
    Mode,
    /// Others may not read it, and might.
    Private,
    /// It is no link, or one that leads elsewhere.
    Link,
    /// It is there and is not wanted.
    Foreign,
}

impl What {
    /// Whether it is right in a folder in use: what the application wrote there, and what it or its people
    /// keep to themselves.
    #[must_use]
    pub fn is_theirs(self) -> bool {
        matches!(self, Self::Foreign | Self::Private)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = bytes::shown(&self.path);
        match self.what {
            What::Missing => write!(f, "`{path}` is missing"),
            What::Content => write!(f, "`{path}` has other content"),
            What::Mode => write!(f, "`{path}` has another mode"),
            What::Private => write!(f, "`{path}` may be read by its owner only"),
            What::Link => write!(f, "link `{path}` is missing or points elsewhere"),
            What::Foreign => write!(f, "`{path}` does not belong there"),
        }
    }
}
