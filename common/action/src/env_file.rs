//! Env files: `NAME=value` a line.
//!
//! Readers of such files disagree about quotes, spaces, `$`, comments and `export`
//! (<https://github.com/moby/moby/issues/12997>, <https://github.com/docker/compose/issues/9938>).
//! [`Dialect::Portable`] takes only lines that docker, Compose, python-dotenv and a shell read
//! alike, and says of every other line how its readings differ; the other dialects read as their
//! program does. [`mod@explain`] shows all readings beside each other, [`spelling`] writes a value so
//! that several readers get the same. No message repeats a value: it may be a secret.

pub mod compose;
pub mod docker;
pub mod dotenv;
mod expand;
pub mod explain;
pub mod reading;
pub mod shell;
pub mod spelling;

use crate::export::name::is_identifier;
use crate::words;
use reading::{BYTE_ORDER_MARK, Reading, Statement};
use spelling::Reader;
use std::collections::HashMap;
use std::fmt;

words! {
    /// Which reader's rules apply.
    #[derive(Default)]
    pub enum Dialect: "a dialect" {
        /// docker's, and only lines on whose meaning all readers agree.
        #[default]
        Portable = "portable",
        /// `docker run --env-file`: the value is everything after the first `=`, quotes included.
        Docker = "docker",
        /// Docker Compose's `env_file`.
        Compose = "compose",
        /// python-dotenv's.
        Dotenv = "dotenv",
        /// A POSIX shell's, as far as a file only sets variables. No command is run.
        Sh = "sh",
    }
}

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub name: String,
    /// Its value, never quoted any more.
    pub value: String,
    /// The line it stands on, from 1.
    pub line: usize,
}

/// A line that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1, where the fault has one.
    pub column: Option<usize>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "{}:{column}: {}", self.line, self.message),
            None => write!(f, "{}: {}", self.line, self.message),
        }
    }
}

/// Reads a whole file. `from_host` gives a variable of our own environment, for a line that holds
/// only a name and for `$NAME` in the dialects that expand it.
///
/// # Errors
/// Every line that cannot be taken.
pub fn parse(
    bytes: &[u8],
    dialect: Dialect,
    from_host: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Assignment>, Vec<LineFault>> {
    let (assignments, faults) = read(bytes, dialect, from_host);
    if faults.is_empty() {
        Ok(assignments)
    } else {
        Err(faults)
    }
}

/// As [`parse`], for who looks for further faults: every line that cannot be taken, and the assignments
/// that are beyond doubt. In a dialect that expands, nothing after a faulty line is.
pub fn read(
    bytes: &[u8],
    dialect: Dialect,
    from_host: impl Fn(&str) -> Option<String>,
) -> (Vec<Assignment>, Vec<LineFault>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return (Vec::new(), vec![not_utf8(bytes, &error)]),
    };
    if let Some(at) = text.find('\0') {
        let (line, column) = position(text, at);
        let message = "a NUL byte; an environment variable cannot hold one".to_owned();
        let fault = LineFault {
            line,
            column: Some(column),
            message,
        };
        return (Vec::new(), vec![fault]);
    }
    let (statements, mut faults) = match dialect {
        Dialect::Portable | Dialect::Docker => by_line(text, dialect, &from_host),
        Dialect::Compose => (Reader::Compose.read(text, &from_host), Vec::new()),
        Dialect::Dotenv => (Reader::Dotenv.read(text, &from_host), Vec::new()),
        Dialect::Sh => (Reader::Shell.read(text, &from_host), Vec::new()),
    };
    let mut assignments: Vec<Assignment> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for Statement {
        line,
        name,
        reading,
    } in statements
    {
        let mut fault = |message: String| {
            faults.push(LineFault {
                line,
                column: None,
                message,
            });
        };
        let value = match taken(&name, reading) {
            Ok(value) => value,
            Err(message) => {
                fault(message);
                continue;
            }
        };
        match places.get(&name).and_then(|at| assignments.get(*at)) {
            Some(earlier) if earlier.value != value => fault(format!(
                "{name} already set on line {} to another value",
                earlier.line
            )),
            Some(_) => {}
            None => {
                places.insert(name.clone(), assignments.len());
                assignments.push(Assignment { name, value, line });
            }
        }
    }
    faults.sort_by_key(|fault| fault.line);
    let expands = !matches!(dialect, Dialect::Portable | Dialect::Docker);
    if let Some(first) = faults.first().filter(|_| expands) {
        assignments.retain(|assignment| assignment.line < first.line);
    }
    (assignments, faults)
}

/// The value of a statement that a program can take.
fn taken(name: &str, reading: Reading) -> Result<String, String> {
    let value = match reading {
        Reading::Value(value) | Reading::Inherited(Some(value)) => value,
        Reading::Inherited(None) => {
            return Err(
                "the line has no `=`, and the environment has no such variable; write NAME=value"
                    .to_owned(),
            );
        }
        Reading::NoValue => {
            return Err("a name without a value; write NAME=value".to_owned());
        }
        Reading::Dropped(why) | Reading::Refused(why) => {
            return Err(format!("{why}; write NAME=value"));
        }
        Reading::Runs(what) => {
            return Err(format!(
                "a shell would not only set variables here, but run {what}; write NAME='value'"
            ));
        }
    };
    if is_identifier(name) {
        return Ok(value);
    }
    Err(NOT_A_NAME.to_owned())
}

/// Without the text itself: it may be a line of a key, which is as good as the key.
const NOT_A_NAME: &str =
    "not a variable name before `=` (letters, digits, _, not a digit first, no space)";

/// docker's reading, stricter than docker: what it takes but no one else does is refused.
fn by_line(
    text: &str,
    dialect: Dialect,
    from_host: &impl Fn(&str) -> Option<String>,
) -> (Vec<Statement>, Vec<LineFault>) {
    let mut faults = Vec::new();
    let mut kept = Vec::new();
    for (index, raw) in text.split('\n').enumerate() {
        if let Some((column, message)) = odd_line(raw, index == 0, dialect) {
            faults.push(LineFault {
                line: index + 1,
                column,
                message,
            });
            continue;
        }
        kept.extend(docker::read(raw, from_host).into_iter().map(|mut one| {
            one.line = index + 1;
            one
        }));
    }
    (kept, faults)
}

/// What is wrong with a line in docker's dialect, and at which column.
fn odd_line(raw: &str, first: bool, dialect: Dialect) -> Option<(Option<usize>, String)> {
    let at = |column: usize, message: &str| Some((Some(column), message.to_owned()));
    if first && raw.starts_with(BYTE_ORDER_MARK) {
        return at(
            1,
            "the file starts with a byte order mark; save it as UTF-8 without one",
        );
    }
    let text = raw.strip_suffix('\r').unwrap_or(raw);
    if dialect == Dialect::Portable
        && let Some(at_return) = raw.find('\r')
    {
        return at(
            raw[..at_return].chars().count() + 1,
            "a carriage return, which a shell keeps in the value; save the file with Unix line ends",
        );
    }
    // Other white space than this is no blank line to a shell.
    if text.trim_matches([' ', '\t']).is_empty() || text.starts_with('#') {
        return None;
    }
    if text.starts_with(char::is_whitespace) {
        return at(1, "starts with white space; begin the line with the name");
    }
    if text.starts_with("export ") || text.starts_with("export\t") {
        return at(1, "docker does not know `export`; write only NAME=value");
    }
    let Some((name, value)) = text.split_once('=') else {
        return (dialect == Dialect::Portable || !is_identifier(text)).then(|| {
            let column = Some(text.chars().count() + 1);
            (column, "the line has no `=`; write NAME=value".to_owned())
        });
    };
    if name.is_empty() {
        return at(1, "no variable name before `=`; write NAME=value");
    }
    if !is_identifier(name) {
        return at(1, NOT_A_NAME);
    }
    if dialect != Dialect::Portable {
        return None;
    }
    let difference = disagreement(value)?;
    let column = name.chars().count() + 2;
    Some((
        Some(column),
        format!(
            "{name}: {difference}; name the dialect with --env-dialect docker if docker's reading is meant"
        ),
    ))
}

/// How readers differ over a value, or nothing when they agree. The value itself is not repeated:
/// it may be a secret.
fn disagreement(value: &str) -> Option<&'static str> {
    let has = |set: &[char]| value.contains(set);
    if has(&['"', '\'']) {
        Some("docker keeps quotes as part of the value, others remove them")
    } else if has(&['`']) || value.contains("$(") {
        Some("a shell runs the command in it, docker takes it literally")
    } else if has(&['$']) {
        Some("a shell and compose expand `$`, docker takes it literally")
    } else if has(&['\\']) {
        Some("a shell removes the backslash, docker keeps it")
    } else if value.contains(" #") || value.starts_with('#') {
        Some("docker keeps what follows `#`, others drop it as a comment")
    } else if value.contains(char::is_whitespace) {
        Some("docker takes the whole line, a shell runs the second word as a command")
    } else if has(&[';', '&', '|', '<', '>', '(', ')']) {
        Some("a shell ends the value at `;`, `&`, `|`, `<`, `>` and brackets, docker does not")
    } else if value.starts_with('~') || value.contains(":~") {
        Some("a shell expands `~`, docker does not")
    } else if value.contains(char::is_control) {
        Some("control characters, which readers trim or keep as they like")
    } else {
        None
    }
}

fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> LineFault {
    let good = &bytes[..error.valid_up_to()];
    let text = String::from_utf8_lossy(good);
    let (line, column) = position(&text, text.len());
    let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
    LineFault {
        line,
        column: Some(column),
        message: format!(
            "byte {byte:#04x} at offset {} is not UTF-8",
            error.valid_up_to()
        ),
    }
}

/// Line and column, in characters, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (
        before.matches('\n').count() + 1,
        before[start..].chars().count() + 1,
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
