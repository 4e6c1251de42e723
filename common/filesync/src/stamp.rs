//! Whether files are still the ones that were verified, without reading them.

use std::fmt;
use std::os::fd::OwnedFd;

use bundle::digest::{Digest, Hasher};
use bundle::manifest::Kind;
use bundle::names::bytes;
use bundle::parallel;
use rustix::fs::Stat;
use serde::{Deserialize, Serialize};

use crate::tree::Tree;
use crate::within::Within;

/// A digest over inode, size, mode and change time of all files and links of a tree. Nobody can set a change time back
/// without being root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp(Digest);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What tells a file from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    inode: u64,
    size: u64,
    pub(crate) mode: u32,
    modified: (i64, u64),
    changed: (i64, u64),
}

impl Look {
    pub(crate) fn of(stat: &Stat) -> Self {
        // The types differ between architectures.
        #[allow(
            clippy::useless_conversion,
            clippy::unnecessary_cast,
            reason = "the types of its fields differ between architectures"
        )]
        Self {
            inode: stat.st_ino.into(),
            size: stat.st_size as u64,
            mode: stat.st_mode,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }

    /// Whether this is the file that was looked at before, which has got one more name since: that changes its change
    /// time, and nothing else.
    pub(crate) fn is_still(&self, before: &Self) -> bool {
        let with = |changed| Self { changed, ..*self };
        with(before.changed) == *before
    }
}

/// A look at each entry of a tree, in its order; folders have none.
pub(crate) type Looks = Vec<Option<Look>>;

/// Looks at all files and links of a tree; none when one is missing.
pub(crate) fn looks(root: &OwnedFd, tree: &Tree) -> Option<Looks> {
    let entries: Vec<(&String, &Kind)> = tree.iter().collect();
    let looks = parallel::map(
        &entries,
        256,
        || Within::new(root),
        |within, (path, kind)| match kind {
            Kind::EmptyDir => Some(None),
            Kind::File { .. } | Kind::Symlink { .. } => {
                let stat = within.stat(&bytes::to_bytes(path)).ok()?;
                Some(Some(Look::of(&stat)))
            }
        },
    );
    looks.into_iter().collect()
}

impl Stamp {
    /// None where the file system does not tell times to the nanosecond: whatever was changed within the same second would
    /// not be noticed.
    pub(crate) fn of(looks: &Looks) -> Option<Self> {
        let mut hasher = Hasher::default();
        let mut is_fine = false;
        for look in looks.iter().flatten() {
            let Look {
                inode,
                size,
                mode,
                changed: (seconds, nanoseconds),
                ..
            } = look;
            is_fine |= *nanoseconds != 0;
            for number in [
                *inode,
                *size,
                u64::from(*mode),
                *seconds as u64,
                *nanoseconds,
            ] {
                hasher.update(&number.to_le_bytes());
            }
        }
        is_fine.then(|| Self(hasher.finish()))
    }
}

/// The stamp of what a folder holds of a tree now.
pub(crate) fn stamp(root: &OwnedFd, tree: &Tree) -> Option<Stamp> {
    Stamp::of(&looks(root, tree)?)
}
