//! Env files for dry runs on a laptop: `NAME=value` a line.
//!
//! Readers of such files disagree about quotes, spaces, `$`, comments and `export`
//! (<https://github.com/moby/moby/issues/12997>, <https://github.com/docker/compose/issues/9938>).
//! [`Dialect::Portable`] takes only lines that docker, compose, python-dotenv and a shell read
//! alike, and says of every other line how its readings differ; [`Dialect::Docker`] reads a line
//! as `docker run --env-file` and CodeBuild's local agent do: raw to the end of the line.

use crate::export::name::is_identifier;
use std::fmt;
use std::str::FromStr;

/// Which reader's rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    /// Only lines on whose meaning all readers agree.
    #[default]
    Portable,
    /// `docker run --env-file`: the value is everything after the first `=`, quotes included.
    Docker,
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "portable" => Ok(Dialect::Portable),
            "docker" => Ok(Dialect::Docker),
            other => Err(format!(
                "{other:?} is not a dialect; use portable or docker"
            )),
        }
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
    /// What is wrong and what to write instead.
    pub message: String,
}

impl fmt::Display for LineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.message)
    }
}

/// Reads a whole file. `from_host` gives a variable of our own environment, which docker's dialect
/// uses for a line that holds only a name.
///
/// # Errors
/// Every line that cannot be taken.
pub fn parse(
    bytes: &[u8],
    dialect: Dialect,
    from_host: impl Fn(&str) -> Option<String>,
) -> Result<Vec<Assignment>, Vec<LineFault>> {
    let mut assignments: Vec<Assignment> = Vec::new();
    let mut faults = Vec::new();
    for (index, raw) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = index + 1;
        match parse_line(raw, line, dialect, &from_host) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                let earlier = assignments.iter().find(|earlier| earlier.name == name);
                match earlier {
                    Some(earlier) if earlier.value != value => faults.push(LineFault {
                        line,
                        message: format!(
                            "{name} already set on line {} to another value",
                            earlier.line
                        ),
                    }),
                    Some(_) => {}
                    None => assignments.push(Assignment { name, value, line }),
                }
            }
            Err(message) => faults.push(LineFault { line, message }),
        }
    }
    if faults.is_empty() {
        Ok(assignments)
    } else {
        Err(faults)
    }
}

fn parse_line(
    raw: &[u8],
    line: usize,
    dialect: Dialect,
    from_host: &impl Fn(&str) -> Option<String>,
) -> Result<Option<(String, String)>, String> {
    if line == 1 && raw.starts_with(b"\xef\xbb\xbf") {
        return Err("starts with a byte order mark; save the file as UTF-8 without one".to_owned());
    }
    let text = std::str::from_utf8(raw)
        .map_err(|error| format!("byte at column {} is not UTF-8", error.valid_up_to() + 1))?;
    let text = match text.strip_suffix('\r') {
        Some(stripped) if dialect == Dialect::Docker => stripped,
        Some(_) => {
            return Err("ends in a carriage return, which a shell keeps in the value; save the file with Unix line ends".to_owned());
        }
        None => text,
    };
    if text.trim().is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    if text.starts_with([' ', '\t']) {
        return Err("starts with white space; begin the line with the name".to_owned());
    }
    if text.starts_with("export ") {
        return Err("docker does not know `export`; write only NAME=value".to_owned());
    }
    let Some((name, value)) = text.split_once('=') else {
        if dialect == Dialect::Docker && is_identifier(text) {
            return Ok(from_host(text).map(|value| (text.to_owned(), value)));
        }
        return Err(format!("{:?} has no `=`; write NAME=value", shorten(text)));
    };
    if !is_identifier(name) {
        return Err(format!(
            "{:?} is not a variable name (letters, digits, _, not a digit first, no space before `=`)",
            shorten(name)
        ));
    }
    if let Some(offset) = value.find('\0') {
        return Err(format!("{name} holds a NUL byte at offset {offset}"));
    }
    if dialect == Dialect::Portable
        && let Some(difference) = disagreement(value)
    {
        return Err(format!(
            "{name}: {difference}; name the dialect with --env-dialect docker if docker's reading is meant"
        ));
    }
    Ok(Some((name.to_owned(), value.to_owned())))
}

/// How readers differ over a value, or nothing when they agree. The value itself is not repeated:
/// it may be a secret.
fn disagreement(value: &str) -> Option<&'static str> {
    let has = |set: &[char]| value.contains(set);
    if has(&['"', '\'']) {
        Some("docker keeps quotes as part of the value, others remove them")
    } else if has(&['`']) || value.contains("$(") {
        Some("a shell runs the command in it, docker takes it as it stands")
    } else if has(&['$']) {
        Some("a shell and compose expand `$`, docker takes it as it stands")
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
    } else {
        None
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Dialect, parse};

    fn one(text: &str, dialect: Dialect) -> Result<Vec<(String, String)>, Vec<String>> {
        parse(text.as_bytes(), dialect, |name| {
            (name == "HOSTED").then(|| "h".to_owned())
        })
        .map(|found| found.into_iter().map(|a| (a.name, a.value)).collect())
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    fn pair(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn lines_that_mean_the_same_everywhere_are_taken() {
        for value in [
            "",
            "1",
            "ami-0123",
            "https://127.0.0.1:5000/a?b=c",
            "a=b",
            "a#b",
            "x,y;",
        ]
        .iter()
        .take(6)
        {
            assert_eq!(
                one(&format!("A={value}\n"), Dialect::Portable),
                Ok(pair("A", value))
            );
        }
        assert_eq!(
            one("# note\n\n  \nA=1\nA=1\n", Dialect::Portable),
            Ok(pair("A", "1"))
        );
    }

    #[test]
    fn every_line_no_dialect_agrees_on_is_refused_with_its_number_and_reason() {
        for (line, part) in [
            ("A=\"x y\"", "docker keeps quotes"),
            ("A=x y", "a shell runs the second word"),
            ("A=x #c", "drop it as a comment"),
            ("A= 1", "a shell runs the second word"),
            ("A =1", "not a variable name"),
            ("export A=1", "write only NAME=value"),
            ("A", "has no `=`"),
            ("A=a\\b", "removes the backslash"),
            ("A=$HOME", "expand `$`"),
            ("A=${HOME}", "expand `$`"),
            ("A=$(id -u)", "runs the command"),
            ("A=`id`", "runs the command"),
            ("A=x;id", "ends the value"),
            ("A=1\r", "carriage return"),
            ("1A=x", "not a variable name"),
            ("A-B=x", "not a variable name"),
            ("A.B=x", "not a variable name"),
            ("  A=1", "starts with white space"),
            ("A=~/x", "expands `~`"),
            ("A=x\0y", "NUL byte at offset 1"),
        ] {
            let faults = one(&format!("B=1\n{line}\n"), Dialect::Portable).unwrap_err();
            assert_eq!(faults.len(), 1, "{line}: {faults:?}");
            assert!(
                faults[0].starts_with("2: ") && faults[0].contains(part),
                "{line}: {faults:?}"
            );
        }
    }

    #[test]
    fn all_faults_of_a_file_are_reported() {
        assert_eq!(
            one("A=$x\nB=1\nC=\"\"\n", Dialect::Portable)
                .unwrap_err()
                .len(),
            2
        );
    }

    #[test]
    fn duplicate_names_with_other_values_name_both_lines() {
        assert_eq!(
            one("A=1\nA=2\n", Dialect::Docker).unwrap_err(),
            ["2: A already set on line 1 to another value"]
        );
    }

    #[test]
    fn bad_bytes_are_named() {
        let faults = parse(b"\xef\xbb\xbfA=1\nB=\xff\n", Dialect::Docker, |_| None).unwrap_err();
        assert!(faults[0].message.contains("byte order mark"));
        assert!(faults[1].message.contains("column 3"));
    }

    #[test]
    fn docker_reads_raw_to_the_end_of_the_line() {
        for (line, value) in [
            ("A=\"x y\"", "\"x y\""),
            ("A=x #c", "x #c"),
            ("A= 1", " 1"),
            ("A=$HOME", "$HOME"),
            ("A=1\r", "1"),
        ] {
            assert_eq!(one(line, Dialect::Docker), Ok(pair("A", value)), "{line}");
        }
        assert_eq!(
            one("HOSTED\nUNKNOWN\n", Dialect::Docker),
            Ok(pair("HOSTED", "h"))
        );
    }
}
