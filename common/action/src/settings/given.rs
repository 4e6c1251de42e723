//! A setting as it was given: not at all, well, or badly.

use serde::{Deserialize, Deserializer};
use std::convert::Infallible;
use std::fmt::Display;
use std::str::FromStr;

/// A setting's value before checking. Reading it never fails, so that one bad setting does not hide
/// the next; [`super::faults::Faults`] takes it apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Given<T> {
    /// Not given, or given empty, which means the same.
    #[default]
    Unset,
    /// Given and readable.
    Value(T),
    /// Given but unreadable: why.
    Fault(String),
}

impl<T: FromStr<Err: Display>> FromStr for Given<T> {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text.is_empty() {
            Given::Unset
        } else {
            match text.parse() {
                Ok(value) => Given::Value(value),
                Err(error) => Given::Fault(error.to_string()),
            }
        })
    }
}

impl<'de, T: FromStr<Err: Display>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.parse() {
            Ok(given) => Ok(given),
            Err(never) => match never {},
        }
    }
}
