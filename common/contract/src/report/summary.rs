//! A report in one line.

use crate::check::Report;
use crate::rule::Severity;

/// How many there are of each severity, and how many are ignored, in words.
#[must_use]
pub fn summary(report: &Report) -> String {
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| (report.count(severity), severity.word()))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect::<Vec<_>>();
    let found = if counts.is_empty() {
        "no findings".to_owned()
    } else {
        counts.join(", ")
    };
    match report.ignored.len() {
        0 => found,
        ignored => format!("{found}, {ignored} ignored"),
    }
}
