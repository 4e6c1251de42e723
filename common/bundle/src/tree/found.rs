//! What was found in the sources, and whether each of it may travel by its name.

use std::collections::{HashMap, HashSet};
use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use crate::manifest::{Entry, Kind};
use crate::names::{self, Names, Spellings};
use crate::secrets;

use super::{Refusal, Rules, TreeError, Why, as_text};

/// A file that may travel as far as its name goes; its content has not been read.
pub(super) struct FoundFile {
    pub(super) name: String,
    pub(super) shown: PathBuf,
    pub(super) source: PathBuf,
}

/// What the sources hold.
#[derive(Default)]
pub(super) struct Found {
    pub(super) files: Vec<FoundFile>,
    /// Links and empty folders, each with its path as the user would write it.
    pub(super) others: Vec<(PathBuf, Entry)>,
    pub(super) refusals: Vec<Refusal>,
}

impl Found {
    pub(super) fn refuse(&mut self, path: &Path, why: Why) {
        self.refusals.push(Refusal {
            path: path.to_owned(),
            why,
        });
    }

    /// Adds what is neither a folder nor a link. `shown` is the path as the user would write it.
    pub(super) fn add(
        &mut self,
        name: &str,
        shown: &Path,
        source: &Path,
        kind: FileType,
        rules: &Rules,
    ) {
        let file_name = name.rsplit('/').next().unwrap_or(name);
        if let Err(fault) = names::check(name, rules.names) {
            self.refuse(shown, Why::Name(fault));
        } else if rules.refuse_env_files && secrets::is_env_file(file_name) {
            self.refuse(shown, Why::EnvFile);
        } else if kind.is_file() {
            self.files.push(FoundFile {
                name: name.to_owned(),
                shown: shown.to_owned(),
                source: source.to_owned(),
            });
        } else {
            let what = if kind.is_fifo() {
                "a named pipe"
            } else if kind.is_socket() {
                "a socket"
            } else {
                "a device"
            };
            self.refuse(shown, Why::Special { what });
        }
    }

    /// Adds a link found below `root`; it must stay there by its text and on the disk.
    pub(super) fn add_link(
        &mut self,
        name: &str,
        shown: &Path,
        source: &Path,
        root: &Path,
        below: &str,
        rules: &Rules,
    ) -> Result<(), TreeError> {
        let read_error = |error| TreeError::Read {
            path: shown.to_owned(),
            source: error,
        };
        let target = fs::read_link(source).map_err(read_error)?;
        let Some(text) = as_text(target.as_os_str(), rules) else {
            self.refuse(shown, Why::LinkNotUtf8);
            return Ok(());
        };
        let text = text.as_ref();
        // A link to a link can lead out although its own text stays in; a dangling one leads nowhere.
        let leads_out = fs::canonicalize(source).is_ok_and(|end| !end.starts_with(root));
        if leads_out || !names::link_stays_inside(below, text) {
            self.refuse(
                shown,
                Why::LinkOut {
                    target: text.to_owned(),
                },
            );
            return Ok(());
        }
        let entry = Entry {
            path: name.to_owned(),
            kind: Kind::Symlink {
                target: text.to_owned(),
            },
            source: source.to_owned(),
            content: None,
            segments: Vec::new(),
        };
        self.others.push((shown.to_owned(), entry));
        Ok(())
    }

    /// Forgets empty folders that another source fills, or that two sources bring.
    pub(super) fn drop_filled_folders(&mut self) {
        let names = self.files.iter().map(|file| file.name.as_str());
        let others = self.others.iter().map(|(_, entry)| entry.path.as_str());
        let mut filled: HashSet<String> = HashSet::new();
        for name in names.chain(others) {
            let mut above = name;
            while let Some((folder, _)) = above.rsplit_once('/') {
                if !filled.insert(folder.to_owned()) {
                    break;
                }
                above = folder;
            }
        }
        // A folder's own name joins those that are taken, so that the second one goes.
        self.others
            .retain(|(_, entry)| entry.kind != Kind::EmptyDir || filled.insert(entry.path.clone()));
    }

    /// Refuses names used twice, files where another entry needs a folder, and case clashes.
    pub(super) fn check_names_against_each_other(&mut self, rules: &Rules) {
        let not_folders = self
            .files
            .iter()
            .map(|file| (file.name.as_str(), &file.shown));
        let others = self
            .others
            .iter()
            .map(|(shown, entry)| (entry.path.as_str(), shown));
        let mut all: Vec<_> = not_folders.chain(others).collect();
        all.sort_unstable();
        let mut refusals = Vec::new();
        let mut refuse = |shown: &PathBuf, why| {
            refusals.push(Refusal {
                path: shown.clone(),
                why,
            });
        };
        let mut spellings = Spellings::default();
        let mut taken: HashMap<&str, &PathBuf> = HashMap::with_capacity(all.len());
        // Entries of one folder follow each other: what holds it is asked once.
        let mut fine = None;
        for (name, shown) in all {
            if let Some(other) = taken.get(name) {
                let why = Why::Twice {
                    name: name.to_owned(),
                    other: (*other).clone(),
                };
                refuse(shown, why);
                continue;
            }
            taken.insert(name, shown);
            let folder = name.rsplit_once('/').map(|(folder, _)| folder);
            if folder != fine {
                let mut is_fine = true;
                let mut above = name;
                while let Some((folder, _)) = above.rsplit_once('/') {
                    if let Some(other) = taken.get(folder) {
                        let why = Why::UnderFile {
                            other: (*other).clone(),
                        };
                        refuse(shown, why);
                        is_fine = false;
                    }
                    above = folder;
                }
                fine = folder.filter(|_| is_fine);
            }
            if rules.names == Names::Portable
                && let Some(other) = spellings.clash(name)
            {
                refuse(shown, Why::CaseClash { other });
            }
        }
        self.refusals.extend(refusals);
    }
}
