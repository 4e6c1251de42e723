//! I001: an ignore without a reason.

use crate::rule::{Example, Rule, Severity, source};

/// An ignore without a reason.
pub static RULE: Rule = Rule {
    code: "I001",
    name: "ignore-without-reason",
    severity: Severity::Error,
    summary: "An ignore has no reason: it ignores nothing.",
    fix: "write why after the code, as in `# pipeline-actions: ignore[P203] made by hand`",
    source: source::OWN_PAGE,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {Public: yes} # pipeline-actions: ignore[Y101]",
        passing: "Metadata: {Public: yes} # pipeline-actions: ignore[Y101] read by our own tool as YAML 1.2",
    },
};
