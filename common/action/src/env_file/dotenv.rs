//! python-dotenv, the reader of most Python applications.
//!
//! Source: <https://github.com/theskumar/python-dotenv/blob/main/src/dotenv/parser.py> (1.2); the
//! tests run the real one. `${NAME}` is expanded everywhere, within single quotes too; `$NAME` never.
//! A line that does not parse is passed over with a warning.

use super::expand::{self, Budget};
use super::reading::{BYTE_ORDER_MARK, Host, Reading, Statement};

/// Reads `text` as python-dotenv does.
#[must_use]
pub fn read(text: &str, host: Host<'_>) -> Vec<Statement> {
    // Python opens the file in text mode, where every kind of line end is a newline.
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut statements: Vec<Statement> = Vec::new();
    let mut rest = text.as_str();
    let mut counted = (0, 1);
    let mut budget = Budget::of(&text);
    loop {
        rest = rest.trim_start_matches(is_space);
        if rest.is_empty() {
            return statements;
        }
        let at = text.len() - rest.len();
        counted = (
            at,
            counted.1 + text[counted.0..at].bytes().filter(|b| *b == b'\n').count(),
        );
        let line = counted.1;
        match binding(rest) {
            Ok((Some(name), value, left)) => {
                let reading = value.map_or(Reading::NoValue, |value| {
                    let lookup = |name: &str| lookup(&statements, name, host);
                    match expanded(&value, &lookup) {
                        Ok(value) => budget.spend(Reading::Value(value)),
                        Err(reason) => Reading::Refused(reason),
                    }
                });
                statements.push(Statement {
                    line,
                    name,
                    reading,
                });
                rest = left;
            }
            Ok((None, _, left)) => rest = left,
            Err(left) => {
                statements.push(Statement {
                    line,
                    name: String::new(),
                    reading: Reading::Dropped("the line does not parse"),
                });
                // Only the line on which reading stopped is passed over.
                rest = left.split_once('\n').map_or("", |(_, left)| left);
            }
        }
    }
}

/// What the file says, and under it what the environment says. A name without a value is empty and
/// hides the environment's.
fn lookup(statements: &[Statement], name: &str, host: Host<'_>) -> Option<String> {
    let last = statements.iter().rev().find(|one| one.name == name);
    match last.map(|one| &one.reading) {
        Some(Reading::Value(value)) => Some(value.clone()),
        Some(Reading::NoValue) => Some(String::new()),
        _ => host(name),
    }
}

/// Name (none for a comment), value, and what follows.
type Binding<'a> = (Option<String>, Option<String>, &'a str);

/// Reads one binding; the error is the text at which reading stopped.
fn binding(text: &str) -> Result<Binding<'_>, &str> {
    let mut rest = text;
    if let Some(after) = rest.strip_prefix("export")
        && after.starts_with(is_blank)
    {
        rest = after.trim_start_matches(is_blank);
    }
    let (name, after) = match rest.chars().next() {
        Some('#') => (None, rest),
        Some('\'') => {
            let (name, after) = rest[1..].split_once('\'').ok_or(rest)?;
            (Some(name), after)
        }
        _ => {
            let end = rest.find(|c: char| c == '=' || c == '#' || is_space(c));
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            (Some(name), after)
        }
    };
    if name == Some("") {
        return Err(rest);
    }
    rest = after.trim_start_matches(is_blank);
    let mut value = None;
    if let Some(after) = rest.strip_prefix('=') {
        let start = after.trim_start_matches(is_blank);
        let spaced = start.len() != after.len();
        let (read, left) = match start.chars().next() {
            Some('#') if spaced => (String::new(), start),
            Some(quote @ ('"' | '\'')) => quoted(&start[1..], quote).ok_or(start)?,
            None | Some('\n') => (String::new(), start),
            _ => {
                let end = start.find('\n').unwrap_or(start.len());
                let (line, left) = start.split_at(end);
                (without_comment(line).to_owned(), left)
            }
        };
        value = Some(read);
        rest = left;
    }
    let mut end = rest.trim_start_matches(is_blank);
    if end.starts_with('#') {
        end = &end[end.find('\n').unwrap_or(end.len())..];
    }
    let name = name.map(str::to_owned);
    if end.is_empty() {
        return Ok((name, value, end));
    }
    let left = end.strip_prefix('\n').ok_or(end)?;
    Ok((name, value, left))
}

/// The text up to the closing quote with its escapes decoded, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        if c == quote {
            return Some((value, &text[at + 1..]));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        let (_, escaped) = characters.next()?;
        let decoded = match (quote, escaped) {
            (_, '\\' | '\'') => Some(escaped),
            ('\'', _) => None,
            (_, '"') => Some('"'),
            (_, 'a') => Some('\u{7}'),
            (_, 'b') => Some('\u{8}'),
            (_, 'f') => Some('\u{c}'),
            (_, 'n') => Some('\n'),
            (_, 'r') => Some('\r'),
            (_, 't') => Some('\t'),
            (_, 'v') => Some('\u{b}'),
            _ => None,
        };
        match decoded {
            Some(decoded) => value.push(decoded),
            None => value.extend(['\\', escaped]),
        }
    }
    None
}

/// A comment begins at a `#` after white space.
fn without_comment(line: &str) -> &str {
    let mut before = 'x';
    let mut end = line.len();
    for (at, c) in line.char_indices() {
        if c == '#' && is_space(before) {
            end = at;
            break;
        }
        before = c;
    }
    line[..end].trim_end_matches(is_space)
}

/// `${NAME}` and `${NAME:-default}`; all else stays as it is.
fn expanded(value: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, left)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        match inside.split_once(':') {
            None => expand::push(&mut out, &lookup(inside).unwrap_or_default())?,
            Some((name, default)) if default.starts_with('-') => {
                let value = lookup(name).unwrap_or_else(|| default[1..].to_owned());
                expand::push(&mut out, &value)?;
            }
            Some(_) => {
                // No expansion begins here, but one may begin inside.
                out.push_str("${");
                rest = after;
                continue;
            }
        }
        rest = left;
    }
    out.push_str(rest);
    Ok(out)
}

/// Python's `\s`: Unicode's white space and the four separators of ASCII.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// White space that does not end a line.
fn is_blank(c: char) -> bool {
    is_space(c) && c != '\n'
}
