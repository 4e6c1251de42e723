//! What was found, in the forms that people and programs read.
//!
//! - `text`: each finding with the line of the source, as compilers show it;
//! - `json`: one object, for scripts;
//! - `sarif`: SARIF 2.1.0, which code hosts show beside the code;
//! - `junit`: JUnit XML, which CodeBuild's report groups show (format JUNITXML).

use std::str::FromStr;

use crate::check::Report;
use crate::finding::{Finding, Severity};

mod junit;
mod sarif;
mod text;

/// Who writes the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For scripts.
    Json,
    /// SARIF 2.1.0.
    Sarif,
    /// JUnit XML.
    Junit,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "sarif" => Ok(Self::Sarif),
            "junit" => Ok(Self::Junit),
            _ => Err(format!(
                "{text:?} is not a format; use text, json, sarif or junit"
            )),
        }
    }
}

/// The report in that form, ending in a line end.
#[must_use]
pub fn render(report: &Report, format: Format, tool: Tool) -> String {
    match format {
        Format::Text => text::render(report),
        Format::Json => json(report),
        Format::Sarif => sarif::render(report, tool),
        Format::Junit => junit::render(report, tool),
    }
}

/// How many there are of each severity, in words.
#[must_use]
pub fn summary(report: &Report) -> String {
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| (report.count(severity), severity.word()))
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}{}", if count == 1 { "" } else { "s" }))
        .collect::<Vec<_>>();
    if counts.is_empty() {
        "no findings".to_owned()
    } else {
        counts.join(", ")
    }
}

fn json(report: &Report) -> String {
    let findings: Vec<_> = report
        .findings
        .iter()
        .map(|one| object(report, one))
        .collect();
    let value = serde_json::json!({
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notes": report.count(Severity::Note),
        "findings": findings,
        "unread": report.unread,
    });
    format!("{value:#}\n")
}

fn object(report: &Report, finding: &Finding) -> serde_json::Value {
    let place = finding.place.unwrap_or_default();
    let end = end(report, finding);
    let known = |number: usize| (number > 0).then_some(number);
    serde_json::json!({
        "code": finding.rule.code,
        "name": finding.rule.name,
        "severity": finding.severity.word(),
        "file": finding.file,
        "line": known(place.line),
        "column": known(place.column),
        "endLine": end.map(|(line, _)| line),
        "endColumn": end.map(|(_, column)| column),
        "message": finding.message,
        "fix": finding.fix(),
        "source": finding.rule.source,
    })
}

/// The line and column after a finding's last character, both from 1. Where only the beginning is known
/// it is the end of that line.
fn end(report: &Report, finding: &Finding) -> Option<(usize, usize)> {
    let place = finding.place?;
    let text = report.texts.get(&finding.file)?;
    if place.end > place.start {
        let end = crate::yaml::place_of_offset(text, place.end.min(text.len()));
        return Some((end.line, end.column));
    }
    let line = text.lines().nth(place.line.checked_sub(1)?)?;
    Some((place.line, line.chars().count().max(place.column) + 1))
}

#[cfg(test)]
mod tests;
