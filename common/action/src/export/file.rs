//! The export file: removed first, written whole at the very end.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The files of GitHub's runner, to which each step appends:
/// <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#environment-files>.
const OF_GITHUB: [&str; 5] = [
    "GITHUB_OUTPUT",
    "GITHUB_ENV",
    "GITHUB_PATH",
    "GITHUB_STATE",
    "GITHUB_STEP_SUMMARY",
];

/// Why an export file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// A link, folder, fifo or device is in the place of the file.
    #[error("{} is {kind}; an export file must be a regular file of its own", path.display())]
    NotPlain {
        /// The path that was given.
        path: PathBuf,
        /// What is there.
        kind: &'static str,
    },
    /// A file of another user is in the place of the file.
    #[error(
        "{} belongs to another user (id {owner}); an export file must be a regular file of its own",
        path.display()
    )]
    NotOurs {
        /// The path that was given.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
    /// A file to which others append.
    #[error(
        "{} is the file that {variable} names; overwriting it would lose what the step wrote before: append to it, as in `… >> \"${variable}\"`",
        path.display()
    )]
    OfGithub {
        /// The path that was given.
        path: PathBuf,
        /// The variable that names it.
        variable: &'static str,
    },
    /// The file system said no.
    #[error("cannot {deed} {}: {source}", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

/// An export file whose stale predecessor is gone.
#[derive(Debug)]
pub struct ExportFile {
    path: PathBuf,
}

impl ExportFile {
    /// Removes what an earlier run left at `path` and makes sure that a file can be written there.
    ///
    /// A stale file must not survive even a failed run: the next buildspec item would source an
    /// image id of another build.
    ///
    /// # Errors
    /// [`FileFault`] when the place is not a plain file of ours or its folder cannot be written.
    pub fn prepare(path: &Path) -> Result<Self, FileFault> {
        let file = Self::look(path)?;
        match fs::remove_file(&file.path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(FileFault::Io {
                    deed: "remove the old",
                    path: file.path,
                    source,
                });
            }
            _ => {}
        }
        // Proves now, before anything costs money, that writing will work at the end.
        drop(file.temporary()?);
        Ok(file)
    }

    /// As [`ExportFile::prepare`], and leaves what is there as it is: for a run that writes nothing.
    ///
    /// # Errors
    /// As [`ExportFile::prepare`].
    pub fn keep(path: &Path) -> Result<Self, FileFault> {
        let file = Self::look(path)?;
        drop(file.temporary()?);
        Ok(file)
    }

    /// What is at `path`: nothing, or a plain file of ours.
    fn look(path: &Path) -> Result<Self, FileFault> {
        let path = std::path::absolute(path).map_err(|source| FileFault::Io {
            deed: "resolve",
            path: path.to_owned(),
            source,
        })?;
        let found = match fs::symlink_metadata(&path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path }),
            Err(source) => {
                return Err(FileFault::Io {
                    deed: "look at",
                    path,
                    source,
                });
            }
        };
        if !found.is_file() {
            let kind = if found.is_symlink() {
                "a symbolic link"
            } else if found.is_dir() {
                "a folder"
            } else {
                "not a file (a fifo, socket or device)"
            };
            return Err(FileFault::NotPlain { path, kind });
        }
        let file = Self { path };
        // Whose files are ours is for this file system to say: some have one owner for all.
        let ours = file.temporary().and_then(|new| {
            let found = new.as_file().metadata();
            found.map_err(|source| FileFault::Io {
                deed: "look at",
                path: new.path().to_owned(),
                source,
            })
        });
        match ours {
            Ok(ours) if ours.uid() != found.uid() => Err(FileFault::NotOurs {
                path: file.path,
                owner: found.uid(),
            }),
            // Where nothing can be written, the old file may still be removed.
            _ => Ok(file),
        }
    }

    fn temporary(&self) -> Result<tempfile::NamedTempFile, FileFault> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        tempfile::Builder::new()
            .prefix(".exports-")
            .tempfile_in(folder)
            .map_err(|source| FileFault::Io {
                deed: "write a file in",
                path: folder.to_owned(),
                source,
            })
    }

    /// Writes `text` so that the file is there whole or not at all, and survives a crash.
    ///
    /// # Errors
    /// [`FileFault`]; no partial file is left.
    pub fn write(&self, text: &str) -> Result<(), FileFault> {
        let fault = |source| FileFault::Io {
            deed: "write",
            path: self.path.clone(),
            source,
        };
        let mut temporary = self.temporary()?;
        temporary.write_all(text.as_bytes()).map_err(fault)?;
        temporary.as_file().sync_all().map_err(fault)?;
        temporary
            .persist(&self.path)
            .map_err(|error| fault(error.error))?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(fault)?;
        }
        Ok(())
    }

    /// Where it is, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Refuses a path that is one of the files of GitHub's runner, by the variables that name them.
///
/// # Errors
/// [`FileFault::OfGithub`].
pub fn refuse_of_github(
    path: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<(), FileFault> {
    let place = |path: &Path| {
        let whole = fs::canonicalize(path).or_else(|_| std::path::absolute(path));
        whole.unwrap_or_else(|_| path.to_owned())
    };
    let is_it = |name: &&str| variable(name).is_some_and(|of| place(Path::new(&of)) == place(path));
    match OF_GITHUB.into_iter().find(is_it) {
        Some(variable) => Err(FileFault::OfGithub {
            path: path.to_owned(),
            variable,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{ExportFile, FileFault};
    use std::fs;

    #[test]
    fn a_stale_file_is_gone_before_the_work_starts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".exports");
        fs::write(&path, "export AMI_ID='ami-old'\n").unwrap();
        let file = ExportFile::prepare(&path).unwrap();
        assert!(!path.exists());
        file.write("export AMI_ID='ami-new'\n").unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "export AMI_ID='ami-new'\n"
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_and_folders_are_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "precious").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(matches!(
            ExportFile::prepare(&link),
            Err(FileFault::NotPlain {
                kind: "a symbolic link",
                ..
            })
        ));
        assert!(matches!(
            ExportFile::prepare(folder.path()),
            Err(FileFault::NotPlain {
                kind: "a folder",
                ..
            })
        ));
        assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    }

    #[test]
    fn a_run_that_writes_nothing_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".exports");
        fs::write(&path, "export A='old'\n").unwrap();
        ExportFile::keep(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "export A='old'\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(ExportFile::keep(folder.path()).is_err());
    }

    #[test]
    fn a_missing_folder_is_found_out_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let fault = ExportFile::prepare(&folder.path().join("no/such/file")).unwrap_err();
        assert!(
            fault.to_string().starts_with("cannot write a file in "),
            "{fault}"
        );
    }
}
