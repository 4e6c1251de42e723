//! The real shells that an export may meet, and what they read out of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::children;

/// The shells that exports must survive, by the name of their program.
const NAMES: [&str; 5] = ["dash", "bash", "busybox", "zsh", "ksh"];

/// Shells that people log in with, those of other families than the Bourne shell's last.
const LOGIN: [&str; 9] = [
    "dash",
    "bash",
    "zsh",
    "ksh",
    "mksh",
    "busybox sh",
    "fish",
    "tcsh",
    "rc",
];

/// A shell on this machine.
#[derive(Debug, Clone)]
pub struct Shell {
    /// Its name, such as `busybox sh`.
    pub name: String,
    path: PathBuf,
    arguments: Vec<&'static str>,
}

impl Shell {
    /// Runs `script` with `arguments` as `$1`, … in an empty environment.
    ///
    /// # Panics
    /// When the shell cannot be started.
    pub fn run(&self, script: &str, arguments: &[&Path]) -> std::process::Output {
        Command::new(&self.path)
            .args(&self.arguments)
            .args(["-c", script, "shell"])
            .args(arguments)
            .env_clear()
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.name))
    }
}

/// Those of the five shells that are on this machine; reports each that is not with
/// [`crate::missing()`].
pub fn found() -> Vec<Shell> {
    let look = |name: &str| {
        let path = children::find(name);
        if path.is_none() {
            crate::missing(name);
        }
        let busybox = name == "busybox";
        Some(Shell {
            name: if busybox { "busybox sh" } else { name }.to_owned(),
            path: path?,
            arguments: if busybox { vec!["sh"] } else { Vec::new() },
        })
    };
    NAMES.into_iter().filter_map(look).collect()
}

/// The login shells that a user of a host may have, each as words that `-c COMMAND` comes behind; reports each that
/// is not on this machine with [`crate::missing()`].
pub fn login() -> Vec<String> {
    let look = |words: &&str| {
        let (name, rest) = words.split_once(' ').unwrap_or((words, ""));
        let Some(path) = children::find(name) else {
            crate::missing(name);
            return None;
        };
        Some(format!("{} {rest}", path.display()))
    };
    LOGIN.iter().filter_map(look).collect()
}

/// Lets `shell` source `assignments` and hands over the values of `names` as a child of the shell
/// sees them in its environment, byte for byte. The text is read twice, with `.` and with `eval`;
/// both must agree.
///
/// # Panics
/// When the shell refuses the text, prints anything, loses a name, or the two ways differ.
#[track_caller]
pub fn round_trip(shell: &Shell, assignments: &[u8], names: &[&str]) -> Vec<Vec<u8>> {
    let folder = TempDir::new().expect("cannot make a temporary folder");
    let file = folder.path().join("exports");
    std::fs::write(&file, assignments).expect("cannot write the assignments");
    let sourced = values(shell, ". \"$1\" && exec /usr/bin/env -0", &file, names);
    let evaluated = values(
        shell,
        "eval \"$(/bin/cat \"$1\")\" && exec /usr/bin/env -0",
        &file,
        names,
    );
    assert_eq!(sourced, evaluated, "{}: `.` and `eval` differ", shell.name);
    sourced
}

#[track_caller]
fn values(shell: &Shell, script: &str, file: &Path, names: &[&str]) -> Vec<Vec<u8>> {
    let output = shell.run(script, &[file]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{} refuses the exports ({}): {}",
        shell.name,
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let value = |name: &&str| {
        let start = format!("{name}=");
        output
            .stdout
            .split(|byte| *byte == 0)
            .find_map(|entry| entry.strip_prefix(start.as_bytes()))
            .unwrap_or_else(|| panic!("{} does not export {name}", shell.name))
            .to_vec()
    };
    names.iter().map(value).collect()
}
