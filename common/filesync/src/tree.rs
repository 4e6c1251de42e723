//! A tree of files, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest, Mode};
use serde::{Deserialize, Serialize};

/// Files longer than this, in bytes, are hashed in segments of this length, on all cores: see
/// [`Digest::of_segments`].
pub const SEGMENT: u64 = match cfg!(test) {
    false => 32 * 1024 * 1024,
    // A build for tests hashes too slowly.
    true => 1024 * 1024,
};

/// Paths relative to the release, `/` between components, and what is there. Names that are not
/// UTF-8 are written as [`bundle::names::bytes`] does.
pub type Tree = BTreeMap<String, Kind>;

/// Where a release holds what the application brings at or below its shared paths. It is copied to `shared/` when
/// nothing is there yet.
pub const SEEDS: &str = ".deploy-app-shared/";

/// The text of the link that a release has at a shared path.
#[must_use]
pub fn shared_link(path: &str) -> String {
    let up = "../".repeat(path.split('/').count() + 1);
    format!("{up}shared/{path}")
}

/// Whether a path is this one or lies below it.
#[must_use]
pub fn is_at(path: &str, at: &str) -> bool {
    path.strip_prefix(at)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What shall be on the host: the application, and a link for each shared path. What the application brings there goes
/// to [`SEEDS`].
///
/// # Errors
/// A shared path below something of the application that is not a folder.
pub fn wanted(manifest: &Manifest, shared: &[String]) -> Result<Tree, String> {
    let mut tree: Tree = manifest
        .entries()
        .iter()
        .map(|entry| (entry.path.clone(), entry.kind.clone()))
        .collect();
    for path in shared {
        let above = |known: &String| known != path && is_at(path, known);
        tree.retain(|known, kind| *kind != Kind::EmptyDir || !above(known));
        if let Some(clash) = tree.keys().find(|known| above(known)) {
            return Err(format!(
                "shared path `{path}` lies below `{clash}`, which is not a folder"
            ));
        }
        let brought: Vec<String> = tree
            .keys()
            .filter(|known| is_at(known, path))
            .cloned()
            .collect();
        for name in brought {
            if let Some(kind) = tree.remove(&name) {
                tree.insert(format!("{SEEDS}{name}"), kind);
            }
        }
        let target = shared_link(path);
        tree.insert(path.clone(), Kind::Symlink { target });
    }
    Ok(tree)
}

/// The length of a file, in bytes; nothing else has one.
#[must_use]
pub fn size(kind: &Kind) -> u64 {
    match kind {
        Kind::File { size, .. } => *size,
        Kind::Symlink { .. } | Kind::EmptyDir => 0,
    }
}

/// How the wanted tree differs from the current release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff {
    /// Paths that the current release does not have.
    pub added: Vec<String>,
    /// Paths whose content, mode or link text differs, also because the host's copy was altered.
    pub changed: Vec<String>,
    /// Paths that go.
    pub removed: Vec<String>,
    /// Files whose content the host has already: new path to path in the current release.
    pub kept: BTreeMap<String, String>,
}

impl Diff {
    /// Whether the current release is the wanted tree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Compares. `stored` is the current release's manifest; `altered` names the paths at which the host
/// was found to hold something else by now. Files that the application wrote there itself are in
/// neither, and stay behind with the old release.
#[must_use]
pub fn diff(wanted: &Tree, stored: &Tree, altered: &BTreeSet<String>) -> Diff {
    let mut by_content: HashMap<(Digest, Mode), &str> = HashMap::new();
    for (path, kind) in stored {
        if let Kind::File { mode, sha256, .. } = kind
            && !altered.contains(path)
        {
            by_content.insert((*sha256, *mode), path);
        }
    }
    let mut diff = Diff::default();
    for (path, kind) in wanted {
        let is_own = stored.get(path) == Some(kind) && !altered.contains(path);
        if let Kind::File { mode, sha256, .. } = kind
            && let Some(from) = by_content.get(&(*sha256, *mode))
        {
            // The same path when it fits, so that the usual case reads well.
            let from = if is_own { path.as_str() } else { from };
            diff.kept.insert(path.clone(), from.to_owned());
        }
        match stored.contains_key(path) {
            false => diff.added.push(path.clone()),
            true if !is_own => diff.changed.push(path.clone()),
            true => {}
        }
    }
    diff.removed = stored
        .keys()
        .filter(|path| !wanted.contains_key(*path))
        .cloned()
        .collect();
    diff
}
