//! Declared secrets never appear in a log, an error or a plan, whoever wrote them there.
//!
//! A program whose settings have a field `secrets` (names of variables) gets the values of those
//! variables hidden from the moment its settings are read; [`hide`] adds others, such as what it
//! fetched itself. Every byte to stderr passes through [`redacted`]. Standard output does not: it is
//! data for the next command, and must be exact.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

use crate::export::quote;
use crate::settings::secret::Secret;

/// A secret shorter than this, in bytes, would also be found where it is none, and cannot be hidden.
pub const SHORTEST: usize = 6;

/// What stands in the place of a secret.
const PLACEHOLDER: &str = "[secret]";

/// Every form of every secret, the longest first.
static HIDDEN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// The length of the longest text that is hidden, in bytes.
#[must_use]
pub fn longest() -> usize {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
    hidden.first().map_or(0, String::len)
}

/// Hides these values from now on, in this process; one that is shorter than [`SHORTEST`] is not.
pub fn hide(secrets: impl IntoIterator<Item = Secret>) {
    let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
    hidden.extend(
        secrets
            .into_iter()
            .flat_map(|secret| forms(secret.reveal())),
    );
    // A secret that contains another one goes first, or its rest would stay.
    hidden.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    hidden.dedup();
}

/// The text with `[secret]` for each value that is hidden.
#[must_use]
pub fn redacted(text: &str) -> Cow<'_, str> {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner);
    replaced(text, &hidden)
}

/// The text with `[secret]` for each of these values too: for secrets that the process holds only for a while.
#[must_use]
pub fn without<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    let mut hidden: Vec<String> = secrets.into_iter().flat_map(forms).collect();
    hidden.sort_by_key(|form| std::cmp::Reverse(form.len()));
    redacted(&replaced(text, &hidden)).into_owned()
}

/// The same for who may not wait: nothing while another thread adds to what is hidden.
pub(crate) fn redacted_unless_locked(text: &str) -> Option<String> {
    let hidden = HIDDEN.try_read().ok()?;
    Some(replaced(text, &hidden).into_owned())
}

/// Stretches that overlap are one: what is left of a secret once a part of it is replaced is known for one no more.
fn replaced<'a>(text: &'a str, hidden: &[String]) -> Cow<'a, str> {
    let mut found: Vec<(usize, usize)> = hidden
        .iter()
        .flat_map(|secret| text.match_indices(secret.as_str()))
        .map(|(at, secret)| (at, at + secret.len()))
        .collect();
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_unstable();
    let (mut shown, mut end) = (String::new(), 0);
    for (from, to) in found {
        if from >= end {
            shown.push_str(&text[end..from]);
            shown.push_str(PLACEHOLDER);
        }
        end = end.max(to);
    }
    shown.push_str(&text[end..]);
    Cow::Owned(shown)
}

/// The ways in which a value may be written: as it is, inside a quoted shell word or one within another,
/// each of these inside JSON or Rust's own quotes, or inside such quotes within JSON, as Compose writes
/// commands, and each of its lines by itself, because logs are cut into lines.
fn forms(value: &str) -> Vec<String> {
    let in_shell = |text: &str| inner(&quote::posix(text));
    let lines = value.lines().map(str::trim);
    let mut forms: Vec<String> = [value]
        .into_iter()
        .chain(lines)
        .flat_map(|text| [text.to_owned(), in_shell(text), in_shell(&in_shell(text))])
        .flat_map(|text| {
            let (json, debug) = (in_json(&text), inner(&format!("{text:?}")));
            [in_json(&json), in_json(&debug), text, json, debug]
        })
        .collect();
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

fn in_json(text: &str) -> String {
    inner(&serde_json::Value::from(text).to_string())
}

/// A quoted text without its quotes.
fn inner(quoted: &str) -> String {
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::{forms, replaced};

    fn hidden(values: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = values.iter().flat_map(|value| forms(value)).collect();
        all.sort_by_key(|form| std::cmp::Reverse(form.len()));
        all
    }

    #[test]
    fn values_are_replaced_the_longest_first() {
        let hidden = hidden(&["hunter2", "hunter2!more"]);
        assert_eq!(
            replaced("a=hunter2 b=hunter2!more", &hidden),
            "a=[secret] b=[secret]"
        );
    }

    #[test]
    fn of_values_that_overlap_nothing_is_left() {
        let hidden = hidden(&["first-half", "half-and-more", "more"]);
        assert_eq!(
            replaced("a first-half-and-more z, half-and-more", &hidden),
            "a [secret] z, [secret]"
        );
    }

    #[test]
    fn every_way_of_writing_a_value_is_found() {
        let value = "it's \"quoted\"\nand has\ttwo lines";
        let hidden = hidden(&[value]);
        for text in [
            value.to_owned(),
            serde_json::json!({ "a": value }).to_string(),
            format!("{value:?}"),
            r#"'it'\''s "quoted"'"#.to_owned(),
            serde_json::json!(r#"'it'\''s "quoted"'"#).to_string(),
            serde_json::json!({ "Command": format!("{value:?}") }).to_string(),
            serde_json::json!(serde_json::json!({ "a": value }).to_string()).to_string(),
            "log: and has\ttwo lines".to_owned(),
        ] {
            let text = replaced(&text, &hidden).into_owned();
            assert!(!text.contains("quoted") && !text.contains("two"), "{text}");
        }
    }

    #[test]
    fn what_is_too_short_would_be_found_everywhere() {
        assert!(forms("abc").is_empty());
    }
}
