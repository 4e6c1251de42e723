//! What does not hold, collected, so that one broken convention does not hide the next.

use std::fmt::Display;

use serde_json::Value;

/// A collection of faults.
#[derive(Debug, Default)]
pub struct Faults {
    place: String,
    found: Vec<String>,
}

impl Faults {
    /// Names what is looked at from here on, such as `app.yml (prod)`.
    pub fn at(&mut self, place: impl Display) {
        self.place = place.to_string();
    }

    /// A fault unless `holds`.
    pub fn unless(&mut self, holds: bool, what: impl Display) {
        if !holds {
            self.found.push(format!("{}: {what}", self.place));
        }
    }

    /// A fault unless `found` is `expected`.
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
}
