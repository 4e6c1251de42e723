//! A POSIX shell's `set -a; . file`, as far as the file does nothing but set variables.
//!
//! Source: the Shell Command Language,
//! <https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html>; the tests run the
//! real dash. What would run a command, write a file or depend on the shell is named, never done.

use super::expand::{self, Braces, Budget};
use super::reading::{Host, Reading, Statement, earlier};
use crate::export::name::is_identifier;

const COMMAND: &str = "a command";
const REDIRECTION: &str = "a redirection, which reads or writes a file";
const SUBSTITUTION: &str = "the command in the value";
const UNCLOSED: &str = "a quotation mark that is never closed";
const DIFFERS: &str = "`$'` and `$\"`, which shells read in different ways";

/// Reads `text` as a POSIX shell does.
#[must_use]
pub fn read(text: &str, host: Host<'_>) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut shell = Shell {
        rest: text,
        line: 1,
        host,
        budget: Budget::of(text),
    };
    while shell.command(&mut statements) {}
    statements
}

struct Shell<'a> {
    rest: &'a str,
    line: usize,
    host: Host<'a>,
    budget: Budget,
}

/// One word of a command, or what ends it.
enum Word {
    /// `NAME=value`, without quotes in the name.
    Assignment(String, String),
    /// Any other word, with quotes removed, and whether it had any.
    Plain(String, bool),
    /// A line end or `;`.
    End,
}

/// What cannot be read as words.
type Fault = Reading;

impl Shell<'_> {
    /// Reads one command; false at the end of the text.
    fn command(&mut self, statements: &mut Vec<Statement>) -> bool {
        self.skip_blanks_and_comments(true);
        if self.rest.is_empty() {
            return false;
        }
        let line = self.line;
        let first = statements.len();
        let mut exporting = false;
        let push = |statements: &mut Vec<Statement>, name: String, reading| {
            statements.push(Statement {
                line,
                name,
                reading,
            });
        };
        loop {
            match self.word(statements, exporting) {
                Ok(Word::End) => return true,
                Ok(Word::Assignment(name, value)) => {
                    let reading = self.budget.spend(Reading::Value(value));
                    push(statements, name, reading);
                }
                Ok(Word::Plain(word, false)) if word == "export" && statements.len() == first => {
                    exporting = true;
                }
                Ok(Word::Plain(word, _)) if exporting && is_identifier(&word) => {
                    let value = earlier(statements, &word).or_else(|| (self.host)(&word));
                    let reading = value.map_or(Reading::NoValue, Reading::Value);
                    let reading = self.budget.spend(reading);
                    push(statements, word, reading);
                }
                Ok(Word::Plain(..)) => {
                    // Assignments before a command are for the command alone.
                    let name = statements.get(first).map(|one| one.name.clone());
                    statements.truncate(first);
                    push(statements, name.unwrap_or_default(), Reading::Runs(COMMAND));
                    self.skip_command();
                    return true;
                }
                Err(fault) => {
                    let name = self.name_in_hand(statements, first);
                    statements.truncate(first);
                    let fatal = matches!(fault, Reading::Refused(_));
                    push(statements, name, fault);
                    if fatal {
                        self.rest = "";
                    } else {
                        self.skip_command();
                    }
                    return true;
                }
            }
        }
    }

    /// The variable that a fault is about: the first one of the command.
    fn name_in_hand(&self, statements: &[Statement], first: usize) -> String {
        statements
            .get(first)
            .map(|one| one.name.clone())
            .unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn skip_blanks_and_comments(&mut self, newlines: bool) {
        while let Some(c) = self.peek() {
            if c == '#' {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            } else if self.rest.starts_with("\\\n") {
                self.advance();
                self.advance();
            } else if matches!(c, ' ' | '\t') || (newlines && c == '\n') {
                self.advance();
            } else {
                return;
            }
        }
    }

    /// To the end of the line: what a command does with the rest of it is not ours to say.
    fn skip_command(&mut self) {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn word(&mut self, statements: &[Statement], exporting: bool) -> Result<Word, Fault> {
        self.skip_blanks_and_comments(false);
        match self.peek() {
            None => return Ok(Word::End),
            Some('\n') => {
                self.advance();
                return Ok(Word::End);
            }
            Some(';') => {
                self.advance();
                if self.rest.starts_with(';') {
                    return Err(Reading::Refused("`;;` outside of a case"));
                }
                return Ok(Word::End);
            }
            Some('<' | '>') => return Err(Reading::Runs(REDIRECTION)),
            Some('&' | '|' | '(' | ')') => return Err(Reading::Runs(COMMAND)),
            Some(_) => {}
        }
        let name_end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (name, after) = self.rest.split_at(name_end);
        if is_identifier(name)
            && let Some(after) = after.strip_prefix('=')
        {
            let name = name.to_owned();
            self.rest = after;
            let value = self.value(statements, true, exporting)?;
            return Ok(Word::Assignment(name, value));
        }
        let before = self.rest;
        let text = self.value(statements, false, exporting)?;
        let raw = &before[..before.len() - self.rest.len()];
        let quoted = raw.contains(['\'', '"', '\\', '$', '`']);
        Ok(Word::Plain(text, quoted))
    }

    /// The rest of a word, with quotes removed and variables replaced.
    fn value(
        &mut self,
        statements: &[Statement],
        assignment: bool,
        exporting: bool,
    ) -> Result<String, Fault> {
        let host = self.host;
        let lookup = |name: &str| earlier(statements, name).or_else(|| host(name));
        let mut out = String::new();
        // A `~` is the home folder at the start of an assigned value and after each `:`.
        let mut tilde = assignment;
        while let Some(c) = self.peek() {
            let at_tilde = std::mem::replace(&mut tilde, assignment && c == ':');
            match c {
                ' ' | '\t' | '\n' | ';' => break,
                '<' | '>' => return Err(Reading::Runs(REDIRECTION)),
                '&' | '|' | '(' | ')' => return Err(Reading::Runs(COMMAND)),
                '\\' => {
                    self.advance();
                    match self.advance() {
                        Some('\n') => {}
                        Some(escaped) => out.push(escaped),
                        None => out.push('\\'),
                    }
                }
                '\'' => {
                    self.advance();
                    let end = self.rest.find('\'').ok_or(Reading::Refused(UNCLOSED))?;
                    let (inside, after) = self.rest.split_at(end);
                    out.push_str(inside);
                    self.line += inside.matches('\n').count();
                    self.rest = &after[1..];
                }
                '"' => {
                    self.advance();
                    self.double_quoted(&mut out, &lookup)?;
                }
                '`' => return Err(Reading::Runs(SUBSTITUTION)),
                '$' => {
                    self.advance();
                    let value = self.dollar(&lookup, false)?;
                    // Whether the value is split into words is what shells do not agree on.
                    if (exporting || !assignment) && value.contains(is_split_or_glob) {
                        return Err(Reading::Refused(
                            "an unquoted `$` after `export`, which shells split in different ways",
                        ));
                    }
                    expand::push(&mut out, &value).map_err(Reading::Refused)?;
                }
                '~' if at_tilde => {
                    self.advance();
                    if matches!(
                        self.peek(),
                        None | Some(
                            '/' | ':' | ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | ')'
                        )
                    ) {
                        match lookup("HOME") {
                            Some(home) => out.push_str(&home),
                            None => out.push('~'),
                        }
                    } else {
                        return Err(Reading::Refused("the home folder of another user, `~name`"));
                    }
                }
                other => {
                    self.advance();
                    out.push(other);
                }
            }
        }
        Ok(out)
    }

    fn double_quoted(
        &mut self,
        out: &mut String,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(), Fault> {
        loop {
            match self.advance().ok_or(Reading::Refused(UNCLOSED))? {
                '"' => return Ok(()),
                '`' => return Err(Reading::Runs(SUBSTITUTION)),
                '$' => {
                    let value = self.dollar(lookup, true)?;
                    expand::push(out, &value).map_err(Reading::Refused)?;
                }
                '\\' => match self.advance().ok_or(Reading::Refused(UNCLOSED))? {
                    escaped @ ('$' | '`' | '"' | '\\') => out.push(escaped),
                    '\n' => {}
                    other => out.extend(['\\', other]),
                },
                other => out.push(other),
            }
        }
    }

    /// What stands after a `$`.
    fn dollar(
        &mut self,
        lookup: &dyn Fn(&str) -> Option<String>,
        quoted: bool,
    ) -> Result<String, Fault> {
        match self.peek() {
            Some('(') => return Err(Reading::Runs(SUBSTITUTION)),
            Some('\'' | '"') if !quoted => return Err(Reading::Refused(DIFFERS)),
            _ => {}
        }
        let before = self.rest;
        let (value, left) =
            expand::one(before, Braces::Shell, lookup, 0).map_err(Reading::Refused)?;
        self.line += before[..before.len() - left.len()].matches('\n').count();
        self.rest = left;
        Ok(value)
    }
}

fn is_split_or_glob(c: char) -> bool {
    c.is_whitespace() || matches!(c, '*' | '?' | '[' | '~')
}
