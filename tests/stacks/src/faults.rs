//! What does not hold, collected, so that one broken convention does not hide the next.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::panic::Location;

use serde_json::Value;

/// A collection of faults.
#[derive(Debug, Default)]
pub struct Faults {
    place: String,
    found: Vec<String>,
    looked: BTreeSet<String>,
    red: BTreeSet<String>,
}

impl Faults {
    /// Names what is looked at from here on, such as `app.yml (prod)`.
    pub fn at(&mut self, place: impl Display) {
        self.place = place.to_string();
    }

    /// A fault unless `holds`.
    #[track_caller]
    pub fn unless(&mut self, holds: bool, what: impl Display) {
        let check = check(Location::caller());
        if !holds {
            self.found.push(format!("{}: {what}", self.place));
            self.red.insert(check.clone());
        }
        self.looked.insert(check);
    }

    /// A fault unless `found` is `expected`.
    #[track_caller]
    pub fn equal(&mut self, what: impl Display, found: &Value, expected: impl Into<Value>) {
        let expected = expected.into();
        self.unless(
            *found == expected,
            format!("{what} is {found}, not {expected}"),
        );
    }

    /// Everything that does not hold.
    #[must_use]
    pub fn into_vec(self) -> Vec<String> {
        self.found
    }

    /// Every check that looked, by its place in this crate (`app.rs:12`); one in a loop is one.
    #[must_use]
    pub fn looked(&self) -> &BTreeSet<String> {
        &self.looked
    }

    /// Those of them that found a fault.
    #[must_use]
    pub fn red(&self) -> &BTreeSet<String> {
        &self.red
    }
}

/// The place of a check, which is its name.
fn check(at: &Location<'_>) -> String {
    let file = at.file().rsplit('/').next().unwrap_or_default();
    format!("{file}:{}", at.line())
}
