//! What was found, in the forms that people and programs read.
//!
//! - `text`: each finding with the line of the source, as compilers show it;
//! - `json`: one object, for scripts, as `report.schema.json` beside this crate says;
//! - `sarif`: SARIF 2.1.0, which code hosts show beside the code;
//! - `junit`: JUnit XML, which CodeBuild's report groups show (format JUNITXML);
//! - `github`: workflow commands, which GitHub Actions shows beside the code.

use std::str::FromStr;

use crate::check::Report;
use crate::finding::Finding;
use crate::rule::Severity;

mod github;
mod junit;
mod sarif;
mod summary;
mod text;
mod tool;

pub use summary::summary;
pub use tool::Tool;

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
    /// Workflow commands of GitHub Actions.
    Github,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            "sarif" => Ok(Self::Sarif),
            "junit" => Ok(Self::Junit),
            "github" => Ok(Self::Github),
            _ => Err(format!(
                "{text:?} is not a format; use text, json, sarif, junit or github"
            )),
        }
    }
}

/// The report in that form, ending in a line end.
#[must_use]
pub fn render(report: &Report, format: Format, tool: Tool) -> String {
    match format {
        Format::Text => text::render(report),
        Format::Json => json(report, tool),
        Format::Sarif => sarif::render(report, tool),
        Format::Junit => junit::render(report, tool),
        Format::Github => github::render(report),
    }
}

/// The version of the JSON report: it grows when a field goes away or means something else, not when one is added.
const JSON_VERSION: u32 = 1;

fn json(report: &Report, tool: Tool) -> String {
    let findings = report.findings.iter().map(|one| object(report, one));
    let findings: Vec<_> = findings.collect();
    let ignored = report.ignored.iter().map(|one| {
        let mut object = object(report, &one.finding);
        object["reason"] = one.reason.as_str().into();
        object
    });
    let ignored: Vec<_> = ignored.collect();
    let value = serde_json::json!({
        "schemaVersion": JSON_VERSION,
        "tool": {"name": tool.name, "version": tool.version},
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notes": report.count(Severity::Note),
        "findings": findings,
        "ignored": ignored,
        "unread": report.unread,
    });
    format!("{value:#}\n")
}

fn object(report: &Report, finding: &Finding) -> serde_json::Value {
    let place = finding.place.unwrap_or_default();
    let end = report.end_of(finding);
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
        "fixable": finding.repair.is_some(),
        "source": finding.rule.source,
    })
}

#[cfg(test)]
mod tests;
