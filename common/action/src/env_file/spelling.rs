//! How to write a value so that several readers get the same one.

use super::reading::{Reading, Statement};
use super::{compose, docker, dotenv, shell};

/// A reader of env files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// `docker run --env-file`.
    Docker,
    /// Docker Compose.
    Compose,
    /// python-dotenv.
    Dotenv,
    /// A POSIX shell.
    Shell,
    /// CodeBuild's local agent.
    CodeBuild,
}

impl Reader {
    /// All of them, in the order of the columns of a table.
    pub const ALL: [Self; 5] = [
        Self::Docker,
        Self::Compose,
        Self::Dotenv,
        Self::Shell,
        Self::CodeBuild,
    ];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Compose => "compose",
            Self::Dotenv => "python-dotenv",
            Self::Shell => "POSIX shell",
            Self::CodeBuild => "CodeBuild agent",
        }
    }

    /// What it makes of a text; `host` is its own environment.
    #[must_use]
    pub fn read(self, text: &str, host: super::reading::Host<'_>) -> Vec<Statement> {
        match self {
            Self::Docker => docker::read(text, host),
            Self::Compose => compose::read(text, host),
            Self::Dotenv => dotenv::read(text, host),
            Self::Shell => shell::read(text, host),
            Self::CodeBuild => docker::read_as_codebuild(text),
        }
    }
}

/// The line or lines that give `name` this `value` for each of `readers`; nothing when there are
/// none. `name` must be a shell identifier. Bare is tried first, then single quotes, then double.
#[must_use]
pub fn of(name: &str, value: &str, readers: &[Reader]) -> Option<String> {
    let candidates = [
        format!("{name}={value}"),
        format!("{name}='{value}'"),
        format!("{name}=\"{}\"", escaped(value)),
    ];
    candidates.into_iter().find(|text| {
        readers
            .iter()
            .all(|reader| says(*reader, text, name, value))
    })
}

/// Whether a reader gets exactly this one variable out of a text, whatever its environment holds.
fn says(reader: Reader, text: &str, name: &str, value: &str) -> bool {
    let line = format!("{text}\n");
    let read = |host: super::reading::Host<'_>| match reader.read(&line, host).as_slice() {
        [only] => only.name == name && only.reading == Reading::Value(value.to_owned()),
        _ => false,
    };
    read(&|_| None) && read(&|_| Some("set".to_owned()))
}

/// In double quotes, as Compose and python-dotenv decode it.
fn escaped(value: &str) -> String {
    let mut out = String::new();
    for c in value.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            '\r' => out.push_str("\\r"),
            '$' => out.push_str("\\$"),
            other => out.push(other),
        }
    }
    out
}
