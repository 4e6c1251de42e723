//! Replacing values in a text, and nothing else of it.
//!
//! A template is never written out of its tree: comments, order, quoting, anchors and line ends
//! are its author's. What must change is a range of bytes, taken from the tree's spans.

use std::ops::Range;

use thiserror::Error;

use crate::finding::Place;
use crate::model::yaml::{Content, Node, Style};

/// What stands in place of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, quoted as the old value was.
    Text(String),
    /// A mapping of texts, written as JSON, which YAML is a superset of.
    Mapping(Vec<(&'static str, String)>),
    /// Exactly this.
    Raw(String),
}

/// One replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    range: Range<usize>,
    value: Value,
}

/// Why a value cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EditError {
    /// The value is not an untagged text on its own.
    #[error("only a plain or quoted text can be replaced, this is {what}")]
    NotText {
        /// What it is.
        what: &'static str,
    },
    /// Two edits want different things of the same bytes, or overlap.
    #[error("two edits of the bytes {}..{} disagree", range.start, range.end)]
    Conflict {
        /// The bytes of the second one.
        range: Range<usize>,
    },
    /// The range is not part of the text: the node is of another one.
    #[error("the bytes {}..{} are not part of the text", range.start, range.end)]
    Outside {
        /// The bytes.
        range: Range<usize>,
    },
}

impl Edit {
    /// Replaces a range of bytes by a text as it stands.
    #[must_use]
    pub fn at(range: Range<usize>, text: String) -> Self {
        Self {
            range,
            value: Value::Raw(text),
        }
    }

    /// Replaces a node's value.
    ///
    /// # Errors
    /// The node is a list, a mapping, a block of lines, or has a tag.
    pub fn of(node: &Node, value: Value) -> Result<Self, EditError> {
        let what = match &node.content {
            _ if node.tag.is_some() => Some("the argument of a function"),
            Content::Scalar(_, Style::Plain | Style::Quoted) => None,
            Content::Scalar(_, Style::Literal | Style::Folded) => Some("a block of lines"),
            Content::Sequence(_) | Content::Mapping(_) => Some(node.kind()),
        };
        match what {
            Some(what) => Err(EditError::NotText { what }),
            None => Ok(Self {
                range: node.place.start..node.place.end,
                value,
            }),
        }
    }
}

/// The text with every edit made; all bytes outside of the edited ranges are unchanged. Equal edits of
/// one range, as two aliases of one anchor make them, count once.
///
/// # Errors
/// Edits that overlap or are not of this text.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort_by_key(|edit| (edit.range.start, edit.range.end));
    sorted.dedup();
    let mut out = String::with_capacity(text.len() + 128 * sorted.len());
    let mut from = 0;
    for edit in sorted {
        let range = edit.range.clone();
        let Some(old) = text.get(range.clone()) else {
            return Err(EditError::Outside { range });
        };
        let Some(before) = text.get(from..range.start) else {
            return Err(EditError::Conflict { range });
        };
        out.push_str(before);
        out.push_str(&written(&edit.value, old));
        from = range.end;
    }
    out.push_str(&text[from..]);
    Ok(out)
}

/// Where else in the tree an edit of a node would change a value that is not edited: behind an alias of the
/// node's anchor, or inside an alias of a mapping or list around it. `edited` are the places of all edits,
/// one for each time that a value is met.
#[must_use]
pub fn elsewhere(text: &str, root: &Node, node: &Node, edited: &[Place]) -> Option<Place> {
    let range = |place: &Place| place.start..place.end;
    let met = edited.iter().filter(|one| range(one) == range(&node.place));
    let mut all = Vec::new();
    places(root, &mut all);
    let same: Vec<&Place> = all
        .iter()
        .filter(|one| range(one) == range(&node.place))
        .collect();
    if same.len() > met.count() {
        return Some(node.place);
    }
    let alias = format!("*{}", anchor(text, node)?);
    all.into_iter()
        .filter(|one| text.get(range(one)) == Some(alias.as_str()))
        .find(|one| !edited.iter().any(|edit| range(edit) == range(one)))
}

/// The name of a node's anchor.
fn anchor<'t>(text: &'t str, node: &Node) -> Option<&'t str> {
    let before = text.get(..node.place.start)?.trim_end();
    let mut words = before.rsplit(|c: char| c.is_whitespace() || "[{,".contains(c));
    words.next()?.strip_prefix('&')
}

/// The places of all values, those of aliases once more.
fn places(node: &Node, all: &mut Vec<Place>) {
    all.push(node.place);
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| places(item, all)),
        Content::Mapping(entries) => entries.iter().for_each(|(_, value)| places(value, all)),
    }
}

/// The new value in the old one's manner.
fn written(value: &Value, old: &str) -> String {
    match value {
        Value::Mapping(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(name, text)| format!("{}: {}", double_quoted(name), double_quoted(text)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Raw(text) => text.clone(),
        Value::Text(text) if old.starts_with('"') => double_quoted(text),
        Value::Text(text) if text.chars().any(char::is_control) => double_quoted(text),
        Value::Text(text) if !old.starts_with('\'') && is_plain(text) => text.clone(),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A JSON string, which is also a YAML one.
fn double_quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a text needs no quotes anywhere in YAML: it begins like a word, has no character that
/// means something, and is no number or boolean. Much that YAML would take as well is quoted.
fn is_plain(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "/._-+%~".contains(c);
    let scheme = text.find("://");
    let rest = match scheme {
        Some(at) => &text[at + 3..],
        None => return false,
    };
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text[..scheme.unwrap_or(0)].chars().all(letter)
        && !rest.is_empty()
        && rest.chars().all(letter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;
    use crate::model::yaml::parse;

    const URL: &str = "https://b.s3.eu-west-1.amazonaws.com/a/k.zip";

    fn edited(text: &str, path: &[&str], value: &Value) -> String {
        let root = parse("t", text).unwrap();
        let node = path.iter().fold(&root, |node, key| node.get(key).unwrap());
        apply(text, &[Edit::of(node, value.clone()).unwrap()]).unwrap()
    }

    #[test]
    fn quotes_comments_and_line_ends_survive() {
        let url = Value::Text(URL.to_owned());
        for (old, new) in [
            (
                "# a\r\nk: ./x.yml # b\r\nl: 1\r\n",
                "# a\r\nk: URL # b\r\nl: 1\r\n",
            ),
            ("k:   './x.yml'\n", "k:   'URL'\n"),
            ("k: \"./x.yml\"\n", "k: \"URL\"\n"),
            ("{k: ./x.yml, l: 2}", "{k: URL, l: 2}"),
            ("{\n\t\"k\": \"./x.yml\"\n}", "{\n\t\"k\": \"URL\"\n}"),
            ("\u{feff}k: ./x.yml\n", "\u{feff}k: URL\n"),
            ("ü: é\nk: &a ./x.yml\nm: *a\n", "ü: é\nk: &a URL\nm: *a\n"),
        ] {
            assert_eq!(
                edited(old, &["k"], &url),
                new.replace("URL", URL),
                "{old:?}"
            );
        }
    }

    #[test]
    fn an_alias_is_replaced_where_it_stands() {
        let url = Value::Text(URL.to_owned());
        assert_eq!(
            edited("k: &a ./x.yml\nm: *a\n", &["m"], &url),
            format!("k: &a ./x.yml\nm: {URL}\n")
        );
    }

    #[test]
    fn an_anchor_or_an_alias_that_would_change_with_an_edit_is_found() {
        let elsewhere = |text: &str, paths: &[&[&str]]| {
            let root = parse("t", text).unwrap();
            let get = |path: &&[&str]| path.iter().fold(&root, |node, key| node.get(key).unwrap());
            let edited: Vec<_> = paths.iter().map(|path| get(path).place).collect();
            super::elsewhere(text, &root, get(&paths[0]), &edited).map(|place| place.line)
        };
        let scalar = "k: &a ./x\nl: 1\nm: *a\n";
        assert_eq!(elsewhere(scalar, &[&["k"]]), Some(3));
        assert_eq!(elsewhere(scalar, &[&["k"], &["m"]]), None);
        assert_eq!(
            elsewhere(scalar, &[&["m"]]),
            None,
            "an alias stands for itself"
        );
        let around = "k: &a {c: ./x}\nm: *a\n";
        assert_eq!(elsewhere(around, &[&["k", "c"]]), Some(1));
        assert_eq!(elsewhere(around, &[&["k", "c"], &["m", "c"]]), None);
        assert_eq!(elsewhere("k: {c: &a ./x}\n", &[&["k", "c"]]), None);
    }

    #[test]
    fn a_mapping_is_written_as_json() {
        let place = Value::Mapping(vec![("S3Bucket", "b".into()), ("S3Key", "a \"k".into())]);
        assert_eq!(
            edited("Code: src/\nRuntime: x\n", &["Code"], &place),
            "Code: {\"S3Bucket\": \"b\", \"S3Key\": \"a \\\"k\"}\nRuntime: x\n"
        );
    }

    #[test]
    fn what_needs_quotes_gets_them() {
        let quoted = |text: &str| edited("k: x\n", &["k"], &Value::Text(text.to_owned()));
        for (text, written) in [
            ("yes", "k: 'yes'\n"),
            ("0123", "k: '0123'\n"),
            // A commit's id that YAML 1.2 reads as 57380000000000.
            ("5738e10", "k: '5738e10'\n"),
            ("it's: #1", "k: 'it''s: #1'\n"),
            ("a\nb", "k: \"a\\nb\"\n"),
        ] {
            assert_eq!(quoted(text), written);
        }
    }

    #[test]
    fn what_is_not_a_text_is_refused() {
        let root = parse("t", "a: !Sub x\nb: |\n  x\nc: [1]\nd: x\n").unwrap();
        for (key, what) in [("a", "function"), ("b", "block"), ("c", "a list")] {
            let error = Edit::of(root.get(key).unwrap(), Value::Text(String::new())).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
        }
        let of = |text: &str| Edit::of(root.get("d").unwrap(), Value::Text(text.into())).unwrap();
        assert!(matches!(
            apply("short", &[of("y")]),
            Err(EditError::Outside { .. })
        ));
        let text = "a: !Sub x\nb: |\n  x\nc: [1]\nd: x\n";
        assert!(matches!(
            apply(text, &[of("y"), of("z")]),
            Err(EditError::Conflict { .. })
        ));
        assert!(apply(text, &[of("y"), of("y")]).is_ok());
    }

    proptest! {
        #[test]
        fn only_the_value_changes(
            before in "[a-z]{1,5}", old in "[ -~]{0,12}", new in "\\PC{0,20}", json in any::<bool>(), tail in "[ -~]{0,10}",
        ) {
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            let text = if json {
                format!("{{\"a\": \"{before}\", \"k\": {}, \"z\": {}}}", quoted(&old), quoted(&tail))
            } else {
                format!("a: {before} # c\nk: {} # d\nz: {}\n", quoted(&old), quoted(&tail))
            };
            let root = parse("t", &text).unwrap();
            let node = root.get("k").unwrap();
            let done = apply(&text, &[Edit::of(node, Value::Text(new.clone())).unwrap()]).unwrap();
            prop_assert!(done.starts_with(&text[..node.place.start]));
            prop_assert!(done.ends_with(&text[node.place.end..]));
            let again = parse("t", &done).unwrap();
            prop_assert_eq!(again.get("k").unwrap().as_str(), Some(new.as_str()));
            prop_assert_eq!(again.get("a").unwrap().to_json(), root.get("a").unwrap().to_json());
            prop_assert_eq!(again.get("z").unwrap().to_json(), root.get("z").unwrap().to_json());
        }
    }
}
