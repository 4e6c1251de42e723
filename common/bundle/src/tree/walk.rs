//! Walking one folder: what is gone into, what is passed over, what is refused on the way.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::WalkBuilder;

use crate::manifest::{Entry, Kind};
use crate::names;

use super::found::Found;
use super::{LITTER, Litter, Rules, Source, TreeError, Why, as_text};

/// Adds what a folder holds. `root` is the folder itself, without links on the way to it.
pub(super) fn walk(
    source: &Source,
    root: &Path,
    rules: &Rules,
    found: &mut Found,
) -> Result<(), TreeError> {
    let walk_error = |error| TreeError::Walk {
        path: source.path.clone(),
        source: error,
    };
    let litter = Arc::default();
    for item in walker(root, rules, &litter).build() {
        let item = item.map_err(walk_error)?;
        if let Some(error) = item.error() {
            return Err(walk_error(error.clone()));
        }
        // The walker gives only paths below the root it was given.
        let Ok(below) = item.path().strip_prefix(root) else {
            continue;
        };
        let shown = if below.as_os_str().is_empty() {
            source.path.clone()
        } else {
            source.path.join(below)
        };
        let Some(below) = as_text(below.as_os_str(), rules) else {
            found.refuse(&shown, Why::NotUtf8);
            continue;
        };
        let below = below.as_ref();
        let name = match (source.name.as_str(), below) {
            (name, "") => name.to_owned(),
            ("", below) => below.to_owned(),
            (name, below) => format!("{name}/{below}"),
        };
        let kind = item.file_type();
        if kind.is_some_and(|kind| kind.is_dir()) {
            if name.is_empty()
                || !is_empty(item.path()).map_err(|error| TreeError::Read {
                    path: shown.clone(),
                    source: error,
                })?
            {
                continue;
            }
            match names::check(&name, rules.names) {
                Ok(()) => {
                    let entry = Entry {
                        path: name,
                        kind: Kind::EmptyDir,
                        source: item.path().to_owned(),
                        content: None,
                        segments: Vec::new(),
                    };
                    found.others.push((shown, entry));
                }
                Err(fault) => found.refuse(&shown, Why::Name(fault)),
            }
        } else if kind.is_some_and(|kind| kind.is_symlink()) {
            match names::check(&name, rules.names) {
                Ok(()) => found.add_link(&name, &shown, item.path(), root, below, rules)?,
                Err(fault) => found.refuse(&shown, Why::Name(fault)),
            }
        } else if let Some(kind) = kind {
            found.add(&name, &shown, item.path(), kind, rules);
        }
    }
    let litter = litter.lock().unwrap_or_else(PoisonError::into_inner);
    for path in litter.iter() {
        let below = path.strip_prefix(root).unwrap_or(path);
        found.refuse(&source.path.join(below), Why::Litter);
    }
    Ok(())
}

fn is_empty(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.next().is_none())
}

/// Walks a folder without what the rules leave out; litter that they refuse is noted, and not gone into.
fn walker(root: &Path, rules: &Rules, refused: &Arc<Mutex<Vec<PathBuf>>>) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    // Hidden files travel, and no `.gitignore` has a say: only the ignore file that was asked for. What it
    // names does not come to the filter below.
    builder.standard_filters(false).follow_links(false);
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
        let below = item.path().strip_prefix(&root).unwrap_or(item.path());
        let is_ignore_file = ignore_file
            .as_deref()
            .is_some_and(|ignore_file| name == OsStr::new(ignore_file));
        if item.depth() == 0 {
            return true;
        }
        if is_ignore_file || exclude.holds(below, is_folder) {
            return false;
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
