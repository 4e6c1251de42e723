//! The export file: removed first, written whole at the very end.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why an export file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// A link, folder, fifo or device is in the place of the file.
    #[error("{} is {kind}; an export file must be a plain file of its own", path.display())]
    NotPlain {
        /// The path that was given.
        path: PathBuf,
        /// What is there.
        kind: &'static str,
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
    /// [`FileFault`] when the place is not a plain file or its folder cannot be written.
    pub fn prepare(path: &Path) -> Result<Self, FileFault> {
        let path = std::path::absolute(path).map_err(|source| FileFault::Io {
            deed: "resolve",
            path: path.to_owned(),
            source,
        })?;
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => {
                fs::remove_file(&path).map_err(|source| FileFault::Io {
                    deed: "remove the old",
                    path: path.clone(),
                    source,
                })?;
            }
            Ok(found) => {
                let kind = if found.is_symlink() {
                    "a symbolic link"
                } else if found.is_dir() {
                    "a folder"
                } else {
                    "not a file (a fifo, socket or device)"
                };
                return Err(FileFault::NotPlain { path, kind });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(FileFault::Io {
                    deed: "look at",
                    path,
                    source,
                });
            }
        }
        let file = Self { path };
        // Proves now, before anything costs money, that writing will work at the end.
        drop(file.temporary()?);
        Ok(file)
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
    fn a_missing_folder_is_found_out_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let fault = ExportFile::prepare(&folder.path().join("no/such/file")).unwrap_err();
        assert!(
            fault.to_string().starts_with("cannot write a file in "),
            "{fault}"
        );
    }
}
