//! JUnit XML as CodeBuild's report groups read it: a test case for each file, which fails by its errors.

use std::collections::BTreeMap;

use crate::check::Report;
use crate::finding::Finding;
use crate::rule::Severity;

use super::tool::Tool;

pub(super) fn render(report: &Report, tool: Tool) -> String {
    let mut files: BTreeMap<&str, Vec<&Finding>> = report
        .texts
        .keys()
        .map(|file| (file.as_str(), Vec::new()))
        .collect();
    for finding in &report.findings {
        files.entry(&finding.file).or_default().push(finding);
    }
    let failures = files
        .values()
        .filter(|findings| findings.iter().any(|one| one.severity == Severity::Error))
        .count();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let counts = format!(
        "tests=\"{}\" failures=\"{failures}\" errors=\"0\"",
        files.len()
    );
    out.push_str(&format!(
        "<testsuites name=\"{0}\" {counts}>\n  <testsuite name=\"{0}\" {counts} skipped=\"0\">\n",
        tool.name
    ));
    for (file, findings) in files {
        let (errors, rest): (Vec<&Finding>, Vec<&Finding>) = findings
            .into_iter()
            .partition(|one| one.severity == Severity::Error);
        out.push_str(&format!(
            "    <testcase classname=\"{}\" name=\"{}\">\n",
            tool.name,
            escaped(file)
        ));
        if let Some(first) = errors.first() {
            // One failure a case is what every reader takes; it tells of all.
            let message = match errors.len() {
                1 => format!("{} {}", first.rule.code, first.message),
                count => format!(
                    "{count} errors, the first: {} {}",
                    first.rule.code, first.message
                ),
            };
            out.push_str(&format!(
                "      <failure type=\"{}\" message=\"{}\">{}</failure>\n",
                first.rule.code,
                escaped(&message),
                escaped(&lines(&errors))
            ));
        }
        if !rest.is_empty() {
            out.push_str(&format!(
                "      <system-out>{}</system-out>\n",
                escaped(&lines(&rest))
            ));
        }
        out.push_str("    </testcase>\n");
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

fn lines(findings: &[&Finding]) -> String {
    findings
        .iter()
        .map(|one| format!("{}: {}\n", one.severity.word(), one.coded()))
        .collect()
}

/// Text for XML 1.0, which has no place for most control characters at all.
fn escaped(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\n' | '\t' => c.to_string(),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => "\u{fffd}".to_owned(),
            c => c.to_string(),
        })
        .collect()
}
