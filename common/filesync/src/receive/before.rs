//! The release that files are taken from, and what vouches for them.

use std::os::fd::OwnedFd;

use bundle::manifest::Kind;

use crate::layout::{Layout, Paths};
use crate::pieces::Pieces;
use crate::release;
use crate::stamp::{self, Look, Looks, Stamp};
use crate::within::root;

/// The release that files are taken from.
pub(super) struct Before {
    pub(super) folder: OwnedFd,
    /// Its manifest, in order.
    entries: Vec<(String, Kind)>,
    /// What its files were when they were verified; none where they may have changed since. It vouches for their content.
    verified: Option<Looks>,
    /// What is known of its large files.
    pub(super) known: Pieces,
}

impl Before {
    pub(super) fn of(paths: &Paths, current: Option<&str>) -> Option<Self> {
        let current = current?;
        let folder = root(&paths.below(&paths.stored(current))).ok()?;
        let tree = release::manifest(paths, current).unwrap_or_default();
        // In-place the stamp is that of the files in the target folder.
        let stamp = match paths.layout {
            Layout::Releases => release::stamp(paths, current),
            Layout::InPlace => None,
        };
        let verified = stamp.and_then(|stamp| {
            let looks = stamp::looks(&folder, &tree)?;
            let now = Stamp::of(&looks)?.to_string();
            (now == stamp).then_some(looks)
        });
        Some(Self {
            folder,
            entries: tree.into_iter().collect(),
            verified,
            known: release::pieces(paths, current),
        })
    }

    /// What an entry was when it was verified, where nothing has changed since.
    pub(super) fn verified(&self, path: &str) -> Option<(&Kind, Look)> {
        let looks = self.verified.as_ref()?;
        let found = |(known, _): &(String, Kind)| known.as_str().cmp(path);
        let at = self.entries.binary_search_by(found).ok()?;
        Some((&self.entries.get(at)?.1, (*looks.get(at)?)?))
    }
}
