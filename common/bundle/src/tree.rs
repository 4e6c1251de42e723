//! Reading folders and files into a manifest: which entries, whether they may travel, what they contain.

mod content;
mod error;
mod exclude;
mod found;
mod refusal;
mod rules;
mod source;
mod walk;

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Digest;
use crate::manifest::{Entry, Kind, Manifest, Mode};
use crate::names;
use crate::secrets;

use found::{Found, Item, Root};
use rules::is_litter;

pub use error::TreeError;
pub use exclude::Exclude;
pub use refusal::{Refusal, Refusals, Why};
pub use rules::{LITTER, Litter, Rules};
pub use source::Source;

/// Walks the sources, applies the rules, hashes what is left.
///
/// Files are hashed on all cores. Empty folders are entries, unless another source puts something into
/// them; a folder that only holds left-out files is not, because on a fresh checkout it would not exist.
///
/// # Errors
/// [`TreeError::Refused`] lists every refused entry at once; see [`TreeError`] for the rest.
pub fn read(sources: &[Source], rules: &Rules) -> Result<Manifest, TreeError> {
    let mut found = Found::default();
    for source in sources {
        let own = source.path.file_name().and_then(OsStr::to_str);
        let takes_litter = rules.litter == Litter::Take;
        if !takes_litter && (is_litter(&source.name) || own.is_some_and(is_litter)) {
            found.refuse(source.path.clone(), Why::Litter);
            continue;
        }
        let read_error = |error| TreeError::Read {
            path: source.path.clone(),
            source: error,
        };
        let root = Arc::new(Root {
            resolved: fs::canonicalize(&source.path).map_err(read_error)?,
            written: source.path.clone(),
        });
        let kind = fs::metadata(&root.resolved).map_err(read_error)?;
        if kind.is_dir() {
            walk::walk(source, &root, rules, &mut found)?;
        } else {
            let (name, path) = (source.name.clone(), root.resolved.clone());
            found.add(name, path, &root, kind.file_type(), rules);
        }
    }
    found.check_names_against_each_other(rules);
    let contents = content::read_all(&found.items, rules)?;
    let mut entries = Vec::with_capacity(found.items.len());
    let mut refusals = found.refusals;
    for (item, content) in found.items.into_iter().zip(contents) {
        let Some(content) = content else {
            entries.extend(item.kind.clone().map(|kind| item.into_entry(kind)));
            continue;
        };
        if let Some(kind) = content.private_key {
            refusals.push(Refusal {
                path: item.shown(),
                why: Why::PrivateKey { kind },
            });
        }
        entries.push(Entry {
            segments: content.segments,
            ..item.into_entry(Kind::File {
                mode: content.mode,
                size: content.size,
                sha256: content.sha256,
            })
        });
    }
    if !refusals.is_empty() {
        return Err(TreeError::Refused(Refusals::new(refusals)));
    }
    if entries.is_empty() {
        let roots = sources.iter().map(|source| source.path.clone()).collect();
        return Err(TreeError::Empty { roots });
    }
    Ok(Manifest::from_sorted(entries))
}

/// Files that are in memory already, under the same rules for names and secrets as those on a disk.
///
/// # Errors
/// [`TreeError::Refused`] lists every refused entry at once, [`TreeError::Empty`] when there is none.
pub fn hold(mut files: Vec<(String, Mode, Vec<u8>)>, rules: &Rules) -> Result<Manifest, TreeError> {
    files.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    let mut found = Found::default();
    let mut contents = Vec::with_capacity(files.len());
    let root = Arc::new(Root {
        resolved: PathBuf::new(),
        written: PathBuf::new(),
    });
    for (name, mode, bytes) in files {
        let source = PathBuf::from(&name);
        let private_key = rules
            .refuse_private_keys
            .then(|| secrets::private_key(&bytes))
            .flatten();
        if let Err(fault) = names::check(&name, rules.names) {
            found.refuse(source, Why::Name(fault));
        } else if rules.litter != Litter::Take && is_litter(&name) {
            found.refuse(source, Why::Litter);
        } else if rules.refuse_env_files
            && secrets::is_env_file(name.rsplit('/').next().unwrap_or(&name))
        {
            found.refuse(source, Why::EnvFile);
        } else if let Some(kind) = private_key {
            found.refuse(source, Why::PrivateKey { kind });
        } else {
            found.items.push(Item {
                name,
                source,
                root: Arc::clone(&root),
                kind: None,
            });
            contents.push((mode, bytes));
        }
    }
    found.check_names_against_each_other(rules);
    if !found.refusals.is_empty() {
        return Err(TreeError::Refused(Refusals::new(found.refusals)));
    }
    if found.items.is_empty() {
        return Err(TreeError::Empty { roots: Vec::new() });
    }
    let entries = found.items.into_iter().zip(contents);
    let entries = entries.map(|(item, (mode, bytes))| Entry {
        content: Some(bytes.as_slice().into()),
        ..item.into_entry(Kind::File {
            mode,
            size: bytes.len() as u64,
            sha256: Digest::of(&bytes),
        })
    });
    Ok(Manifest::from_sorted(entries.collect()))
}
