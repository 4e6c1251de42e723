//! Files that lie on the host for a moment, so that a program there can read them before anything is sent.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bundle::names::{self, Names, bytes};
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::stream::broken;
use crate::within::{Within, root};

/// More bytes than these are not taken.
const MOST: u64 = 32 * 1024 * 1024;

/// How many names are tried for the folder: somebody else may have taken some.
const TRIES: u32 = 100;

/// Something in a temporary folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TemporaryEntry {
    /// A file.
    File {
        /// Whether it may be executed.
        executable: bool,
        /// What it holds.
        content: Vec<u8>,
    },
    /// A link.
    Link {
        /// Its text.
        target: String,
    },
}

/// The files and links of a temporary folder, by their paths in it.
pub type TemporaryTree = BTreeMap<String, TemporaryEntry>;

/// The folders that this process made and has not removed.
static MADE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A tree as the bytes that [`make`] reads.
///
/// # Errors
/// When it has no such form, or is longer than 32 MiB.
pub fn to_bytes(tree: &TemporaryTree) -> Result<Vec<u8>, StoreError> {
    match postcard::to_stdvec(tree) {
        Ok(bytes) if bytes.len() as u64 <= MOST => Ok(bytes),
        _ => Err(StoreError::Stream("is too long".to_owned())),
    }
}

/// Makes a folder of this name in a new one that only the user can enter, and puts the tree into it. Gives its absolute
/// path, without links.
///
/// # Errors
/// When the tree cannot be read or written. Nothing is left then.
pub fn make(name: &str, input: impl Read) -> Result<String, StoreError> {
    let mut bytes = Vec::new();
    let read = input.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| broken(&error))?;
    let tree: TemporaryTree = postcard::from_bytes(&bytes)
        .map_err(|_| StoreError::Stream("is no tree of files".to_owned()))?;
    let mut paths = tree.keys().map(String::as_str).chain([name]);
    if let Some(path) = paths.find(|path| names::check(path, Names::Bytes).is_err()) {
        return Err(StoreError::Stream(format!(
            "names `{}`",
            bytes::shown(path)
        )));
    }
    let parent = std::env::temp_dir();
    let failed = |error| StoreError::at("make a folder in", &parent.display().to_string(), error);
    let outer = new_folder(&parent).map_err(failed)?;
    let folder = outer.join(name);
    let made = fs::create_dir(&folder)
        .map_err(failed)
        .and_then(|()| fill(&folder, &tree))
        .and_then(|()| fs::canonicalize(&folder).map_err(failed));
    match made {
        Ok(folder) => Ok(folder.display().to_string()),
        Err(error) => {
            remove_all();
            Err(error)
        }
    }
}

/// A new folder whose name nobody else has.
fn new_folder(parent: &Path) -> io::Result<PathBuf> {
    let process = std::process::id();
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for number in 0..TRIES {
        let folder = parent.join(format!("deploy-agent-{process}-{number}"));
        match DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => {
                let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
                made.push(folder.clone());
                return Ok(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn fill(folder: &Path, tree: &TemporaryTree) -> Result<(), StoreError> {
    let root = root(folder).map_err(|error| StoreError::at("open", ".", error))?;
    let mut within = Within::new(&root);
    for (path, entry) in tree {
        let at = bytes::to_bytes(path);
        let made = within.make_folder_of(&at).map_err(io::Error::from);
        let made = made.and_then(|()| match entry {
            TemporaryEntry::File {
                executable,
                content,
            } => {
                let mode = if *executable { 0o700 } else { 0o600 };
                let mut file = within.create(&at, mode)?;
                file.write_all(content)
            }
            TemporaryEntry::Link { target } => Ok(within.make_link(&at, &bytes::to_bytes(target))?),
        });
        made.map_err(|error| StoreError::at("write", path, error))?;
    }
    Ok(())
}

/// Removes what [`make`] made in this process. What cannot be removed stays; nothing rests on it.
pub fn remove_all() {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    for folder in made.drain(..) {
        drop(fs::remove_dir_all(folder));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn file(content: &str) -> TemporaryEntry {
        TemporaryEntry::File {
            executable: false,
            content: content.into(),
        }
    }

    fn link(target: &str) -> TemporaryEntry {
        TemporaryEntry::Link {
            target: target.to_owned(),
        }
    }

    fn made(entries: &[(&str, TemporaryEntry)]) -> Result<String, StoreError> {
        let tree = entries
            .iter()
            .map(|(path, entry)| ((*path).to_owned(), entry.clone()));
        make("outline", to_bytes(&tree.collect()).unwrap().as_slice())
    }

    /// One test, because what is removed is all that this process made.
    #[test]
    fn what_is_made_is_the_users_alone_and_goes_again() {
        let folder = made(&[("a/b/compose.yaml", file("one")), ("link", link("a/./b"))]).unwrap();
        let folder = Path::new(&folder);
        assert!(folder.is_absolute() && folder.ends_with("outline"));
        let read = fs::read_to_string(folder.join("a/b/compose.yaml")).unwrap();
        assert_eq!(read, "one");
        assert_eq!(
            fs::read_link(folder.join("link")).unwrap(),
            Path::new("a/./b")
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.parent().unwrap()), 0o700);
        assert_eq!(mode(&folder.join("a/b/compose.yaml")), 0o600);
        remove_all();
        assert!(!folder.parent().unwrap().exists());

        // Nothing is written through a link, nor outside.
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().to_str().unwrap();
        assert!(made(&[("a", link(target)), ("a/x", file("one"))]).is_err());
        assert!(made(&[("../x", file("one"))]).is_err());
        assert!(make("../x", to_bytes(&TemporaryTree::new()).unwrap().as_slice()).is_err());
        assert!(make("outline", &b"no tree"[..]).is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
        assert!(MADE.lock().unwrap().is_empty());
    }
}
