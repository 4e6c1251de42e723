//! Docker Compose's `env_file` and `.env`.
//!
//! Source: its own reader, <https://github.com/compose-spec/compose-go/tree/main/dotenv>; the tests
//! run the real Compose. A statement is `NAME=value` or `NAME: value`, quotes may span lines, `$`
//! is expanded outside of single quotes.

use super::expand::{self, Braces, Budget};
use super::reading::{BYTE_ORDER_MARK, Host, Reading, Statement, earlier};

/// Reads `text` as Compose does.
#[must_use]
pub fn read(text: &str, host: Host<'_>) -> Vec<Statement> {
    let mut rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let whole = rest;
    let mut statements: Vec<Statement> = Vec::new();
    let mut counted = (0, 1);
    let mut budget = Budget::of(text);
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return statements;
        }
        if rest.starts_with('#') {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
            continue;
        }
        // Lines are counted on from the last statement, so that a long file is not counted anew.
        let at = whole.len() - rest.len();
        counted = (
            at,
            counted.1 + whole[counted.0..at].bytes().filter(|b| *b == b'\n').count(),
        );
        let (name, reading, left) = statement(rest, &statements, host);
        statements.push(Statement {
            line: counted.1,
            name,
            reading: budget.spend(reading),
        });
        rest = left;
    }
}

fn statement<'a>(
    text: &'a str,
    statements: &[Statement],
    host: Host<'_>,
) -> (String, Reading, &'a str) {
    let next_line = |text: &'a str| text.find('\n').map_or("", |end| &text[end..]);
    let text = match text.strip_prefix("export") {
        Some(after) if after.starts_with(['\t', '\n', '\u{c}', '\r', ' ']) => {
            after.trim_start_matches(is_space)
        }
        _ => text,
    };
    let mut key = "";
    let mut left = text;
    let mut inherited = false;
    for (at, c) in text.char_indices() {
        if is_space(c) || c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']') {
            continue;
        }
        if !matches!(c, '=' | ':' | '\n') {
            let reading = Reading::Refused("a character that no name may have before `=`");
            return (String::new(), reading, next_line(text));
        }
        key = text[..at].trim_end();
        left = &text[at + 1..];
        inherited = c == '\n';
        break;
    }
    // Without `=` at the very end of the file, Compose takes the name for the value of a variable
    // that has no name.
    let name = key.to_owned();
    if key.contains(' ') {
        return (
            name,
            Reading::Refused("white space in the name"),
            next_line(text),
        );
    }
    if inherited {
        let value = host(key);
        return (name, Reading::Inherited(value), left);
    }
    let left = left.trim_start_matches(is_space);
    let lookup = |name: &str| host(name).or_else(|| earlier(statements, name));
    let expanded = |value: &str| match expand::dollars(value, Braces::Compose, &lookup) {
        Ok(value) => Reading::Value(value),
        Err(reason) => Reading::Refused(reason),
    };
    match left.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        None => {
            let (line, left) = left.split_once('\n').unwrap_or((left, ""));
            let value = line.split_once(" #").map_or(line, |(value, _)| value);
            (name, expanded(value.trim_end()), left)
        }
        Some(quote) => match quoted(&left[1..], quote) {
            None => {
                let reading = Reading::Refused("a quotation mark that is never closed");
                (name, reading, next_line(left))
            }
            Some((value, left)) if quote == '\'' => (name, Reading::Value(value), left),
            Some((value, left)) => (name, expanded(&escapes(&value)), left),
        },
    }
}

/// The text up to the closing `quote`, an escaped one without its backslash, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            if c != quote {
                value.push('\\');
            }
            value.push(c);
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some((value, &text[at + 1..]));
        } else {
            value.push(c);
        }
    }
    None
}

/// The escapes of double quotes, `\$` as `$$` for the expansion that follows. An unknown one stays
/// as it is.
fn escapes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let Some(c) = after.chars().next() else {
            out.push('\\');
            return out;
        };
        rest = &after[c.len_utf8()..];
        match c {
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '"' => out.push('"'),
            '\\' => out.push('\\'),
            '$' => out.push_str("$$"),
            '0' => {
                // `\0` and up to three digits; only three octal ones make a character, and
                // without them Compose still drops the 0.
                let digits: String = rest
                    .chars()
                    .take(3)
                    .take_while(char::is_ascii_digit)
                    .collect();
                let code = u32::from_str_radix(&digits, 8).ok();
                let character = code.filter(|c| digits.len() == 3 && *c < 256);
                match character.and_then(char::from_u32) {
                    Some(character) => out.push(character),
                    None => out.push_str(&format!("\\{digits}")),
                }
                rest = &rest[digits.len()..];
            }
            // Not in the list of escapes that Compose looks for, or one that Go does not know.
            _ => {
                out.push('\\');
                out.push(c);
            }
        }
    }
    out.push_str(rest);
    out
}

/// White space that does not end a line.
fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}'
    )
}
