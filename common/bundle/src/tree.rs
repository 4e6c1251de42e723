//! Reading folders and files into a manifest: which entries, whether they may travel, what they contain.

mod content;
mod exclude;
mod found;
mod refusal;
mod walk;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

use crate::digest::Digest;
use crate::manifest::{Entry, Kind, Manifest, Mode};
use crate::names::{self, Names};
use crate::secrets;

use found::{Found, Item, Root};

pub use exclude::Exclude;
pub use refusal::{Refusal, Refusals, Why};

/// What the version control and the file managers leave behind.
pub const LITTER: [&str; 3] = [".git", "__MACOSX", ".DS_Store"];

/// A file or folder on this machine, and where it goes in the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file or folder; a symbolic link here is followed, since it was named on purpose.
    pub path: PathBuf,
    /// The name in the bundle. Empty, for a folder: its content goes to the bundle's root.
    pub name: String,
}

impl Source {
    /// A folder whose content becomes the bundle's root.
    #[must_use]
    pub fn root(folder: impl Into<PathBuf>) -> Self {
        Self {
            path: folder.into(),
            name: String::new(),
        }
    }

    /// A file or folder under a name of its own.
    #[must_use]
    pub fn named(path: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            name: name.into(),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    /// `PATH` or `PATH=NAME`: the last `=` divides, and the name `.` puts a folder's content at the
    /// root.
    fn from_str(text: &str) -> Result<Self, String> {
        let (path, name) = match text.rsplit_once('=') {
            Some((path, name)) => (path, name),
            None => {
                let own = Path::new(text).file_name().and_then(|name| name.to_str());
                let own = own.ok_or_else(|| {
                    format!("{text:?} has no name of its own; give one: {text}=NAME, or {text}=. for its content")
                })?;
                (text, own)
            }
        };
        if path.is_empty() {
            return Err(format!("{text:?} names no file; write PATH or PATH=NAME"));
        }
        let name = if name == "." {
            ""
        } else {
            name.trim_end_matches('/')
        };
        if name.is_empty() && !text.ends_with("=.") {
            return Err(format!(
                "{text:?} gives an empty name; write PATH or PATH=NAME"
            ));
        }
        if !name.is_empty() {
            names::check(name, Names::Portable)
                .map_err(|fault| format!("the name {name:?} in the archive {fault}"))?;
        }
        Ok(Self::named(path, name))
    }
}

/// What happens with [`LITTER`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Litter {
    /// Refused, in folders too: for archives that others read, where it is a mistake. `package-template`'s archives
    /// and packaged folders, and `run-pipeline check`, which looks at what such an archive would hold.
    /// `aws cloudformation package` takes it along without a word.
    Refuse,
    /// Left out of folders, and refused where it is named itself: for a checkout that is shipped as it stands.
    /// `deploy-app`.
    LeaveOut,
    /// Taken as any other file: for artifacts between the stages of one pipeline, as CodeBuild takes what
    /// matches. `run-pipeline`.
    Take,
}

/// What is left out and what is refused.
#[derive(Debug, Clone)]
pub struct Rules {
    /// What happens with [`LITTER`].
    pub litter: Litter,
    /// What stays out of folders, whatever it is and whatever an ignore file says: neither litter nor secrets
    /// in it are looked for.
    pub exclude: Exclude,
    /// The name of ignore files in gitignore syntax, obeyed in each folder and left out themselves
    /// (`.deployignore`).
    pub ignore_file: Option<String>,
    /// Which names are refused.
    pub names: Names,
    /// Refuse private keys, found by content.
    pub refuse_private_keys: bool,
    /// Refuse `.env` files.
    pub refuse_env_files: bool,
    /// Files longer than this many bytes are hashed in segments of this length, on all cores, and have a
    /// digest of their own kind: [`Digest::of_segments`]. Without it, every digest is that of the whole.
    pub segments: Option<u64>,
    /// Tell files that nobody but their owner may read from others; otherwise all may read all.
    pub private_modes: bool,
}

impl Default for Rules {
    /// Everything that can go wrong is refused; nothing is left out.
    fn default() -> Self {
        Self {
            litter: Litter::Refuse,
            exclude: Exclude::default(),
            ignore_file: None,
            names: Names::Portable,
            refuse_private_keys: true,
            refuse_env_files: true,
            segments: None,
            private_modes: false,
        }
    }
}

impl Rules {
    /// Takes all that can be carried, secrets included: for moving artifacts between the stages of one pipeline.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            litter: Litter::Take,
            exclude: Exclude::default(),
            ignore_file: None,
            names: Names::Unix,
            refuse_private_keys: false,
            refuse_env_files: false,
            segments: None,
            private_modes: false,
        }
    }
}

/// Why a tree could not be read into a manifest.
#[derive(Debug, Error)]
pub enum TreeError {
    /// Some entries may not travel; all of them are listed.
    #[error("{0}")]
    Refused(Refusals),
    /// A file or folder could not be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder could not be walked, or an ignore file has a bad pattern.
    #[error("cannot walk `{}`: {source}", path.display())]
    Walk {
        /// The folder that was walked.
        path: PathBuf,
        /// What went wrong, with the place.
        source: ignore::Error,
    },
    /// No entry is left.
    #[error("nothing to bundle in {}", display_paths(roots))]
    Empty {
        /// What was looked through.
        roots: Vec<PathBuf>,
    },
}

fn display_paths(paths: &[PathBuf]) -> String {
    let shown: Vec<_> = paths
        .iter()
        .map(|path| format!("`{}`", path.display()))
        .collect();
    if shown.is_empty() {
        "no files at all".to_owned()
    } else {
        shown.join(", ")
    }
}

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

/// Whether a name, or a folder in it, is [`LITTER`].
fn is_litter(name: &str) -> bool {
    name.split('/').any(|part| LITTER.contains(&part))
}

/// A name as manifests hold it, where the rules let it travel.
fn as_text<'a>(name: &'a OsStr, rules: &Rules) -> Option<Cow<'a, str>> {
    match rules.names {
        Names::Bytes => Some(Cow::Owned(names::bytes::to_text(name))),
        Names::Portable | Names::Unix => name.to_str().map(Cow::Borrowed),
    }
}
