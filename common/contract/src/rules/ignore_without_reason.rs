//! I001: an ignore without a reason.

use crate::finding::Severity;
use crate::rule::{self, Example, Rule};

/// An ignore without a reason.
pub static RULE: Rule = Rule {
    code: "I001",
    name: "ignore-without-reason",
    severity: Severity::Error,
    summary: "An ignore has no reason: it ignores nothing.",
    fix: "write why after the code, as in `# pipeline-actions: ignore[P203] made by hand`",
    source: rule::OWN_PAGE,
};

pub(crate) static EXAMPLE: Example = Example {
    code: "I001",
    file: "app.yml",
    at: "Description: An application.",
    failing: "Metadata: {Public: yes} # pipeline-actions: ignore[Y101]",
    passing: "Metadata: {Public: yes} # pipeline-actions: ignore[Y101] read by our own tool as YAML 1.2",
};
