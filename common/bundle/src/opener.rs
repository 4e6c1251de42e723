//! Opening many files of few folders.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::retry_on_intr;

/// Opens a file by its name in its folder, which stays open for the next one: of many small files, finding the way
/// to each is a large part of the time.
#[derive(Debug, Default)]
pub struct Opener {
    /// The folder of the file before, with how its path begins: up to the last slash.
    folder: Option<(Vec<u8>, OwnedFd)>,
}

impl Opener {
    /// Opens a file for reading, as [`File::open`] does.
    ///
    /// # Errors
    /// When its folder or itself cannot be opened.
    pub fn open(&mut self, path: &Path) -> io::Result<File> {
        let bytes = path.as_os_str().as_bytes();
        let Some(slash) = memchr::memrchr(b'/', bytes) else {
            return File::open(path);
        };
        let (folder, name) = bytes.split_at(slash + 1);
        let known = self.folder.take().filter(|(known, _)| known == folder);
        let (_, held) = match known {
            Some(known) => self.folder.insert(known),
            None => {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let held = retry_on_intr(|| open(folder, flags, Mode::empty()))?;
                self.folder.insert((folder.to_vec(), held))
            }
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let name = OsStr::from_bytes(name);
        let file = retry_on_intr(|| openat(&*held, name, flags, Mode::empty()))?;
        Ok(File::from(file))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::io::Read as _;
    use std::path::Path;

    use super::Opener;

    #[test]
    fn files_are_opened_where_they_are() {
        let root = tempfile::tempdir().unwrap();
        let paths = ["a/x", "a/y", "b/x", "ab/x", "a/x", "a/c/x", "x"];
        for path in paths {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, path.as_os_str().as_encoded_bytes()).unwrap();
        }
        let mut opener = Opener::default();
        for path in paths {
            let path = root.path().join(path);
            let mut held = String::new();
            let mut file = opener.open(&path).unwrap();
            file.read_to_string(&mut held).unwrap();
            assert_eq!(Path::new(&held), path);
        }
        for missing in ["a/z", "c/x"] {
            let error = opener.open(&root.path().join(missing)).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        }
        // What lies in the folder is asked anew each time.
        std::fs::remove_file(root.path().join("a/x")).unwrap();
        assert!(opener.open(&root.path().join("a/x")).is_err());
        assert!(opener.open(Path::new("Cargo.toml")).is_ok());
    }
}
