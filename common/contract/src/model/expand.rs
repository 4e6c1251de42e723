//! Writing aliases out, and nothing else of a text.
//!
//! CloudFormation takes neither aliases nor merge keys. Each is replaced in its place by what it stands for,
//! on one line; anchors are removed; all other bytes stay. The result is read again and must mean the same.

use std::ops::Range;

use granit_parser::{Scanner, StrInput, TokenType};
use thiserror::Error;

use crate::finding::Finding;
use crate::model::yaml::{self, Content, Document, Merge, Node, Style};

/// Why aliases cannot be written out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpandError {
    /// The text cannot be read.
    #[error("{0}")]
    Unreadable(Box<Finding>),
    /// What was written would not mean the same.
    #[error("written out, the text would not mean the same")]
    Changed,
}

/// The text without aliases, merge keys and anchors; as it is when it has neither aliases nor merge keys.
///
/// # Errors
/// A text that cannot be read, or a place in which a value cannot be written out.
pub fn expanded(text: &str) -> Result<String, ExpandError> {
    let read = |text: &str| {
        yaml::read("", text).map_err(|finding| ExpandError::Unreadable(Box::new(finding)))
    };
    let document = read(text)?;
    if document.aliases.is_empty() && document.merges.is_empty() {
        return Ok(text.to_owned());
    }
    let mut edits = merges(text, &document);
    let mut values = Vec::new();
    aliases(&document, &document.root, &mut values);
    edits.extend(values);
    edits.extend(anchors(text));
    let done = replaced(text, edits);
    // A place in which the grammar takes no value that is written out is found here.
    let again = read(&done).map_err(|_| ExpandError::Changed)?;
    let is_plain = again.aliases.is_empty() && again.merges.is_empty();
    if is_plain && is_same(&document.root, &again.root) {
        Ok(done)
    } else {
        Err(ExpandError::Changed)
    }
}

type Edit = (Range<usize>, String);

/// The text with each range replaced; one within another is left out.
fn replaced(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    let mut done = String::with_capacity(2 * text.len());
    let mut from = 0;
    for (range, value) in edits {
        if range.start >= from {
            done.push_str(&text[from..range.start]);
            done.push_str(&value);
            from = range.end;
        }
    }
    done.push_str(&text[from..]);
    done
}

/// Every alias with the value that it stands for.
fn aliases(document: &Document, node: &Node, edits: &mut Vec<Edit>) {
    let all = &document.aliases;
    if let Ok(at) = all.binary_search_by_key(&node.place.start, |place| place.start)
        && all[at].end == node.place.end
    {
        edits.push((node.place.start..node.place.end, flow(node)));
        return;
    }
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| aliases(document, item, edits)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                aliases(document, key, edits);
                aliases(document, value, edits);
            }
        }
    }
}

/// Every merge key with the entries that it adds.
fn merges(text: &str, document: &Document) -> Vec<Edit> {
    document
        .merges
        .iter()
        .map(|merge| {
            let Merge {
                place,
                added,
                beside_others,
            } = merge;
            let mut range = place.start..place.end;
            let line = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
            let before = &text[line..range.start];
            let is_flow = text[range.end..].trim_start().starts_with([',', '}']);
            let is_block = !is_flow && before.chars().all(|c| matches!(c, ' ' | '-' | '?'));
            let entries: Vec<String> = added.iter().map(entry).collect();
            if !entries.is_empty() {
                let indent = " ".repeat(before.chars().count());
                let between = if is_block {
                    format!("\n{indent}")
                } else {
                    ", ".to_owned()
                };
                return (range, entries.join(&between));
            }
            if !beside_others {
                // A block mapping without entries has no other form.
                let written = if is_block { "{}" } else { "" };
                return (range, written.to_owned());
            }
            if is_block {
                // The first entry of a list's item gives its place to the next one.
                let rest = &text[range.end..];
                let blank = rest.len() - rest.trim_start_matches(char::is_whitespace).len();
                range.end += blank;
                if before.trim().is_empty() && rest[..blank].contains('\n') {
                    range = line..range.end - indent_of(&rest[..blank]);
                }
            } else {
                let rest = &text[range.end..];
                let comma = rest.trim_start().strip_prefix(',');
                if let Some(after) = comma {
                    range.end = text.len() - after.trim_start().len();
                } else {
                    let kept = before_comma(&text[..range.start]);
                    range.start = kept;
                }
            }
            (range, String::new())
        })
        .collect()
}

/// How long the blank part of the last line is.
fn indent_of(blank: &str) -> usize {
    blank.len() - blank.rfind('\n').map_or(0, |at| at + 1)
}

/// The length of a text without the comma and the blanks that it ends with.
fn before_comma(text: &str) -> usize {
    let text = text.trim_end();
    text.strip_suffix(',').unwrap_or(text).len()
}

/// Every anchor, to be removed with the blanks around it.
fn anchors(text: &str) -> Vec<Edit> {
    let blank = |c: char| c == ' ' || c == '\t';
    Scanner::with_options(StrInput::new(text), yaml::options())
        .flatten()
        .filter(|token| matches!(token.token_type(), TokenType::Anchor(_)))
        .filter_map(|token| token.span().byte_range())
        .map(|range| {
            let rest = &text[range.end..];
            let after = rest.trim_start_matches(blank);
            if after.is_empty() || after.starts_with(['\n', '\r']) {
                let before = text[..range.start].trim_end_matches(blank);
                (before.len()..range.end, String::new())
            } else {
                (range.start..text.len() - after.len(), String::new())
            }
        })
        .collect()
}

/// A value on one line.
fn flow(node: &Node) -> String {
    let value = match &node.content {
        Content::Scalar(text, Style::Plain) if node.is_null() => {
            if text.is_empty() && node.tag.is_some() {
                String::new()
            } else {
                "null".to_owned()
            }
        }
        Content::Scalar(text, Style::Plain) if may_be_typed(text) => text.clone(),
        Content::Scalar(text, _) => serde_json::Value::from(text.as_str()).to_string(),
        Content::Sequence(items) => {
            let items: Vec<String> = items.iter().map(flow).collect();
            format!("[{}]", items.join(", "))
        }
        Content::Mapping(entries) => {
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    };
    match &node.tag {
        Some(tag) => format!("{tag} {value}"),
        None => value,
    }
}

fn entry((key, value): &(Node, Node)) -> String {
    format!("{}: {}", flow(key), flow(value))
}

/// Whether a plain text may be something else than a text to some reader, so that quotes would change it: it
/// begins like a number or a date, or is a word.
fn may_be_typed(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || "._+-:".contains(c);
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric());
    let begins = text.trim_start_matches(['+', '-', '.']);
    text.chars().all(fine)
        && !text.ends_with(':')
        && (is_word || begins.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether two trees mean the same: the order of keys does not count, nor how a text is quoted.
fn is_same(one: &Node, other: &Node) -> bool {
    let plain = |style: &Style| *style == Style::Plain;
    one.tag == other.tag
        && match (&one.content, &other.content) {
            (Content::Scalar(..), Content::Scalar(..)) if one.is_null() => other.is_null(),
            (Content::Scalar(a, of), Content::Scalar(b, now)) => {
                a == b && (plain(of) == plain(now) || plain(of) && !may_be_typed(a))
            }
            (Content::Sequence(a), Content::Sequence(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
            }
            (Content::Mapping(a), Content::Mapping(b)) => {
                let found = |(key, value): &(Node, Node)| {
                    let name = key.as_str().unwrap_or_default();
                    other.get(name).is_some_and(|there| is_same(value, there))
                };
                a.len() == b.len() && a.iter().all(found)
            }
            _ => false,
        }
}

#[cfg(test)]
mod tests;
