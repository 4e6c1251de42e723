//! What was found in the sources, and whether each of it may travel by its name.

use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::manifest::{Entry, Kind};
use crate::names::{self, Names, Spellings};
use crate::secrets;

use super::error::TreeError;
use super::refusal::{Refusal, Why};
use super::rules::{Rules, as_text};

/// A source as it lies on the disk and as the user wrote it.
#[derive(Debug)]
pub(super) struct Root {
    /// Without links on the way to it.
    pub(super) resolved: PathBuf,
    pub(super) written: PathBuf,
}

impl Root {
    /// A path in the source as the user would write it.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.resolved) {
            Ok(below) if !below.as_os_str().is_empty() => self.written.join(below),
            _ => self.written.clone(),
        }
    }
}

/// Something that may travel as far as its name goes.
pub(super) struct Item {
    pub(super) name: String,
    pub(super) source: PathBuf,
    pub(super) root: Arc<Root>,
    /// What it is; none for a file, whose content has not been read.
    pub(super) kind: Option<Kind>,
}

impl Item {
    /// The path as the user would write it.
    pub(super) fn shown(&self) -> PathBuf {
        self.root.shown(&self.source)
    }

    /// The entry, once what it is is known.
    pub(super) fn into_entry(self, kind: Kind) -> Entry {
        Entry {
            path: self.name,
            kind,
            source: self.source,
            content: None,
            segments: Vec::new(),
        }
    }
}

/// What the sources hold.
#[derive(Default)]
pub(super) struct Found {
    /// Sorted by name once [`Found::check_names_against_each_other`] was called.
    pub(super) items: Vec<Item>,
    pub(super) refusals: Vec<Refusal>,
}

impl Found {
    pub(super) fn refuse(&mut self, path: PathBuf, why: Why) {
        self.refusals.push(Refusal { path, why });
    }

    /// Adds what is neither a folder nor a link.
    pub(super) fn add(
        &mut self,
        name: String,
        source: PathBuf,
        root: &Arc<Root>,
        kind: FileType,
        rules: &Rules,
    ) {
        let file_name = name.rsplit('/').next().unwrap_or(&name);
        if let Err(fault) = names::check(&name, rules.names) {
            self.refuse(root.shown(&source), Why::Name(fault));
        } else if rules.refuse_env_files && secrets::is_env_file(file_name) {
            self.refuse(root.shown(&source), Why::EnvFile);
        } else if kind.is_file() {
            self.items.push(Item {
                name,
                source,
                root: Arc::clone(root),
                kind: None,
            });
        } else {
            let what = if kind.is_fifo() {
                "a named pipe"
            } else if kind.is_socket() {
                "a socket"
            } else {
                "a device"
            };
            self.refuse(root.shown(&source), Why::Special { what });
        }
    }

    /// Adds an empty folder.
    pub(super) fn add_folder(
        &mut self,
        name: String,
        source: PathBuf,
        root: &Arc<Root>,
        rules: &Rules,
    ) {
        match names::check(&name, rules.names) {
            Ok(()) => self.items.push(Item {
                name,
                source,
                root: Arc::clone(root),
                kind: Some(Kind::EmptyDir),
            }),
            Err(fault) => self.refuse(root.shown(&source), Why::Name(fault)),
        }
    }

    /// Adds a link found `below` the root; it must stay there by its text and on the disk.
    pub(super) fn add_link(
        &mut self,
        name: String,
        source: PathBuf,
        root: &Arc<Root>,
        below: &str,
        rules: &Rules,
    ) -> Result<(), TreeError> {
        let shown = || root.shown(&source);
        if let Err(fault) = names::check(&name, rules.names) {
            self.refuse(shown(), Why::Name(fault));
            return Ok(());
        }
        let target = fs::read_link(&source).map_err(|error| TreeError::Read {
            path: shown(),
            source: error,
        })?;
        let Some(text) = as_text(target.as_os_str(), rules) else {
            self.refuse(shown(), Why::LinkNotUtf8);
            return Ok(());
        };
        // A link to a link can lead out although its own text stays in; a dangling one leads nowhere.
        let leads_out = fs::canonicalize(&source).is_ok_and(|end| !end.starts_with(&root.resolved));
        if leads_out || !names::link_stays_inside(below, &text) {
            let target = text.into_owned();
            self.refuse(shown(), Why::LinkOut { target });
            return Ok(());
        }
        let target = text.into_owned();
        self.items.push(Item {
            name,
            source,
            root: Arc::clone(root),
            kind: Some(Kind::Symlink { target }),
        });
        Ok(())
    }

    /// Sorts by name. Walked folders come nearly so: seeing that there is nothing to do is what counts.
    fn sort(&mut self) {
        if !self.items.is_sorted_by(|a, b| a.name <= b.name) {
            self.items.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }

    /// Forgets empty folders that another source fills, or that two sources bring.
    fn drop_filled_folders(&mut self) {
        let is_folder = |item: &Item| item.kind == Some(Kind::EmptyDir);
        let mut filled: Vec<bool> = Vec::new();
        for (at, item) in self.items.iter().enumerate() {
            let is_filled = is_folder(item) && {
                let below = format!("{}/", item.name);
                let first = self.items.partition_point(|other| other.name < below);
                let others = self.items[..at].iter().rev();
                self.items
                    .get(first)
                    .is_some_and(|other| other.name.starts_with(&below))
                    || others
                        .take_while(|other| other.name == item.name)
                        .any(is_folder)
            };
            filled.push(is_filled);
        }
        let mut filled = filled.into_iter();
        self.items.retain(|_| !filled.next().unwrap_or_default());
    }

    /// Refuses names used twice, files where another entry needs a folder, and case clashes; forgets empty
    /// folders that are filled.
    pub(super) fn check_names_against_each_other(&mut self, rules: &Rules) {
        self.sort();
        if self
            .items
            .iter()
            .any(|item| item.kind == Some(Kind::EmptyDir))
        {
            self.drop_filled_folders();
        }
        let items = &self.items;
        let mut refusals = Vec::new();
        let mut refuse = |item: &Item, why| {
            refusals.push(Refusal {
                path: item.shown(),
                why,
            });
        };
        let mut spellings = Spellings::default();
        let mut first: Option<&Item> = None;
        // Entries of one folder follow each other: what holds it is asked once.
        let mut fine = None;
        for item in items {
            if let Some(other) = first.filter(|first| first.name == item.name) {
                let why = Why::Twice {
                    name: item.name.clone(),
                    other: other.shown(),
                };
                refuse(item, why);
                continue;
            }
            first = Some(item);
            let name = item.name.as_str();
            let folder = name.rsplit_once('/').map(|(folder, _)| folder);
            if folder != fine {
                let mut is_fine = true;
                let mut above = name;
                while let Some((folder, _)) = above.rsplit_once('/') {
                    let at = items.partition_point(|other| other.name.as_str() < folder);
                    if let Some(other) = items.get(at).filter(|other| other.name == folder) {
                        let why = Why::UnderFile {
                            other: other.shown(),
                        };
                        refuse(item, why);
                        is_fine = false;
                    }
                    above = folder;
                }
                fine = folder.filter(|_| is_fine);
            }
            if rules.names == Names::Portable
                && let Some(other) = spellings.clash(name)
            {
                refuse(item, Why::CaseClash { other });
            }
        }
        self.refusals.extend(refusals);
    }
}
