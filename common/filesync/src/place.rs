//! In-place: moving the target folder from one release's files to another's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;

use bundle::manifest::Kind;
use bundle::names::bytes;
use bundle::parallel;
use rustix::fs::{AtFlags, FileType, Timespec, Timestamps};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::copy;
use crate::error::StoreError;
use crate::fault::Fault;
use crate::layout::Paths;
use crate::release;
use crate::stamp::Stamp;
use crate::tree::Tree;
use crate::within::{Within, root};

/// What has to be done with the target folder. Pure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    /// Paths that come and were nobody's of ours: what is there now is kept aside.
    pub(crate) new: Vec<String>,
    /// Files and links that go.
    pub(crate) remove: Vec<String>,
    /// Folders that may be empty then, the deepest first.
    pub(crate) fold: Vec<String>,
    /// Paths that are copied from the release's own folder.
    pub(crate) place: Vec<String>,
}

/// What leads from `from`, everything that we may have put there, to `to`. `altered` paths are placed
/// although they are the same in both.
pub(crate) fn moves(from: &Tree, to: &Tree, altered: &BTreeSet<String>) -> Moves {
    let is_of_another_sort = |path: &str, kind: &Kind| {
        to.get(path)
            .is_none_or(|wanted| std::mem::discriminant(wanted) != std::mem::discriminant(kind))
    };
    let mut moves = Moves::default();
    let mut folders = BTreeSet::new();
    for (path, kind) in from {
        if !is_of_another_sort(path, kind) {
            continue;
        }
        if *kind == Kind::EmptyDir {
            folders.insert(path.clone());
        } else {
            moves.remove.push(path.clone());
        }
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            folders.insert(folder.to_owned());
            above = folder;
        }
    }
    moves.fold = folders.into_iter().collect();
    moves
        .fold
        .sort_by_key(|folder| std::cmp::Reverse(folder.matches('/').count()));
    for (path, kind) in to {
        if from.get(path) != Some(kind) || altered.contains(path) {
            moves.place.push(path.clone());
        }
        if !from.contains_key(path) {
            moves.new.push(path.clone());
        }
    }
    moves
}

/// What of the files that are the same in both trees may be others in the target folder, and is placed anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Altered {
    /// These.
    Only(BTreeSet<String>),
    /// Those that are not the same in all of the releases that may have files there.
    Doubted,
    /// All.
    All,
}

/// Moving the target folder from the files of some releases to those of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Put {
    /// The release. Its name is written down until the switch, and what it replaces of somebody else's is kept aside.
    pub release: String,
    /// Whether its files shall lie there then; else none do.
    pub is_wanted: bool,
    /// All releases that may have files there. Of a path that several have, the first one counts.
    pub from: Vec<String>,
    /// What is placed although it is the same.
    pub altered: Altered,
}

/// Moves the files, and verifies them.
///
/// # Errors
/// When something cannot be moved. Running it again goes on.
pub fn put(paths: &Paths, put: &Put) -> Result<(Option<Stamp>, Vec<Fault>), StoreError> {
    let Put {
        release,
        is_wanted,
        from,
        altered,
    } = put;
    // What is not known is not ours to remove.
    let from: Vec<Tree> = from
        .iter()
        .map(|release| release::manifest(paths, release).unwrap_or_default())
        .collect();
    let to = match is_wanted {
        true => release::manifest(paths, release)?,
        false => Tree::new(),
    };
    let altered = match altered {
        Altered::Only(paths) => paths.clone(),
        Altered::All => to.keys().cloned().collect(),
        Altered::Doubted => to
            .iter()
            .filter(|(path, kind)| from.iter().any(|tree| tree.get(*path) != Some(*kind)))
            .map(|(path, _)| path.clone())
            .collect(),
    };
    let mut there = Tree::new();
    for tree in from {
        for (path, kind) in tree {
            there.entry(path).or_insert(kind);
        }
    }
    let moves = moves(&there, &to, &altered);
    drop(there);
    release::write_down(paths, "placing", release)?;
    let target = root(&paths.below("")).map_err(|error| StoreError::at("open", "", error))?;
    keep_replaced(paths, &target, release, &moves.new)?;
    remove(&target, &moves)?;
    place(paths, &target, release, &moves.place, &to).map_err(|first| {
        match in_the_way(&target, &needed(&moves.place, &to)) {
            paths if paths.is_empty() => first,
            paths => StoreError::InTheWay {
                first: Box::new(first),
                paths,
            },
        }
    })?;
    release::verify_live(paths, release, &to)
}

/// Keeps aside what files of a release take the place of, and nobody of ours put there.
fn keep_replaced(
    paths: &Paths,
    target: &OwnedFd,
    release: &str,
    new: &[String],
) -> Result<(), StoreError> {
    let folder = format!(".deploy/replaced/{release}");
    let mut there = Within::new(target);
    let mut aside: Option<OwnedFd> = None;
    for path in new {
        let name = bytes::to_bytes(path);
        let Ok(stat) = there.stat(&name) else {
            continue;
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !matches!(kind, FileType::RegularFile | FileType::Symlink) {
            continue;
        }
        let aside = match &aside {
            Some(aside) => aside,
            None => {
                let failed = |error| StoreError::at("make the folder", &folder, error);
                fs::create_dir_all(paths.below(&folder)).map_err(failed)?;
                aside.insert(root(&paths.below(&folder)).map_err(failed)?)
            }
        };
        let mut aside = Within::new(aside);
        if aside.stat(&name).is_ok() {
            continue;
        }
        aside
            .make_folder_of(&name)
            .and_then(|()| copy_one(&mut there, &mut aside, &name, None))
            .map_err(|error| StoreError::at("keep", path, error))?;
    }
    Ok(())
}

/// Brings back what a release took the place of.
///
/// # Errors
/// When it cannot be written.
pub fn restore_replaced(paths: &Paths, release: &str) -> Result<(), StoreError> {
    let folder = format!(".deploy/replaced/{release}");
    let Ok(aside) = root(&paths.below(&folder)) else {
        return Ok(());
    };
    let target = root(&paths.below("")).map_err(|error| StoreError::at("open", "", error))?;
    let (mut from, mut to) = (Within::new(&aside), Within::new(&target));
    let mut folders = vec![String::new()];
    while let Some(folder_in) = folders.pop() {
        let entries = fs::read_dir(paths.below(&folder).join(bytes::to_path(&folder_in)));
        for entry in entries.into_iter().flatten().flatten() {
            let name = bytes::to_text(&entry.file_name());
            let path = match folder_in.as_str() {
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
                continue;
            }
            let name = bytes::to_bytes(&path);
            to.make_folder_of(&name)
                .and_then(|()| to.remove(&name))
                .and_then(|()| copy_one(&mut from, &mut to, &name, None))
                .map_err(|error| StoreError::at("bring back", &path, error))?;
        }
    }
    Ok(())
}

/// Removes what is ours. A folder where a file of ours would lie is somebody else's, and so is what is not a folder where
/// one of ours would be.
fn remove(target: &OwnedFd, moves: &Moves) -> Result<(), StoreError> {
    let mut within = Within::new(target);
    for path in &moves.remove {
        match within.remove(&bytes::to_bytes(path)) {
            Ok(()) | Err(Errno::NOTDIR | Errno::ISDIR | Errno::LOOP) => {}
            // Linux says this of a folder where POSIX does.
            Err(Errno::PERM) if is_folder(&mut within, path) => {}
            Err(error) => return Err(StoreError::at("remove", path, error)),
        }
    }
    for folder in &moves.fold {
        // One that is not empty holds what is somebody else's.
        let _ = within.remove_folder(&bytes::to_bytes(folder));
    }
    Ok(())
}

fn is_folder(within: &mut Within<'_>, path: &str) -> bool {
    let stat = within.stat(&bytes::to_bytes(path));
    stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Copies paths from a release's own folder to the target folder, on all cores. Copies, because an application may write
/// into its files, and the release must stay what it was.
fn place(
    paths: &Paths,
    target: &OwnedFd,
    release: &str,
    place: &[String],
    to: &Tree,
) -> Result<(), StoreError> {
    if place.is_empty() {
        return Ok(());
    }
    let stored = root(&paths.below(&paths.stored(release)))
        .map_err(|_| StoreError::Gone(release.to_owned()))?;
    let failed = |path: &str, error: Errno| StoreError::at("write", path, error);
    // Folders first, by one alone: the threads would make them side by side.
    let mut within = Within::new(target);
    for path in place {
        let name = bytes::to_bytes(path);
        let made = match to.get(path) {
            Some(Kind::EmptyDir) => within.make_folder(&name),
            _ => within.make_folder_of(&name),
        };
        made.map_err(|error| failed(path, error))?;
    }
    let copied = parallel::map(
        place,
        16,
        || (Within::new(&stored), Within::new(target)),
        |(from, into), path| {
            let Some(kind) = to.get(path).filter(|kind| **kind != Kind::EmptyDir) else {
                return Ok(());
            };
            let name = bytes::to_bytes(path);
            into.remove(&name)
                .and_then(|()| copy_one(from, into, &name, Some(kind)))
                .map_err(|error| failed(path, error))
        },
    );
    copied.into_iter().collect()
}

/// Copies a file or link to where nothing is, with its time, and with the permissions that it shall have or has.
fn copy_one(
    from: &mut Within<'_>,
    to: &mut Within<'_>,
    name: &[u8],
    kind: Option<&Kind>,
) -> Result<(), Errno> {
    let stat = from.stat(name)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        let text = from.link(name)?;
        return to.make_link(name, &text);
    }
    let (old, stat) = from.open(name)?;
    let mode = match kind {
        Some(Kind::File { mode, .. }) => mode.bits(),
        _ => stat.st_mode & 0o7777,
    };
    let new = to.create(name, mode)?;
    let length = u64::try_from(stat.st_size).unwrap_or(0);
    copy::begin_with(&old, &new, length)
        .map_err(|error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    #[allow(
        clippy::useless_conversion,
        clippy::unnecessary_cast,
        reason = "the types of its fields differ between architectures"
    )]
    let time = Timespec {
        tv_sec: stat.st_mtime as _,
        tv_nsec: stat.st_mtime_nsec as _,
    };
    let (folder, name) = to.at(name)?;
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(folder, name, &times, AtFlags::SYMLINK_NOFOLLOW)
}

/// How many of the things that are in the way are told.
const SHOWN: usize = 5;

/// What is something else than it must be: a folder where the path ends in a slash, and no folder otherwise.
fn in_the_way(target: &OwnedFd, needed: &BTreeSet<String>) -> Vec<String> {
    let mut within = Within::new(target);
    let mut found = Vec::new();
    for needed in needed {
        let (path, is_folder) = match needed.strip_suffix('/') {
            Some(path) => (path, true),
            None => (needed.as_str(), false),
        };
        let Ok(stat) = within.stat(&bytes::to_bytes(path)) else {
            continue;
        };
        let is_there = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_there != is_folder && (is_folder || is_there) {
            found.push(match is_there {
                true => format!("{path}/"),
                false => path.to_owned(),
            });
        }
        if found.len() == SHOWN {
            break;
        }
    }
    found
}

/// What must not be something else where these paths are placed: each of them, and the folders above, which end in a
/// slash.
fn needed(place: &[String], to: &Tree) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for path in place {
        needed.insert(match to.get(path) {
            Some(Kind::EmptyDir) => format!("{path}/"),
            _ => path.clone(),
        });
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            needed.insert(format!("{folder}/"));
            above = folder;
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::{Moves, moves, needed};
    use crate::Tree;
    use bundle::digest::Digest;
    use bundle::manifest::{Kind, Mode};
    use std::collections::BTreeSet;

    fn tree(entries: &[(&str, Option<&str>)]) -> Tree {
        entries
            .iter()
            .map(|(path, content)| {
                let kind = content.map_or(Kind::EmptyDir, |content| Kind::File {
                    mode: Mode::Plain,
                    size: content.len() as u64,
                    sha256: Digest::of(content.as_bytes()),
                });
                ((*path).to_owned(), kind)
            })
            .collect()
    }

    #[test]
    fn only_what_differs_moves_and_only_ours_goes() {
        let from = tree(&[
            ("same", Some("1")),
            ("edited", Some("1")),
            ("a/b/gone", Some("1")),
            ("file-to-folder", Some("1")),
            ("folder-to-file/x", Some("1")),
            ("empty", None),
        ]);
        let to = tree(&[
            ("same", Some("1")),
            ("edited", Some("2")),
            ("file-to-folder/x", Some("1")),
            ("folder-to-file", Some("1")),
            ("new", Some("1")),
        ]);
        let strings = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            moves(&from, &to, &BTreeSet::new()),
            Moves {
                new: strings(&["file-to-folder/x", "folder-to-file", "new"]),
                remove: strings(&["a/b/gone", "file-to-folder", "folder-to-file/x"]),
                fold: strings(&["a/b", "a", "empty", "folder-to-file"]),
                place: strings(&["edited", "file-to-folder/x", "folder-to-file", "new"]),
            }
        );
        let place = strings(&["a/b/c", "empty"]);
        assert_eq!(
            needed(&place, &tree(&[("a/b/c", Some("1")), ("empty", None)])),
            BTreeSet::from_iter(strings(&["a/", "a/b/", "a/b/c", "empty/"]))
        );
        let altered = BTreeSet::from(["same".to_owned()]);
        assert_eq!(moves(&to, &to, &altered).place, ["same"]);
        assert_eq!(moves(&to, &to, &BTreeSet::new()), Moves::default());
    }
}
