//! Workflow commands, which GitHub Actions turns into annotations beside the code:
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands>.

use super::summary::summary;
use crate::check::Report;
use crate::finding::Finding;
use crate::rule::Severity;

pub(super) fn render(report: &Report) -> String {
    let mut out: String = report
        .findings
        .iter()
        .map(|finding| command(report, finding))
        .collect();
    for unread in &report.unread {
        out.push_str(&format!(
            "::notice::{}\n",
            data(&format!("not checked: {unread}"))
        ));
    }
    // The log shows what is no command as it is.
    out.push_str(&summary(report));
    out.push('\n');
    out
}

fn command(report: &Report, finding: &Finding) -> String {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let file = finding.file.strip_prefix("./").unwrap_or(&finding.file);
    let mut properties = vec![("file", property(file))];
    if let Some(place) = finding.place.filter(|place| place.line > 0) {
        properties.push(("line", place.line.to_string()));
        let end = report.end_of(finding);
        let (end_line, end_column) = end.unwrap_or((place.line, place.column + 1));
        properties.push(("endLine", end_line.to_string()));
        // Columns are of one line only.
        if end_line == place.line {
            properties.push(("col", place.column.max(1).to_string()));
            properties.push(("endColumn", end_column.to_string()));
        }
    }
    let title = format!("{} {}", finding.rule.code, finding.rule.name);
    properties.push(("title", property(&title)));
    let properties: Vec<String> = properties
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let message = format!("{}\n{}", finding.message, finding.fix());
    format!("::{level} {}::{}\n", properties.join(","), data(&message))
}

/// The text of a command (`escapeData` of @actions/core).
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property (`escapeProperty` of @actions/core).
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
