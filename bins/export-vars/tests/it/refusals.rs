//! Bad input is refused in words that a user can act on, before anything is written: a test for each
//! kind of it. What concerns several files of a pipeline at once is refused by `run-pipeline check`
//! and tested there and in `contract`.

mod buildspec;
mod env_files;
mod export_file;
mod job;
mod limits;
mod names;
mod secrets;
mod values;

use crate::program;
use harness::Ran;
use std::path::PathBuf;
use tempfile::TempDir;

/// A folder with one file.
fn file(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Refused with this message, and with nothing on stdout that a shell would take for a variable.
#[track_caller]
fn refused(arguments: &[&str], message: &str) -> Ran {
    let ran = program().args(arguments).run();
    ran.assert_code(2).assert_stderr(message);
    assert_eq!(ran.stdout, "(exit 2)\n");
    ran
}
