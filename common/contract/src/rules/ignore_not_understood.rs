//! I002: an ignore that is not understood.

use crate::rule::{Example, Rule, Severity, source};

/// An ignore that is not understood.
pub static RULE: Rule = Rule {
    code: "I002",
    name: "ignore-not-understood",
    severity: Severity::Error,
    summary: "An ignore is not understood: no rule has its code, or it has another form; the same for a severity in the check's configuration file.",
    fix: "write `# pipeline-actions: ignore[CODE] reason`",
    source: source::OWN_PAGE,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {Public: yes} # pipeline-actions: ignore[boolean-word] read by our own tool as YAML 1.2",
        passing: "Metadata: {Public: yes} # pipeline-actions: ignore[Y101] read by our own tool as YAML 1.2",
    },
};
