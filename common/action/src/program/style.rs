//! How a failure is reported.

use crate::log;

/// How a failure is reported; known as soon as the settings are read.
#[derive(Default)]
pub(super) struct Style {
    pub(super) format: log::Format,
    /// Whether exports go to a file, so that stdout belongs to nobody's `eval`.
    pub(super) exports_to_file: bool,
    /// Whether stdout is data in a form that no shell evaluates.
    pub(super) writes_data: bool,
}

impl Style {
    /// Whether no shell evaluates what is on stdout.
    pub(super) fn nobody_evaluates(&self) -> bool {
        self.exports_to_file || self.writes_data
    }
}
