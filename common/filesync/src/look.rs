//! What a look at the target folder tells; it changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use bundle::digest::Digest;
use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use crate::decision::{self, Decision};
use crate::fault::Fault;
use crate::layout::{Layout, Paths};
use crate::release::{self, is_name};
use crate::stamp::{self, Stamp};
use crate::tree::Tree;
use crate::within::root;
use crate::{compare, stored};

/// What there is at the target folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// What stands where the target folder, or one above it, shall be, and is not a folder.
    pub blocked: Option<String>,
    /// The folder that holds what we make, and that we may not write into: the target, or the lowest one above it.
    pub closed: Option<String>,
    /// Free space on the target's file system, in KiB.
    pub free_kib: Option<u64>,
    /// Free inodes there; zero too where the file system has no table of them.
    pub free_inodes: Option<u64>,
    /// Our releases, oldest first.
    pub releases: Vec<String>,
    /// Those that were healthy when they were started last, and how they were run.
    pub proven: BTreeMap<String, String>,
    /// Those that were healthy once, and were started anew by somebody who was stopped before they were so again.
    pub doubted: BTreeMap<String, String>,
    /// The Compose project that this target has, once that was written down.
    pub project: Option<String>,
    /// Releases of which it is written down which images they run.
    pub images: BTreeSet<String>,
    /// In-place: the release whose files were being placed when somebody was stopped.
    pub placing: Option<String>,
    /// What became of a release whose deployment lost its connection after the switch, until that was told.
    pub decision: Option<Decision>,
    /// Where `current` leads when that is not a release of ours.
    pub foreign: Option<String>,
    /// The release that is current.
    pub current: Option<Running>,
}

/// The release that is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Its name.
    pub name: String,
    /// The digest of its manifest.
    pub digest: Option<Digest>,
    /// What its files are.
    pub files: Files,
}

/// What is known of the files of the current release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Files {
    /// Its manifest is another than the wanted one, this; empty when it cannot be read.
    Of(Tree),
    /// They are the ones that were verified last.
    Verified,
    /// They may be others, and were not read.
    Unread,
    /// They were read.
    Read {
        /// What they were read under.
        stamp: Option<Stamp>,
        /// What is not as the manifest says.
        faults: Vec<Fault>,
    },
}

/// Looks at the target folder. `wanted` is the digest of the tree that is wanted, where that is known: the manifest of
/// another one is told. Files are read only where `reads`, the manifest is the wanted one, and they may be others.
#[must_use]
pub fn look(paths: &Paths, wanted: Option<Digest>, reads: bool) -> Seen {
    let mut seen = Seen::default();
    seen.look_around(paths);
    seen.look_at_releases(paths);
    let link = paths.below(paths.current());
    if let Ok(found) = fs::symlink_metadata(&link) {
        let text = match found.is_symlink() {
            true => fs::read_link(&link).ok(),
            false => None,
        };
        let text = text.map_or_else(
            || "(not a link)".to_owned(),
            |text| text.to_string_lossy().into_owned(),
        );
        match text.strip_prefix("releases/").filter(|name| is_name(name)) {
            Some(name) => seen.current = Some(Running::look(paths, name, wanted, reads)),
            None => seen.foreign = Some(text),
        }
    }
    seen
}

/// Free space on the file system of a folder, in KiB; none where that cannot be told.
pub(crate) fn free_kib(folder: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(folder).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize) / 1024)
}

impl Seen {
    fn look_around(&mut self, paths: &Paths) {
        let mut at = Path::new(&paths.target);
        while !at.is_dir() {
            if fs::symlink_metadata(at).is_ok() {
                self.blocked = Some(at.to_string_lossy().into_owned());
            }
            at = at.parent().unwrap_or(Path::new("/"));
        }
        let own = match paths.layout {
            Layout::Releases => paths.below(""),
            // The application's files may lie in folders below one that is somebody else's.
            Layout::InPlace => paths.below(".deploy"),
        };
        let own = match own.is_dir() {
            true => own.as_path(),
            false => at,
        };
        if rustix::fs::access(own, Access::WRITE_OK | Access::EXEC_OK).is_err() {
            let own = own.to_string_lossy();
            self.closed = Some(match own.trim_end_matches('/') {
                "" => "/".to_owned(),
                own => own.to_owned(),
            });
        }
        self.free_kib = free_kib(at);
        self.free_inodes = rustix::fs::statvfs(at).ok().map(|found| found.f_favail);
    }

    fn look_at_releases(&mut self, paths: &Paths) {
        let names = |folder: &str| {
            let entries = fs::read_dir(paths.below(folder)).into_iter().flatten();
            let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
            names.filter(|name| is_name(name)).collect::<BTreeSet<_>>()
        };
        let read = |path: &str| {
            let text = fs::read_to_string(paths.below(path)).unwrap_or_default();
            text.trim_end_matches('\n').to_owned()
        };
        let is_folder = |name: &String| paths.below(&paths.stored(name)).is_dir();
        self.releases = names(paths.store()).into_iter().filter(is_folder).collect();
        let kept = |folder: &str| -> BTreeMap<String, String> {
            let path = format!(".deploy/{folder}");
            let all = names(&path).into_iter();
            all.map(|name| (name.clone(), read(&format!("{path}/{name}"))))
                .collect()
        };
        self.proven = kept("proven");
        // Whoever was stopped right after the proof left both.
        self.doubted = kept("unproven");
        self.doubted
            .retain(|name, _| !self.proven.contains_key(name));
        self.images = names(".deploy/images");
        self.project = Some(read(".deploy/project")).filter(|text| !text.is_empty());
        self.decision = decision::read(paths);
        self.placing = Some(read(".deploy/placing")).filter(|text| is_name(text));
    }
}

impl Running {
    fn look(paths: &Paths, name: &str, wanted: Option<Digest>, reads: bool) -> Self {
        let text = fs::read(paths.own("manifests", name)).ok();
        let digest = text.as_deref().map(Digest::of);
        let is_there = paths.below(&paths.stored(name)).is_dir();
        let tree = || {
            let text = text.and_then(|text| String::from_utf8(text).ok());
            text.and_then(|text| stored::from_text(&text))
                .unwrap_or_default()
        };
        let files = match wanted {
            _ if !is_there => Files::Of(Tree::new()),
            Some(wanted) if digest != Some(wanted) => Files::Of(tree()),
            _ => Files::of(paths, name, &tree(), reads && wanted.is_some()),
        };
        Self {
            name: name.to_owned(),
            digest,
            files,
        }
    }
}

impl Files {
    fn of(paths: &Paths, name: &str, tree: &Tree, reads: bool) -> Self {
        let Ok(folder) = root(Path::new(&paths.live(name))) else {
            return Self::Unread;
        };
        let stamp = stamp::stamp(&folder, tree);
        let known = release::stamp(paths, name);
        if stamp.is_some() && stamp.map(|stamp| stamp.to_string()) == known {
            return Self::Verified;
        }
        match reads {
            true => Self::Read {
                stamp,
                faults: compare::faults(&folder, tree),
            },
            false => Self::Unread,
        }
    }
}
