//! Names, patterns and assignments from the command line.

use super::{Found, Variable, whole};
use crate::{pattern, table};
use action::export::name::is_identifier;
use action::settings::layers::Environment;
use contract::finding::did_you_mean;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Takes what the arguments name.
///
/// # Errors
/// A name that is not set, a pattern that nothing matches, a value that is not UTF-8.
pub fn named(arguments: &[String], environment: &Environment) -> Found {
    whole(arguments.iter().flat_map(|text| taken(text, environment)))
}

/// What one argument stands for.
fn taken(text: &str, environment: &Environment) -> Vec<Result<Variable, String>> {
    if let Some((name, value)) = text.split_once('=') {
        return vec![Ok(Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            place: "the argument".to_owned(),
            passed_on: false,
        })];
    }
    let matches = |name: &str| {
        if pattern::is_pattern(text) {
            pattern::matches(text, name)
        } else {
            name == text
        }
    };
    let found = environment.iter().filter(|(name, _)| matches(name));
    let found: Vec<_> = found
        .map(|(name, found)| {
            let value = utf8(&found.value).map_err(|fault| format!("{name}: {fault}"))?;
            Ok(Variable {
                name: name.clone(),
                value,
                place: "the environment".to_owned(),
                passed_on: true,
            })
        })
        .collect();
    if found.is_empty() {
        return vec![Err(missing(text, environment))];
    }
    found
}

fn missing(text: &str, environment: &Environment) -> String {
    if !is_identifier(text) && !pattern::is_pattern(text) {
        return format!(
            "{} is no name; write NAME, a pattern such as APP_*, or NAME=value",
            table::name(text)
        );
    }
    if pattern::is_pattern(text) {
        return format!(
            "{}: matches no variable of the environment",
            table::name(text)
        );
    }
    let names = environment.keys().map(String::as_str);
    let hint = did_you_mean(text, names).map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{text}: not set in the environment, or empty{hint}")
}

/// A value as text.
///
/// # Errors
/// The first byte that is not UTF-8; nothing else of the value is told.
pub fn utf8(value: &OsStr) -> Result<String, String> {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|error| not_utf8(bytes, &error))
}

/// The first byte that is not UTF-8, for a message.
#[must_use]
pub fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> String {
    let offset = error.valid_up_to();
    let byte = bytes.get(offset).copied().unwrap_or_default();
    format!("byte {byte:#04x} at offset {offset} is not UTF-8")
}
