//! Paths that all releases share, and giving a release its name.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::Access;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::layout::Paths;
use crate::tree::{SEEDS, shared_link};

/// What there is of a shared path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SharedPath {
    /// Nothing yet.
    Missing,
    /// It is there.
    There,
    /// The current release has something there, which is going to be carried over.
    Carried,
    /// The current release has something there, which may not be moved, or lies on another disk.
    Closed,
}

/// What a release became when it got its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Shared paths that were carried over from the current release.
    pub carried: Vec<String>,
    /// What older releases had at shared paths, and where it lies now, relative to the target.
    pub kept: Vec<String>,
}

/// Tells what there is of the shared paths.
#[must_use]
pub fn look_at_shared(paths: &Paths, shared: &[String], current: Option<&str>) -> Vec<SharedPath> {
    let disk = |path: &str| {
        let found = fs::metadata(paths.below(path)).or_else(|_| fs::metadata(&paths.target));
        found.ok().map(|found| found.dev())
    };
    let look = |path: &String| {
        if exists(&paths.below(&format!("shared/{path}"))) {
            return SharedPath::There;
        }
        let Some(own) = current.map(|current| format!("{}/{path}", paths.stored(current))) else {
            return SharedPath::Missing;
        };
        if !is_own(paths, &own) {
            return SharedPath::Missing;
        }
        let at = paths.below(&own);
        let may_move = !at.is_dir() || rustix::fs::access(&at, Access::WRITE_OK).is_ok();
        match may_move && disk(&own) == disk("shared") {
            true => SharedPath::Carried,
            false => SharedPath::Closed,
        }
    };
    shared.iter().map(look).collect()
}

/// Gives a verified release its name, and sees to what its shared links lead to: where nothing is there yet, what the
/// current release has at the path is carried over, or what the application brings is copied, or it is a new folder.
/// What runs goes on with what is carried over: that is moved as a whole, and a link leads there from the release.
/// What older releases have at the path is moved aside, and is nobody's to remove but the user's; they are linked too.
///
/// # Errors
/// When something cannot be moved or made, or the release is there already.
pub fn commit(
    paths: &Paths,
    release: &str,
    shared: &[String],
    current: Option<&str>,
) -> Result<Committed, StoreError> {
    let mut done = Committed::default();
    let (partial, stored) = (paths.partial(release), paths.stored(release));
    for path in shared {
        share(paths, &partial, path, current, &mut done)?;
    }
    if exists(&paths.below(&stored)) {
        return Err(StoreError::There(release.to_owned()));
    }
    // The manifest came before the files. What is written from now on is newer than it: see `keep_written`.
    let manifest = paths.own("manifests", release);
    let touched = fs::File::options()
        .append(true)
        .open(&manifest)
        .and_then(|file| file.set_modified(SystemTime::now()));
    touched
        .map_err(|error| StoreError::at("touch", &format!(".deploy/manifests/{release}"), error))?;
    rename(paths, &partial, &stored)?;
    Ok(done)
}

fn share(
    paths: &Paths,
    partial: &str,
    path: &str,
    current: Option<&str>,
    done: &mut Committed,
) -> Result<(), StoreError> {
    let shared = format!("shared/{path}");
    make_parent(paths, &shared)?;
    let current = current.map(|current| paths.stored(current));
    let own = current.as_ref().map(|current| format!("{current}/{path}"));
    if !exists(&paths.below(&shared)) {
        let brought = format!("{partial}/{SEEDS}{path}");
        match own.as_ref().filter(|own| is_own(paths, own)) {
            Some(own) => {
                move_and_link(paths, own, &shared, path)?;
                done.carried.push(path.to_owned());
            }
            None if exists(&paths.below(&brought)) => {
                copy_all(&paths.below(&brought), &paths.below(&shared))
                    .map_err(|error| StoreError::at("write", &shared, error))?;
            }
            None => fs::create_dir(paths.below(&shared))
                .map_err(|error| StoreError::at("make the folder", &shared, error))?,
        }
    }
    let mut releases: Vec<String> = fs::read_dir(paths.below(paths.store()))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    releases.sort();
    for release in releases {
        let stored = paths.stored(&release);
        let at = format!("{stored}/{path}");
        if Some(&stored) == current.as_ref() || !is_own(paths, &at) {
            continue;
        }
        let kept = format!("kept/{release}/{path}");
        // One that cannot be moved stays where it is.
        let moved = make_parent(paths, &kept).and_then(|()| move_and_link(paths, &at, &kept, path));
        if moved.is_ok() {
            done.kept.push(kept);
        }
    }
    Ok(())
}

/// Moves aside what was written into releases that are about to be removed and may be data: at shared paths, and anywhere
/// in those of `unknown`, deployed when it was not yet asked what containers write. Gives where it lies now.
///
/// # Errors
/// When something cannot be moved.
pub fn keep_written(
    paths: &Paths,
    releases: &[String],
    shared: &[String],
    unknown: &[String],
) -> Result<Vec<String>, StoreError> {
    let mut kept = Vec::new();
    for release in releases {
        let stored = paths.stored(release);
        let whole = unknown.contains(release).then(|| stored.clone());
        let parts = shared.iter().map(|path| format!("{stored}/{path}"));
        for path in whole.into_iter().chain(parts) {
            let Ok(made) = fs::metadata(paths.own("manifests", release)) else {
                continue;
            };
            let newer = (made.mtime(), made.mtime_nsec());
            if !is_own(paths, &path) || !holds_newer(&paths.below(&path), newer) {
                continue;
            }
            kept.push(keep(paths, &path)?);
        }
    }
    Ok(kept)
}

/// Moves aside what is at this path of a release, or a release. Gives where it lies now.
pub(crate) fn keep(paths: &Paths, path: &str) -> Result<String, StoreError> {
    let below = path.strip_prefix(paths.store()).unwrap_or(path);
    let rest = below.trim_start_matches('/');
    let mut to = format!("kept/{rest}");
    for n in 1.. {
        if !exists(&paths.below(&to)) {
            break;
        }
        to = format!("kept/{rest}.{n}");
    }
    make_parent(paths, &to)?;
    rename(paths, path, &to)?;
    Ok(to)
}

/// Whether a file at this path, or below it, was written after that time.
fn holds_newer(path: &Path, time: (i64, i64)) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else {
        return false;
    };
    if found.is_dir() {
        let mut entries = fs::read_dir(path).into_iter().flatten().flatten();
        return entries.any(|entry| holds_newer(&entry.path(), time));
    }
    found.is_file() && (found.mtime(), found.mtime_nsec()) > time
}

/// Whether something is at this path of the target folder, that no link leads to.
fn is_own(paths: &Paths, path: &str) -> bool {
    let Some((folder, _)) = path.rsplit_once('/') else {
        return false;
    };
    let is_there = |found: fs::Metadata| !found.is_symlink();
    let resolved = |path: PathBuf| fs::canonicalize(path).ok();
    let target = resolved(PathBuf::from(&paths.target));
    fs::symlink_metadata(paths.below(path)).is_ok_and(is_there)
        && target.is_some_and(|target| resolved(paths.below(folder)) == Some(target.join(folder)))
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

fn make_parent(paths: &Paths, path: &str) -> Result<(), StoreError> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    fs::create_dir_all(paths.below(folder))
        .map_err(|error| StoreError::at("make the folder", folder, error))
}

fn rename(paths: &Paths, from: &str, to: &str) -> Result<(), StoreError> {
    fs::rename(paths.below(from), paths.below(to))
        .map_err(|error| StoreError::at("move", from, error))
}

/// Moves something out of a release, and links to where it was shared.
fn move_and_link(paths: &Paths, from: &str, to: &str, shared: &str) -> Result<(), StoreError> {
    rename(paths, from, to)?;
    symlink(shared_link(shared), paths.below(from))
        .map_err(|error| StoreError::at("make the link", from, error))
}

/// Copies a file, link or folder with its permissions.
fn copy_all(from: &Path, to: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    if found.is_symlink() {
        return symlink(fs::read_link(from)?, to);
    }
    if !found.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir(to)?;
    for entry in fs::read_dir(from)? {
        let name = entry?.file_name();
        copy_all(&from.join::<&OsStr>(&name), &to.join(&name))?;
    }
    fs::set_permissions(to, found.permissions())
}
