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
use export_vars::Format;
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

/// Refused with this message, and with nothing on stdout that a shell would take for a variable, or that would
/// stand in a file of data.
#[track_caller]
fn refused(arguments: &[&str], message: &str) -> Ran {
    let ran = program().args(arguments).run();
    ran.assert_code(2).assert_stderr(message);
    let data = [
        "docker",
        "dotenv",
        "github",
        "gitlab",
        "azure",
        "json",
        "template-configuration",
        "get-param",
    ];
    let is_data = arguments
        .windows(2)
        .any(|pair| pair[0] == "--format" && data.contains(&pair[1]));
    assert_eq!(ran.stdout, if is_data { "" } else { "(exit 2)\n" });
    ran
}

/// podman, dotenvx and node read `(exit 2)` in their files without a word.
#[test]
fn a_file_of_data_gets_no_line_for_a_shell() {
    for format in Format::ALL {
        let expected = match format.1 {
            Format::Sh | Format::Job => "(exit 2)\n",
            _ => "",
        };
        let by_flag = program().args(["--format", format.0, "A B=1"]).run();
        let by_variable = program()
            .env("EXPORT_VARS_FORMAT", format.0)
            .arg("A B=1")
            .run();
        // So that nothing but the command line says what was meant.
        let mistyped = program().args(["--formt", "x", "--format", format.0]).run();
        for ran in [by_flag, by_variable, mistyped] {
            ran.assert_code(2);
            assert_eq!(ran.stdout, expected, "{}", format.0);
        }
    }
    for command in ["explain", "diff"] {
        let ran = program().args([command, "/no/such/file"]).run();
        assert_eq!(ran.assert_code(2).stdout, "", "{command}");
    }
    // What is no format may have been meant for a shell.
    let ran = program().args(["--format", "hs", "A=1"]).run();
    assert_eq!(ran.assert_code(2).stdout, "(exit 2)\n");
}
