//! Releases in the store: their names, what is kept beside them, and how one becomes current.
//!
//! [`crate::Paths`] says where they are. Beside them, in `TARGET/.deploy/`:
//!
//! ```text
//! manifests/<release>   path, kind, size and SHA-256 of everything in it
//! pieces/<release>      the pieces of its large files
//! stamps/<release>      a digest over inode, size, mode and change time of its files when they were last verified
//! proven/<release>      it was healthy when it was started last, and may be gone back to; holds how it was run
//! unproven/<release>    the same, since it was started anew and until it is healthy again
//! replaced/<release>    in-place: files of somebody else's that it took the place of
//! images/<release>      the images that it runs: name, id and digests
//! placing               in-place: the release whose files are being placed
//! project               the Compose project of this target
//! logs/                 what start and stop commands printed
//! audit.jsonl           a line for each deployment
//! decision              what became of a release whose deployment lost its connection, until that was told
//! ```
//!
//! Everything that changes the store may be cut off at any point and run again.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use crate::error::StoreError;
use crate::fault::Fault;
use crate::layout::Paths;
use crate::pieces::{self, Pieces};
use crate::stamp::Stamp;
use crate::tree::{Tree, shared_link};
use crate::within::{Within, root};
use crate::{compare, shared, stamp, stored};

/// A release's name: UTC time and a short id.
///
/// `digest` is the tree's, in hexadecimal; `commit` is preferred where the build knows one.
#[must_use]
pub fn name(utc: &str, commit: Option<&str>, digest: &str) -> String {
    let id = commit
        .filter(|commit| commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map_or(digest, |commit| commit);
    format!("{utc}-{}", id[..id.len().min(7)].to_ascii_lowercase())
}

/// The name of a release that joins those that are there. Their order by name is the order in which they were
/// made, which going back and pruning rest on: also of two within one second, and when a clock was wrong.
#[must_use]
pub fn next_name(wanted: &str, taken: &[String]) -> String {
    let (time, id) = wanted.split_at(14);
    let newest = taken.iter().filter_map(|name| name.get(..14)).max();
    match newest {
        Some(newest) if newest >= time => {
            let next = newest.parse::<u64>().unwrap_or_default() + 1;
            format!("{next:014}{id}")
        }
        _ => wanted.to_owned(),
    }
}

/// Whether a folder's name is one that [`name`] makes. Anything else is somebody else's.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 22
        && bytes[..14].iter().all(u8::is_ascii_digit)
        && bytes[14] == b'-'
        && bytes[15..]
            .iter()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte))
}

/// Makes the folders of the store, and the target folder itself.
///
/// # Errors
/// When one cannot be made.
pub fn make_store(paths: &Paths) -> Result<(), StoreError> {
    let folders = ["manifests", "pieces", "stamps", "proven", "logs"];
    let folders = folders.map(|folder| format!(".deploy/{folder}"));
    for folder in [paths.store().to_owned()].into_iter().chain(folders) {
        make_folder(paths, &folder)?;
    }
    Ok(())
}

/// Makes a folder below the target, and those above it.
fn make_folder(paths: &Paths, folder: &str) -> Result<(), StoreError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(paths.below(folder))
        .map_err(|error| StoreError::at("make the folder", folder, error))
}

/// Writes what is kept beside a release.
pub(crate) fn write_own(
    paths: &Paths,
    folder: &str,
    release: &str,
    text: &[u8],
) -> Result<(), StoreError> {
    make_folder(paths, &format!(".deploy/{folder}"))?;
    let path = paths.own(folder, release);
    write(&path, text, 0o644)
        .map_err(|error| StoreError::at("write", &format!(".deploy/{folder}/{release}"), error))
}

fn write(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(mode);
    options.open(path)?.write_all(text)
}

/// Writes down something about the target folder, in one line.
pub(crate) fn write_down(paths: &Paths, name: &str, line: &str) -> Result<(), StoreError> {
    let path = format!(".deploy/{name}");
    write(&paths.below(&path), format!("{line}\n").as_bytes(), 0o644)
        .map_err(|error| StoreError::at("write", &path, error))
}

/// Writes down something about the target folder, whole at once.
pub(crate) fn write_whole(paths: &Paths, name: &str, text: &str) -> Result<(), StoreError> {
    make_folder(paths, ".deploy")?;
    let path = format!(".deploy/{name}");
    let new = paths.below(&format!("{path}.new"));
    write(&new, text.as_bytes(), 0o644)
        .and_then(|()| fs::rename(&new, paths.below(&path)))
        .map_err(|error| StoreError::at("write", &path, error))
}

/// The manifest of a release.
///
/// # Errors
/// When it cannot be read.
pub fn manifest(paths: &Paths, release: &str) -> Result<Tree, StoreError> {
    let text = fs::read_to_string(paths.own("manifests", release)).ok();
    text.and_then(|text| stored::from_text(&text))
        .ok_or_else(|| StoreError::NoManifest(release.to_owned()))
}

/// The pieces of a release's large files; none where that cannot be read.
#[must_use]
pub fn pieces(paths: &Paths, release: &str) -> Pieces {
    let text = fs::read_to_string(paths.own("pieces", release));
    text.map(|text| pieces::from_text(&text))
        .unwrap_or_default()
}

/// The stamp under which a release was verified.
pub(crate) fn stamp(paths: &Paths, release: &str) -> Option<String> {
    let text = fs::read_to_string(paths.own("stamps", release)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Remembers that what runs of a release was verified under this stamp.
///
/// # Errors
/// When it cannot be written down; the next look reads every file then.
pub fn remember_stamp(paths: &Paths, release: &str, stamp: &Stamp) -> Result<(), StoreError> {
    write_own(paths, "stamps", release, format!("{stamp}\n").as_bytes())
}

/// What of a release is not in its own folder as its manifest says, without what the application and the host's people
/// changed there that is theirs, and without what was moved to a shared path since; of `only` these paths where they are
/// given.
///
/// # Errors
/// When its manifest cannot be read, or its folder is gone.
pub fn faults(
    paths: &Paths,
    release: &str,
    only: Option<&[String]>,
) -> Result<Vec<Fault>, StoreError> {
    let mut tree = manifest(paths, release)?;
    if let Some(only) = only {
        tree.retain(|path, _| only.contains(path));
    }
    let folder = root(&paths.below(&paths.stored(release)))
        .map_err(|_| StoreError::Gone(release.to_owned()))?;
    let mut within = Within::new(&folder);
    let mut faults = compare::faults(&folder, &tree);
    faults.retain(|fault| !fault.what.is_theirs() && !is_carried_over(&mut within, &fault.path));
    Ok(faults)
}

/// Whether a path of a release has become a shared one since.
fn is_carried_over(within: &mut Within<'_>, path: &str) -> bool {
    let mut at = path;
    loop {
        let is_shared = within
            .link(at.as_bytes())
            .is_ok_and(|text| text == shared_link(at).as_bytes());
        match at.rsplit_once('/') {
            _ if is_shared => return true,
            Some((above, _)) => at = above,
            None => return false,
        }
    }
}

/// What of a tree is not in the folder that a release runs in, without what is theirs; and the stamp of that folder.
///
/// # Errors
/// When the folder is gone.
pub fn verify_live(
    paths: &Paths,
    release: &str,
    tree: &Tree,
) -> Result<(Option<Stamp>, Vec<Fault>), StoreError> {
    let folder =
        root(Path::new(&paths.live(release))).map_err(|_| StoreError::Gone(release.to_owned()))?;
    // Before anything is read: what changes meanwhile is noticed the next time.
    let stamp = stamp::stamp(&folder, tree);
    let mut faults = compare::faults(&folder, tree);
    faults.retain(|fault| !fault.what.is_theirs());
    Ok((stamp, faults))
}

/// Makes `current` lead to the release, in one rename: at any moment it is the old one or the new one. It never leads to a
/// folder that is gone. With `starts` the release counts as proven only once it is so again: whoever is stopped before
/// has proven nothing.
///
/// # Errors
/// When the folder is gone, or the link cannot be made.
pub fn switch(paths: &Paths, release: &str, starts: bool) -> Result<(), StoreError> {
    if !paths.below(&paths.stored(release)).is_dir() {
        return Err(StoreError::Gone(release.to_owned()));
    }
    if starts && paths.own("proven", release).exists() {
        make_folder(paths, ".deploy/unproven")?;
        fs::rename(paths.own("proven", release), paths.own("unproven", release))
            .map_err(|error| StoreError::at("move", &format!(".deploy/proven/{release}"), error))?;
    }
    let next = ".deploy/next";
    remove_any(paths, next)?;
    symlink(format!("releases/{release}"), paths.below(next))
        .map_err(|error| StoreError::at("make the link", next, error))?;
    fs::rename(paths.below(next), paths.below(paths.current()))
        .map_err(|error| StoreError::at("replace the link", paths.current(), error))?;
    remove_any(paths, ".deploy/placing")
}

/// Removes `current`, where there was none before.
///
/// # Errors
/// When it cannot be removed.
pub fn unswitch(paths: &Paths) -> Result<(), StoreError> {
    remove_any(paths, paths.current())
}

/// Writes down that the release was healthy, and how it was run, in one line.
///
/// # Errors
/// When it cannot be written.
pub fn prove(paths: &Paths, release: &str, how: &str) -> Result<(), StoreError> {
    make_folder(paths, ".deploy/proven")?;
    let path = format!(".deploy/proven/{release}");
    let failed = |error| StoreError::at("write", &path, error);
    // Whole at once: an empty one would be a proof too.
    let new = paths.below(&format!(".deploy/proven/.{release}"));
    write(&new, format!("{how}\n").as_bytes(), 0o600).map_err(failed)?;
    fs::rename(new, paths.below(&path)).map_err(failed)?;
    remove_any(paths, &format!(".deploy/unproven/{release}"))
}

/// Appends a line to the record of deployments.
///
/// # Errors
/// When it cannot be written.
pub fn audit(paths: &Paths, line: &str) -> Result<(), StoreError> {
    make_folder(paths, ".deploy")?;
    let path = ".deploy/audit.jsonl";
    let mut options = OpenOptions::new();
    let file = options
        .append(true)
        .create(true)
        .mode(0o644)
        .open(paths.below(path));
    file.and_then(|mut file| file.write_all(format!("{}\n", line.trim_end()).as_bytes()))
        .map_err(|error| StoreError::at("write", path, error))
}

/// Removes releases, whole or partial, with what is kept beside them, all but their logs: those tell what
/// was wrong with one that failed. Never one that `current` leads to. What others wrote into a release, as a container
/// does, may not be the user's to remove: it is moved aside. Gives where that lies now.
///
/// # Errors
/// The first of what could not be removed; all the rest is gone.
pub fn remove(paths: &Paths, releases: &[String]) -> Result<Vec<String>, StoreError> {
    let current = fs::read_link(paths.below(paths.current())).ok();
    let (mut ended, mut kept) = (Ok(()), Vec::new());
    for release in releases.iter().filter(|release| is_name(release)) {
        if current.as_deref() == Some(&Path::new("releases").join(release)) {
            ended = ended.and(Err(StoreError::There(release.clone())));
            continue;
        }
        let partial = paths.partial(release);
        let stored = paths.stored(release);
        let removed = match remove_any(paths, &stored) {
            Err(error) if error.is_denied() => match shared::keep(paths, &stored) {
                Ok(to) => {
                    kept.push(to);
                    Ok(())
                }
                Err(_) => Err(error),
            },
            removed => removed,
        };
        ended = ended.and(removed);
        let mut all = vec![paths.fetched(release), format!("{partial}.pieces"), partial];
        let own = fs::read_dir(paths.below(".deploy"))
            .into_iter()
            .flatten()
            .flatten();
        let folders = own.filter_map(|folder| folder.file_name().into_string().ok());
        all.extend(folders.map(|folder| format!(".deploy/{folder}/{release}")));
        for path in all {
            ended = ended.and(remove_any(paths, &path));
        }
    }
    ended.map(|()| kept)
}

/// Removes what is partial, of whichever release.
pub(crate) fn remove_partial(paths: &Paths) -> Result<(), StoreError> {
    let entries = fs::read_dir(paths.below(paths.store()));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with('.')) else {
            continue;
        };
        let is_partial = [".partial", ".partial.pieces", ".fetched"];
        if is_partial.iter().any(|end| name.ends_with(end)) {
            remove_any(paths, &format!("{}/{name}", paths.store()))?;
        }
    }
    Ok(())
}

/// Removes the logs of releases that are not there any more.
pub(crate) fn remove_old_logs(paths: &Paths) {
    let entries = fs::read_dir(paths.below(".deploy/logs"));
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let release = name.rsplit_once('-').map_or(name.as_str(), |(it, _)| it);
        if !paths.below(&paths.stored(release)).is_dir() {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Removes whatever is at this path below the target, with all that is in it; fine when nothing is.
pub(crate) fn remove_any(paths: &Paths, path: &str) -> Result<(), StoreError> {
    let at = paths.below(path);
    let is_folder = match fs::symlink_metadata(&at) {
        Ok(found) => found.is_dir(),
        Err(error) if is_nothing(&error) => return Ok(()),
        Err(error) => return Err(StoreError::at("remove", path, error)),
    };
    let removed = match is_folder {
        false => fs::remove_file(&at),
        true => fs::remove_dir_all(&at).or_else(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                remove_what_may_go(&at);
                fs::remove_dir_all(&at)
            }
            _ => Err(error),
        }),
    };
    match removed {
        Err(error) if !is_nothing(&error) => Err(StoreError::at("remove", path, error)),
        _ => Ok(()),
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// Removes all that the user may remove in a folder, and lets the owner into folders: from a read-only one nothing can
/// be removed.
fn remove_what_may_go(folder: &Path) {
    drop(fs::set_permissions(
        folder,
        fs::Permissions::from_mode(0o700),
    ));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        drop(match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => {
                remove_what_may_go(&path);
                fs::remove_dir(path)
            }
            false => fs::remove_file(path),
        });
    }
}

/// Waits until everything is on the disk, of whichever file system: what containers wrote lies elsewhere.
pub fn write_to_disk() {
    rustix::fs::sync();
}

#[cfg(test)]
mod tests {
    use super::{is_name, name, next_name};

    #[test]
    fn names_are_time_and_id_and_only_ours_are_known() {
        let digest = "0123456789abcdef";
        assert_eq!(
            name("20261123094308", Some("DEADBEEF99"), digest),
            "20261123094308-deadbee"
        );
        assert_eq!(
            name("20261123094308", Some("arn:aws:s3:::x"), digest),
            "20261123094308-0123456"
        );
        assert_eq!(
            name("20261123094308", None, digest),
            "20261123094308-0123456"
        );
        assert!(is_name("20261123094308-0123456"));
        for other in [
            "20261123094308",
            "current",
            "20261123094308-../../x",
            "20261123094308-01234567",
            "20261123094308-012345g",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn a_release_is_named_after_all_that_are_there() {
        let taken = [
            "20261123094308-0123456".to_owned(),
            "20261123094309-0123456".to_owned(),
        ];
        for (wanted, name) in [
            ("20261123094310-0123456", "20261123094310-0123456"),
            ("20261123094309-0000000", "20261123094310-0000000"),
            ("20251123094309-fffffff", "20261123094310-fffffff"),
        ] {
            assert_eq!(next_name(wanted, &taken), name);
        }
        assert_eq!(
            next_name("20251123094309-fffffff", &[]),
            "20251123094309-fffffff"
        );
    }
}
