//! Names, patterns and assignments from the command line.

use crate::variable::{Found, Variable, whole};
use crate::{pattern, table};
use action::export::name::is_identifier;
use action::settings::layers::Environment;
use contract::finding::did_you_mean;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Takes what the arguments name: first names and patterns, then, as a source of its own that wins
/// over them, assignments.
pub(crate) fn named(arguments: &[String], surroundings: &Surroundings<'_>) -> [Found; 2] {
    let assigned = arguments.iter().enumerate().filter_map(|(index, text)| {
        let (name, value) = text.split_once('=')?;
        Some(Ok(Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            place: format!("argument {}", index + 1),
            passed_on: false,
        }))
    });
    let names = arguments.iter().filter(|text| !text.contains('='));
    [
        whole(names.flat_map(|text| taken(text, surroundings))),
        whole(assigned),
    ]
}

/// The environment that names are looked up in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// Every variable that has a value.
    pub environment: &'a Environment,
    /// The names of those that are set and empty.
    pub empty: &'a [String],
    /// Whether those count.
    pub allow_empty: bool,
}

/// What one name or pattern stands for.
fn taken(text: &str, surroundings: &Surroundings<'_>) -> Vec<Result<Variable, String>> {
    let matches = |name: &str| {
        if pattern::is_pattern(text) {
            pattern::matches(text, name)
        } else {
            name == text
        }
    };
    let passed_on = |name: &str, value: String| Variable {
        name: name.to_owned(),
        value,
        place: "the environment".to_owned(),
        passed_on: true,
    };
    let Surroundings {
        environment,
        empty,
        allow_empty,
    } = *surroundings;
    let given = environment.iter().filter(|(name, _)| matches(name));
    let given = given.map(|(name, found)| {
        let value = utf8(&found.value).map_err(|fault| format!("{name}: {fault}"))?;
        Ok(passed_on(name, value))
    });
    let empty: Vec<&String> = empty.iter().filter(|name| matches(name)).collect();
    let allowed = empty.iter().filter(|_| allow_empty);
    let found: Vec<_> = given
        .chain(allowed.map(|name| Ok(passed_on(name, String::new()))))
        .collect();
    match empty.first() {
        _ if !found.is_empty() => found,
        Some(_) => vec![Err(format!(
            "{text}: empty in the environment; nothing downstream can use it (--allow-empty to pass it)"
        ))],
        None => vec![Err(missing(text, environment))],
    }
}

fn missing(text: &str, environment: &Environment) -> String {
    if !is_identifier(text) && !pattern::is_pattern(text) {
        return format!(
            "{} is not a name; write NAME, a pattern such as APP_*, or NAME=value",
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
    format!("{text}: not set in the environment{hint}")
}

/// A value as text.
pub(crate) fn utf8(value: &OsStr) -> Result<String, String> {
    let bytes = value.as_bytes();
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|error| not_utf8(bytes, &error))
}

/// The first byte that is not UTF-8, for a message.
pub(crate) fn not_utf8(bytes: &[u8], error: &std::str::Utf8Error) -> String {
    let offset = error.valid_up_to();
    let byte = bytes.get(offset).copied().unwrap_or_default();
    format!("byte {byte:#04x} at offset {offset} is not UTF-8")
}
