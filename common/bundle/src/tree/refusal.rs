//! Entries that may not travel, and what to do about each.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

use crate::names::NameFault;

/// Why an entry was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Why {
    /// The path is not UTF-8, so that other machines would read another name.
    #[error("its name is not UTF-8")]
    NotUtf8,
    /// The name in the bundle cannot be used.
    #[error("its name {0}")]
    Name(NameFault),
    /// Another entry has the same name but for case; on macOS and Windows they are one file.
    #[error("its name differs from `{other}` in case only")]
    CaseClash {
        /// The name in the bundle it clashes with.
        other: String,
    },
    /// Another source already has this name in the bundle.
    #[error("`{}` already has the name `{name}` in the bundle", other.display())]
    Twice {
        /// The name both want.
        name: String,
        /// The one that came first.
        other: PathBuf,
    },
    /// An entry above it in the bundle is not a folder.
    #[error("`{}`, which is not a folder, stands above it in the bundle", other.display())]
    UnderFile {
        /// The file or link above it.
        other: PathBuf,
    },
    /// A symbolic link leads out of the folder, or is absolute.
    #[error("it is a symbolic link out of its folder, to `{target}`")]
    LinkOut {
        /// The link's text.
        target: String,
    },
    /// A symbolic link's text is not UTF-8.
    #[error("it is a symbolic link whose target is not UTF-8")]
    LinkNotUtf8,
    /// The content is a private key.
    #[error("it holds a private key ({kind})")]
    PrivateKey {
        /// What the key says it is, such as `OPENSSH PRIVATE KEY`.
        kind: String,
    },
    /// Version control or a file manager left it behind.
    #[error("it belongs to version control or a file manager, not into a bundle")]
    Litter,
    /// The name is that of an environment file, where secrets are kept.
    #[error("it is an environment file, which usually holds secrets")]
    EnvFile,
    /// Neither a file, a folder nor a link.
    #[error("it is {what}, which cannot be bundled")]
    Special {
        /// Such as "a socket".
        what: &'static str,
    },
}

/// One refused entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The path on this machine, as the user would write it.
    pub path: PathBuf,
    /// What is wrong with it.
    pub why: Why,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.path.display(), self.why)
    }
}

/// All refused entries of a tree, sorted by path; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    pub(super) fn new(mut refusals: Vec<Refusal>) -> Self {
        refusals.sort_by(|a, b| a.path.cmp(&b.path));
        Self(refusals)
    }

    /// Each refusal, sorted by path.
    #[must_use]
    pub fn all(&self) -> &[Refusal] {
        &self.0
    }
}

/// How many refused entries are listed by name.
const LISTED: usize = 20;

impl fmt::Display for Refusals {
    /// A line for each entry, for the first twenty of them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "cannot bundle {one}"),
            many => {
                write!(f, "cannot bundle {} files", many.len())?;
                many.iter()
                    .take(LISTED)
                    .try_for_each(|refusal| write!(f, "\n  {refusal}"))?;
                match many.len().saturating_sub(LISTED) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
        }
    }
}
