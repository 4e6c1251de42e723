//! SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use serde_json::{Value, json};

use crate::check::Report;
use crate::finding::Finding;
use crate::rule::Rule;
use crate::rules;

use super::tool::Tool;

pub(super) fn render(report: &Report, tool: Tool) -> String {
    // Only the rules that were broken: readers show the list.
    let rules: Vec<&Rule> = rules::ALL
        .iter()
        .copied()
        .filter(|rule| report.findings.iter().any(|one| one.rule == *rule))
        .collect();
    let described: Vec<Value> = rules.iter().map(|rule| describe(rule)).collect();
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| result(report, finding, &rules))
        .collect();
    let notifications: Vec<Value> = report
        .unread
        .iter()
        .map(|text| json!({"level": "note", "message": {"text": format!("not checked: {text}")}}))
        .collect();
    let value = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": tool.name, "semanticVersion": tool.version, "rules": described}},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": notifications}],
            "results": results,
        }],
    });
    format!("{value:#}\n")
}

fn describe(rule: &Rule) -> Value {
    let mut described = json!({
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "help": {"text": format!("{}\n\nSource: {}", rule.fix, rule.source)},
        "defaultConfiguration": {"level": rule.severity.word()},
    });
    // A URI must be one and nothing more.
    if rule.source.starts_with("https://") && !rule.source.contains(' ') {
        described["helpUri"] = rule.source.into();
    }
    described
}

fn result(report: &Report, finding: &Finding, rules: &[&Rule]) -> Value {
    let mut location = json!({"artifactLocation": {"uri": uri(&finding.file)}});
    if let Some(place) = finding.place.filter(|place| place.line > 0) {
        let mut region = json!({"startLine": place.line, "startColumn": place.column.max(1)});
        if let Some((line, column)) = report.end_of(finding) {
            region["endLine"] = line.into();
            region["endColumn"] = column.into();
        }
        location["region"] = region;
    }
    json!({
        "ruleId": finding.rule.code,
        "ruleIndex": rules.iter().position(|rule| *rule == finding.rule),
        "level": finding.severity.word(),
        "message": {"text": format!("{}\n{}", finding.message, finding.fix())},
        "locations": [{"physicalLocation": location}],
    })
}

/// A path as a relative URI reference, percent-encoded (RFC 3986).
fn uri(path: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'*+,;=@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
