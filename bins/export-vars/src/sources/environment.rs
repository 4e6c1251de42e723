//! Names, patterns and assignments from the command line.

use super::{Found, Variable};
use crate::pattern;
use action::settings::layers::Environment;
use contract::finding::did_you_mean;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Takes what the arguments name.
///
/// # Errors
/// A name that is not set, a pattern that nothing matches, a value that is not UTF-8.
pub fn named(arguments: &[String], environment: &Environment) -> Found {
    let mut faults = Vec::new();
    let mut variables = Vec::new();
    for text in arguments {
        if let Some((name, value)) = text.split_once('=') {
            variables.push(Variable {
                name: name.to_owned(),
                value: value.to_owned(),
                place: "the argument".to_owned(),
                passed_on: false,
            });
            continue;
        }
        let mut matched = environment.iter().filter(|(name, _)| {
            if pattern::is_pattern(text) {
                pattern::matches(text, name)
            } else {
                *name == text
            }
        });
        let mut any = false;
        for (name, found) in matched.by_ref() {
            any = true;
            match utf8(&found.value) {
                Ok(value) => variables.push(Variable {
                    name: name.clone(),
                    value,
                    place: "the environment".to_owned(),
                    passed_on: true,
                }),
                Err(fault) => faults.push(format!("{name}: {fault}")),
            }
        }
        if !any {
            faults.push(missing(text, environment));
        }
    }
    if faults.is_empty() {
        Ok(variables)
    } else {
        Err(faults)
    }
}

fn missing(text: &str, environment: &Environment) -> String {
    if pattern::is_pattern(text) {
        return format!("{text}: matches no variable of the environment");
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
