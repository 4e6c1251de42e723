//! Paths below a folder, reached without following any link: whoever may write there may have put one anywhere.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// How a folder is held open: to reach what lies in it, which needs no right to list it.
const FOLDER: OFlags = OFlags::PATH
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens the folder that paths are relative to. A link at its own path is followed.
pub(crate) fn root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?)
}

/// Reaches paths below a folder. The folder of the path before stays open for the next one.
#[derive(Debug)]
pub(crate) struct Within<'a> {
    root: BorrowedFd<'a>,
    folder: Option<(Vec<u8>, OwnedFd)>,
}

impl<'a> Within<'a> {
    pub(crate) fn new(root: &'a OwnedFd) -> Self {
        Self {
            root: root.as_fd(),
            folder: None,
        }
    }

    /// The folder of a path, and its name there.
    pub(crate) fn at<'p>(&mut self, path: &'p [u8]) -> Result<(BorrowedFd<'_>, &'p OsStr), Errno> {
        let (folder, name) = split(path);
        let name = OsStr::from_bytes(name);
        if folder.is_empty() {
            return Ok((self.root, name));
        }
        let held = match self.folder.take() {
            Some((known, held)) if known == folder => held,
            // Most often the next folder lies in the one before.
            Some((known, held)) if is_below(folder, &known) => {
                descend(held.as_fd(), &folder[known.len() + 1..])?
            }
            _ => descend(self.root, folder)?,
        };
        let held = self.folder.insert((folder.to_vec(), held));
        Ok((held.1.as_fd(), name))
    }

    /// What is there itself.
    pub(crate) fn stat(&mut self, path: &[u8]) -> Result<Stat, Errno> {
        let (folder, name) = self.at(path)?;
        rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
    }

    /// The text of a link.
    pub(crate) fn link(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let (folder, name) = self.at(path)?;
        Ok(rustix::fs::readlinkat(folder, name, Vec::new())?.into_bytes())
    }

    /// Opens a regular file for reading, whatever else may be there by now.
    pub(crate) fn open(&mut self, path: &[u8]) -> Result<(File, Stat), Errno> {
        // A named pipe that nobody writes to would be waited for.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let (folder, name) = self.at(path)?;
        let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok((File::from(file), stat)),
            _ => Err(Errno::INVAL),
        }
    }

    /// Makes a new file with exactly these permissions, to be written and read. Nothing may be there.
    pub(crate) fn create(&mut self, path: &[u8], mode: u32) -> Result<File, Errno> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode);
        let (folder, name) = self.at(path)?;
        let file = rustix::fs::openat(folder, name, flags, mode)?;
        rustix::fs::fchmod(&file, mode)?;
        Ok(File::from(file))
    }

    /// Makes the link. Nothing may be there.
    pub(crate) fn make_link(&mut self, path: &[u8], target: &[u8]) -> Result<(), Errno> {
        let (folder, name) = self.at(path)?;
        rustix::fs::symlinkat(OsStr::from_bytes(target), folder, name)
    }

    /// Removes a file or link; fine when there is none.
    pub(crate) fn remove(&mut self, path: &[u8]) -> Result<(), Errno> {
        let removed = self
            .at(path)
            .and_then(|(folder, name)| rustix::fs::unlinkat(folder, name, AtFlags::empty()));
        match removed {
            Err(Errno::NOENT) => Ok(()),
            other => other,
        }
    }

    /// Removes a folder that is empty.
    pub(crate) fn remove_folder(&mut self, path: &[u8]) -> Result<(), Errno> {
        self.forget();
        let (folder, name) = self.at(path)?;
        rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)
    }

    /// Makes a folder and those above it, where they are missing.
    pub(crate) fn make_folder(&mut self, path: &[u8]) -> Result<(), Errno> {
        let mode = Mode::from_raw_mode(0o755);
        let (folder, name) = match self.at(path) {
            Err(Errno::NOENT) => {
                self.make_folder(split(path).0)?;
                self.at(path)?
            }
            other => other?,
        };
        match rustix::fs::mkdirat(folder, name, mode) {
            // Whatever the mask of this process is.
            Ok(()) => rustix::fs::chmodat(folder, name, mode, AtFlags::empty()),
            Err(Errno::EXIST) => {
                let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                match FileType::from_raw_mode(stat.st_mode) {
                    FileType::Directory => Ok(()),
                    _ => Err(Errno::NOTDIR),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the folder that a path lies in.
    pub(crate) fn make_folder_of(&mut self, path: &[u8]) -> Result<(), Errno> {
        match split(path).0 {
            [] => Ok(()),
            folder => match self.at(path) {
                Err(Errno::NOENT) => self.make_folder(folder),
                other => other.map(drop),
            },
        }
    }

    /// Finds the way to the next path anew.
    pub(crate) fn forget(&mut self) {
        self.folder = None;
    }
}

/// A path's folder, empty for the root, and its name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (&[], path),
    }
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.first() == Some(&b'/'))
}

fn descend(from: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut at: Option<OwnedFd> = None;
    for part in path.split(|byte| *byte == b'/') {
        let from = at.as_ref().map_or(from, AsFd::as_fd);
        at = Some(rustix::fs::openat(
            from,
            OsStr::from_bytes(part),
            FOLDER,
            Mode::empty(),
        )?);
    }
    at.ok_or(Errno::NOENT)
}
