//! Walking one folder: what is gone into, what is passed over, what is refused on the way.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::WalkBuilder;

use super::error::TreeError;
use super::found::{Found, Root};
use super::refusal::Why;
use super::rules::{LITTER, Litter, Rules, as_text};
use super::source::Source;

/// Adds what a folder holds.
pub(super) fn walk(
    source: &Source,
    root: &Arc<Root>,
    rules: &Rules,
    found: &mut Found,
) -> Result<(), TreeError> {
    let walk_error = |error| failed(error, source, root);
    let litter = Arc::default();
    let mut folder: Option<Folder> = None;
    for item in walker(&root.resolved, rules, &litter).build() {
        let item = item.map_err(walk_error)?;
        if let Some(error) = item.error() {
            return Err(walk_error(error.clone()));
        }
        // The walker gives only paths below the root it was given.
        let Some(below) = below(item.path(), &root.resolved) else {
            continue;
        };
        let Some(below) = as_text(below, rules) else {
            found.refuse(root.shown(item.path()), Why::NotUtf8);
            continue;
        };
        let name = match (source.name.as_str(), below.as_ref()) {
            (name, "") => name.to_owned(),
            ("", below) => below.to_owned(),
            (name, below) => format!("{name}/{below}"),
        };
        let Some(kind) = item.file_type() else {
            continue;
        };
        // What comes right behind a folder, and deeper, is what it holds.
        if let Some(folder) = folder.take()
            && item.depth() <= folder.depth
        {
            folder.close(root, rules, found)?;
        }
        if kind.is_dir() {
            if !name.is_empty() {
                folder = Some(Folder {
                    name,
                    depth: item.depth(),
                    path: item.into_path(),
                });
            }
        } else if kind.is_symlink() {
            let below = below.into_owned();
            found.add_link(name, item.into_path(), root, &below, rules)?;
        } else {
            found.add(name, item.into_path(), root, kind, rules);
        }
    }
    if let Some(folder) = folder {
        folder.close(root, rules, found)?;
    }
    let litter = litter.lock().unwrap_or_else(PoisonError::into_inner);
    for path in litter.iter() {
        found.refuse(root.shown(path), Why::Litter);
    }
    Ok(())
}

/// The error of a walk: a folder that cannot be read is named once, as the user would write it.
fn failed(error: ignore::Error, source: &Source, root: &Root) -> TreeError {
    match unreadable(&error) {
        Some((path, error)) => TreeError::Walk {
            path: root.shown(path),
            source: ignore::Error::Io(error),
        },
        None => TreeError::Walk {
            path: source.path.clone(),
            source: error,
        },
    }
}

/// What could not be read, and what the system said about it, without the words of those between.
fn unreadable(error: &ignore::Error) -> Option<(&Path, io::Error)> {
    let ignore::Error::WithPath { path, err } = error else {
        return None;
    };
    let said = err.io_error()?;
    let inner = said.get_ref().and_then(|inner| inner.source());
    let inner = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    let code = inner.unwrap_or(said).raw_os_error()?;
    Some((path, io::Error::from_raw_os_error(code)))
}

/// What of a path lies below the root; the same as [`Path::strip_prefix`] for paths that begin with the root's own
/// bytes, without taking either apart.
fn below<'a>(path: &'a Path, root: &Path) -> Option<&'a OsStr> {
    let rest = path
        .as_os_str()
        .as_bytes()
        .strip_prefix(root.as_os_str().as_bytes())?;
    Some(OsStr::from_bytes(rest.strip_prefix(b"/").unwrap_or(rest)))
}

/// A folder of which nothing was seen yet.
struct Folder {
    name: String,
    depth: usize,
    path: PathBuf,
}

impl Folder {
    /// Adds it, now that nothing more comes of it; unless what it holds was left out.
    fn close(self, root: &Arc<Root>, rules: &Rules, found: &mut Found) -> Result<(), TreeError> {
        let first = fs::read_dir(&self.path).map(|mut items| items.next());
        let first = first.map_err(|error| TreeError::Read {
            path: root.shown(&self.path),
            source: error,
        })?;
        if first.is_none() {
            found.add_folder(self.name, self.path, root, rules);
        }
        Ok(())
    }
}

/// Walks a folder without what the rules leave out; litter that they refuse is noted, and not gone into.
fn walker(root: &Path, rules: &Rules, refused: &Arc<Mutex<Vec<PathBuf>>>) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    // Hidden files travel, and no `.gitignore` has a say: only the ignore file that was asked for. What it
    // names does not come to the filter below.
    builder.standard_filters(false).follow_links(false);
    // So that there is next to nothing left to sort, and files of one folder are read one after the other.
    builder.sort_by_file_name(OsStr::cmp);
    if let Some(name) = &rules.ignore_file {
        builder.add_custom_ignore_filename(name);
    }
    let ignore_file = rules.ignore_file.clone();
    let (litter, exclude) = (rules.litter, rules.exclude.clone());
    let refused = Arc::clone(refused);
    let root = root.to_owned();
    builder.filter_entry(move |item| {
        let name = item.file_name();
        let is_folder = item.file_type().is_some_and(|kind| kind.is_dir());
        let is_ignore_file = ignore_file
            .as_deref()
            .is_some_and(|ignore_file| name == OsStr::new(ignore_file));
        if item.depth() == 0 {
            return true;
        }
        if is_ignore_file {
            return false;
        }
        if !exclude.is_empty() {
            let below = item.path().strip_prefix(&root).unwrap_or(item.path());
            if exclude.holds(below, is_folder) {
                return false;
            }
        }
        if litter == Litter::Take || !LITTER.iter().any(|one| name == OsStr::new(one)) {
            return true;
        }
        if litter == Litter::Refuse {
            let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.push(item.path().to_owned());
        }
        false
    });
    builder
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::path::{Path, PathBuf};

    use super::{Root, Source, failed};

    #[test]
    fn a_folder_that_cannot_be_read_is_named_once_with_what_the_system_said() {
        let root = Root {
            resolved: PathBuf::from("/nowhere"),
            written: PathBuf::from("app"),
        };
        let gone = Path::new("/nowhere/data");
        let error = ignore::WalkBuilder::new(gone).build().next().unwrap();
        let error = failed(error.unwrap_err(), &Source::root("app"), &root);
        assert_eq!(
            error.to_string(),
            "cannot walk `app/data`: No such file or directory (os error 2)"
        );
    }
}
