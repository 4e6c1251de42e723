//! A copy of `cfn/` and `buildspecs/` that a test may break.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::stack::repository;

/// The copy; it goes when it is dropped.
#[derive(Debug)]
pub struct Copy {
    folder: TempDir,
}

impl Copy {
    /// Copies the two folders as they are.
    ///
    /// # Panics
    /// When that fails.
    #[must_use]
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("stacks").expect("cannot make a temporary folder");
        for name in ["cfn", "buildspecs"] {
            copy(&repository().join(name), &folder.path().join(name));
        }
        Self { folder }
    }

    /// The folder that holds the two.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces `old` by `new` in a file, wherever it stands.
    ///
    /// # Panics
    /// When the file does not hold it: the test would break nothing.
    #[track_caller]
    pub fn replace(&self, file: &str, old: &str, new: &str) {
        let path = self.path().join(file);
        let text = fs::read_to_string(&path).expect("cannot read a file of the copy");
        assert!(text.contains(old), "{file} does not hold {old:?}");
        fs::write(&path, text.replace(old, new)).expect("cannot write a file of the copy");
    }

    /// Removes every template but this one, for a check that looks at each by itself.
    ///
    /// # Panics
    /// When that fails.
    pub fn keep_template(&self, file: &str) {
        for entry in fs::read_dir(self.path().join("cfn")).expect("cannot read the copy") {
            let path = entry.expect("cannot read the copy").path();
            let is_template = path.extension().is_some_and(|kind| kind == "yml");
            if is_template && path != self.path().join(file) {
                fs::remove_file(path).expect("cannot remove a file of the copy");
            }
        }
    }
}

impl Default for Copy {
    fn default() -> Self {
        Self::new()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("cannot make a folder of the copy");
    for entry in fs::read_dir(from).expect("cannot read a folder") {
        let entry = entry.expect("cannot read a folder");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("cannot copy a file");
        }
    }
}
