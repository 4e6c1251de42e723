//! What a tree holds, as a sorted list of values.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use sha2::{Digest as _, Sha256};

/// A file's permissions, reduced to what travels: a zip archive has the first two, as git has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Mode {
    /// 0644.
    Plain,
    /// 0755: its owner may execute it.
    Executable,
    /// 0600; only where [`crate::tree::Rules::private_modes`] asks for it.
    Private,
    /// 0700; only where [`crate::tree::Rules::private_modes`] asks for it.
    PrivateExecutable,
}

impl Mode {
    /// Reduces Unix mode bits: executable is what the owner may execute.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        if bits & 0o100 == 0 {
            Self::Plain
        } else {
            Self::Executable
        }
    }

    /// The same for a file that only its owner may use.
    #[must_use]
    pub const fn private(self) -> Self {
        match self {
            Self::Plain | Self::Private => Self::Private,
            Self::Executable | Self::PrivateExecutable => Self::PrivateExecutable,
        }
    }

    /// Whether only its owner may use the file.
    #[must_use]
    pub const fn is_private(self) -> bool {
        matches!(self, Self::Private | Self::PrivateExecutable)
    }

    /// Whether its owner may execute the file.
    #[must_use]
    pub const fn is_executable(self) -> bool {
        matches!(self, Self::Executable | Self::PrivateExecutable)
    }

    /// The permission bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
            Self::Private => 0o600,
            Self::PrivateExecutable => 0o700,
        }
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A regular file.
    File {
        /// Normalised permissions.
        mode: Mode,
        /// Length in bytes.
        size: u64,
        /// SHA-256 of the content; see [`Entry::segments`] for long files.
        sha256: Digest,
    },
    /// A symbolic link that stays inside the tree.
    Symlink {
        /// The link's text, relative to the link.
        target: String,
    },
    /// A folder with nothing in it.
    EmptyDir,
}

impl Kind {
    /// Six octal digits for this kind, git's where git has it: the first field of a digest record.
    #[must_use]
    pub const fn git_mode(&self) -> &'static str {
        match self {
            Self::File { mode, .. } => match mode {
                Mode::Plain => "100644",
                Mode::Executable => "100755",
                Mode::Private => "100600",
                Mode::PrivateExecutable => "100700",
            },
            Self::Symlink { .. } => "120000",
            Self::EmptyDir => "040000",
        }
    }
}

/// One file, link or empty folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name in the bundle: UTF-8, relative, `/` between components.
    pub path: String,
    /// What it is; two entries with equal `path` and `kind` have equal content.
    pub kind: Kind,
    /// Where it was read on this machine.
    pub source: PathBuf,
    /// A file's content, when it is not what `source` holds: one that was edited in memory.
    pub content: Option<Arc<[u8]>>,
    /// The digests of a file's segments, where it was hashed by segments; its own digest is then
    /// [`Digest::of_segments`].
    pub segments: Vec<Digest>,
}

impl Entry {
    /// The content of a file: what is kept in memory, else what its source holds now, which may no
    /// longer be what was hashed.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn read(&self) -> io::Result<Cow<'_, [u8]>> {
        match &self.content {
            Some(bytes) => Ok(Cow::Borrowed(bytes)),
            None => std::fs::read(&self.source).map(Cow::Owned),
        }
    }
}

/// Entries in ascending byte order of their paths; no path occurs twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
}

impl Manifest {
    /// The digest of everything in it, as [`crate::digest`] defines it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hasher = Sha256::new();
        for entry in self.entries() {
            let content = match &entry.kind {
                Kind::File { sha256, .. } => *sha256,
                Kind::Symlink { target } => Digest::of(target.as_bytes()),
                Kind::EmptyDir => Digest::of(b""),
            };
            hasher.update(format!(
                "{} {content} {}\0",
                entry.kind.git_mode(),
                entry.path
            ));
        }
        Digest::finish(hasher)
    }

    /// Of entries that have been sorted, and checked for duplicates.
    #[cfg(any(feature = "read", feature = "archive"))]
    pub(crate) const fn from_sorted(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// All entries, sorted.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this name.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
            .ok()?;
        self.entries.get(at)
    }

    /// Gives a file another content, which is then kept in memory; false when no file has this name.
    pub fn edit(&mut self, path: &str, bytes: Vec<u8>) -> bool {
        let found = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path));
        let Some(entry) = found.ok().and_then(|at| self.entries.get_mut(at)) else {
            return false;
        };
        let Kind::File { size, sha256, .. } = &mut entry.kind else {
            return false;
        };
        *size = bytes.len() as u64;
        *sha256 = Digest::of(&bytes);
        entry.content = Some(bytes.into());
        entry.segments = Vec::new();
        true
    }

    /// The sum of all file lengths, in bytes.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.entries
            .iter()
            .map(|entry| match entry.kind {
                Kind::File { size, .. } => size,
                Kind::Symlink { .. } | Kind::EmptyDir => 0,
            })
            .sum()
    }
}
