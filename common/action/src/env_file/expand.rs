//! `$NAME` and `${NAME}` in the value of an env file.

use super::reading::Reading;

/// Whose braces apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Braces {
    /// Compose: `$$` is one `$`; a `$` before anything else stays.
    Compose,
    /// A shell: `$$`, `$1`, `$?` and their like are parameters of the shell itself.
    Shell,
}

/// The longest value that is expanded, in bytes; twice what an environment variable can hold.
const MAX_VALUE_BYTES: usize = 262_144;

/// How many bytes all values of a text may have beyond the text itself. Each line can double the one
/// before it, so that a screenful would fill the memory.
const MAX_GROWTH_BYTES: usize = 4 << 20;

pub(super) const TOO_LARGE: &str = "an expansion that never ends; write the value out";

/// How much the values of a text have grown.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// What a text may grow to.
    pub(super) fn of(text: &str) -> Self {
        Self(text.len() + MAX_GROWTH_BYTES)
    }

    /// The reading, unless its value is beyond what is left.
    pub(super) fn spend(&mut self, reading: Reading) -> Reading {
        let bytes = reading.value().map_or(0, str::len);
        match self.0.checked_sub(bytes) {
            Some(left) => {
                self.0 = left;
                reading
            }
            None => Reading::Refused(TOO_LARGE),
        }
    }
}

/// How deep a default may hold another expansion.
const MAX_DEPTH: usize = 8;

/// Replaces `$NAME`, `${NAME}` and the forms `:-`, `-`, `:+`, `+`; an unset variable is empty.
pub(super) fn dollars(
    text: &str,
    braces: Braces,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, &'static str> {
    nested(text, braces, lookup, 0)
}

fn nested(
    text: &str,
    braces: Braces,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<String, &'static str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (value, left) = one(after, braces, lookup, depth)?;
        push(&mut out, &value)?;
        rest = left;
    }
    out.push_str(rest);
    Ok(out)
}

/// Adds a value, up to the longest that is expanded.
pub(super) fn push(out: &mut String, value: &str) -> Result<(), &'static str> {
    out.push_str(value);
    if out.len() > MAX_VALUE_BYTES && !value.is_empty() {
        return Err(TOO_LARGE);
    }
    Ok(())
}

/// What the text after a `$` stands for, and what follows it.
pub(super) fn one<'a>(
    after: &'a str,
    braces: Braces,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<(String, &'a str), &'static str> {
    if let Some(inside) = after.strip_prefix('{') {
        return braced(inside, braces, lookup, depth);
    }
    let (name, left) = name(after);
    if !name.is_empty() {
        return Ok((lookup(name).unwrap_or_default(), left));
    }
    match (braces, after.chars().next()) {
        (Braces::Compose, Some('$')) => Ok(("$".to_owned(), &after[1..])),
        (Braces::Shell, Some(c)) if c.is_ascii_digit() || "$?!#@*-".contains(c) => {
            Err("a parameter of the shell itself, such as `$1`")
        }
        _ => Ok(("$".to_owned(), after)),
    }
}

fn braced<'a>(
    inside: &'a str,
    braces: Braces,
    lookup: &dyn Fn(&str) -> Option<String>,
    depth: usize,
) -> Result<(String, &'a str), &'static str> {
    const COMPLEX: &str = "an expansion of a form that is not supported here; write its value out";
    let (name, after) = name(inside);
    if name.is_empty() {
        return Err("`${` without a name and `}`");
    }
    if let Some(left) = after.strip_prefix('}') {
        return Ok((lookup(name).unwrap_or_default(), left));
    }
    let operator: String = after.chars().take(2).collect();
    let (or_empty, operator) = match operator.strip_prefix(':') {
        Some(operator) => (true, operator.chars().next()),
        None => (false, operator.chars().next()),
    };
    let words = after.get(1 + usize::from(or_empty)..).unwrap_or_default();
    let (word, left) = match (operator, closing(words)) {
        (Some('-' | '+'), Some(end)) => (&words[..end], &words[end + 1..]),
        (Some('?'), _) => return Err(COMPLEX),
        (_, None) => return Err("`${` without a name and `}`"),
        _ => return Err(COMPLEX),
    };
    if depth >= MAX_DEPTH || (braces == Braces::Shell && word.contains(['"', '\'', '\\', '`', '$']))
    {
        return Err(COMPLEX);
    }
    let value = lookup(name).filter(|value| !or_empty || !value.is_empty());
    let value = match (operator, value) {
        (Some('-'), Some(value)) => value,
        (Some('-'), None) | (Some('+'), Some(_)) => nested(word, braces, lookup, depth + 1)?,
        _ => String::new(),
    };
    Ok((value, left))
}

/// Where the `}` stands that closes an expansion, over those that are opened inside.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// The variable's name at the start of a text, and what follows.
fn name(text: &str) -> (&str, &str) {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if !text.starts_with(is_first) {
        return ("", text);
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    text.split_at(end)
}
