//! I003: an ignore that ignores nothing.

use crate::rule::{Example, Rule, Severity, source};

/// An ignore that ignores nothing.
pub static RULE: Rule = Rule {
    code: "I003",
    name: "ignore-unused",
    severity: Severity::Warning,
    summary: "An ignore ignores nothing: its rule finds nothing there (a note for rules that need more than the files, such as an archive).",
    fix: "remove it",
    source: source::OWN_PAGE,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Description: An application. # pipeline-actions: ignore[Y101] read by our own tool as YAML 1.2",
        passing: "Description: An application.",
    },
};
