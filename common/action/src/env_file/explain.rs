//! One env file, and how each reader understands each line of it.

use super::reading::{Host, Reading, Statement};
use super::spelling::{self, Reader};
use crate::export::name::is_identifier;

/// A line of a file, or the lines of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The first line, from 1.
    pub line: usize,
    /// The last line.
    pub last: usize,
    /// What stands there, without its line end.
    pub text: String,
    /// What each reader makes of it, in the order of [`Reader::ALL`].
    pub readings: Vec<(Reader, Vec<Statement>)>,
}

/// Explains a text. Blank lines and comments are left out. Each line is read on its own, with the
/// variables that the lines before it gave to the same reader.
#[must_use]
pub fn explain(text: &str, host: Host<'_>) -> Vec<Explained> {
    let mut explained: Vec<Explained> = Vec::new();
    for (line, last, chunk) in chunks(text) {
        let readings: Vec<_> = Reader::ALL
            .into_iter()
            .map(|reader| {
                let known = |name: &str| {
                    let before = explained.iter().rev();
                    let given = before.flat_map(|one| one.of(reader)).find_map(|one| {
                        let value = one.reading.value()?;
                        (one.name == name).then(|| value.to_owned())
                    });
                    given.or_else(|| host(name))
                };
                let mut statements = reader.read(chunk, &known);
                for one in &mut statements {
                    one.line += line - 1;
                }
                (reader, statements)
            })
            .collect();
        if readings
            .iter()
            .any(|(_, statements)| !statements.is_empty())
        {
            explained.push(Explained {
                line,
                last,
                text: chunk.strip_suffix('\n').unwrap_or(chunk).to_owned(),
                readings,
            });
        }
    }
    explained
}

impl Explained {
    /// What one reader makes of it.
    #[must_use]
    pub fn of(&self, reader: Reader) -> &[Statement] {
        self.readings
            .iter()
            .find(|(found, _)| *found == reader)
            .map_or(&[], |(_, statements)| statements)
    }

    /// Whether all readers get the same.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let mut read = self.readings.iter().map(|(_, statements)| {
            statements
                .iter()
                .map(|one| (&one.name, &one.reading))
                .collect::<Vec<_>>()
        });
        let Some(first) = read.next() else {
            return true;
        };
        first.iter().all(|(_, reading)| reading.value().is_some())
            && read.all(|other| other == first)
    }

    /// The variable and the value that was probably meant: what most readers get, docker and the
    /// agent counted once. When they are even it is docker's reading, unless that keeps the quotation marks
    /// around a value that another reader takes off.
    #[must_use]
    pub fn meant(&self) -> Option<(&str, &str)> {
        let mut votes: Vec<(usize, (&str, &str))> = Vec::new();
        for reader in [
            Reader::Docker,
            Reader::Compose,
            Reader::Dotenv,
            Reader::Shell,
        ] {
            let [only] = self.of(reader) else { continue };
            let Reading::Value(value) = &only.reading else {
                continue;
            };
            if !is_identifier(&only.name) {
                continue;
            }
            let vote = (only.name.as_str(), value.as_str());
            match votes.iter_mut().find(|(_, other)| *other == vote) {
                Some((count, _)) => *count += 1,
                None => votes.push((1, vote)),
            }
        }
        let most = votes.iter().map(|(count, _)| *count).max()?;
        let mut even = votes.into_iter().filter(|(count, _)| *count == most);
        let (_, first) = even.next()?;
        let keeps_quotes = first.1.starts_with(['"', '\'']);
        let other = even.next().filter(|_| keeps_quotes);
        Some(other.map_or(first, |(_, vote)| vote))
    }

    /// How to write what was meant.
    #[must_use]
    pub fn spelling(&self) -> Spelling {
        let Some((name, value)) = self.meant() else {
            return Spelling::None;
        };
        let write = |readers: &[Reader]| spelling::of(name, value, readers);
        if let Some(text) = write(&Reader::ALL) {
            return Spelling::Everywhere(text);
        }
        Spelling::Split {
            raw: write(&[Reader::Docker, Reader::CodeBuild]),
            quoted: write(&[Reader::Compose, Reader::Dotenv, Reader::Shell]),
        }
    }
}

/// How to write a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelling {
    /// One way that means the same to all readers.
    Everywhere(String),
    /// There is none for all.
    Split {
        /// For docker and CodeBuild's agent, where there is one.
        raw: Option<String>,
        /// For Compose, python-dotenv and a shell, where there is one.
        quoted: Option<String>,
    },
    /// No reader finds a variable that a build can have.
    None,
}

/// The lines of a text, those of one quoted value together: first line, last line, text with its
/// line end.
fn chunks(text: &str) -> Vec<(usize, usize, &str)> {
    let mut chunks = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while !rest.is_empty() {
        let end = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let end = quoted_end(rest).filter(|over| *over > end).unwrap_or(end);
        let (chunk, after) = rest.split_at(end);
        let lines = chunk
            .strip_suffix('\n')
            .unwrap_or(chunk)
            .matches('\n')
            .count();
        chunks.push((line, line + lines, chunk));
        line += lines + 1;
        rest = after;
    }
    chunks
}

/// Where the line ends on which the value closes that is quoted at the start of this text.
fn quoted_end(text: &str) -> Option<usize> {
    let line = text.split('\n').next().unwrap_or_default();
    let (name, _) = line.split_once('=')?;
    if name.contains('#') || name.trim().is_empty() {
        return None;
    }
    let value = &text[name.len() + 1..];
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => {
                let closed = name.len() + 1 + at;
                return Some(
                    text[closed..]
                        .find('\n')
                        .map_or(text.len(), |end| closed + end + 1),
                );
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::explain;

    /// Readers that disagree are even: one keeps the quotation marks, one takes them off.
    #[test]
    fn quotation_marks_are_not_what_was_meant() {
        for (line, meant) in [
            ("NOTE='it'\\''s here'\n", "it's here"),
            ("A=\"x\"y\n", "xy"),
            ("A=it\\'s\n", "it\\'s"),
            ("A=plain\n", "plain"),
        ] {
            let explained = explain(line, &|_| None);
            assert_eq!(explained[0].meant().unwrap().1, meant, "{line}");
        }
    }
}
