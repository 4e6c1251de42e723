//! I004: what the check's configuration file cannot hold.

use crate::rule::{Example, Rule, Severity, source};

/// What the check's configuration file cannot hold.
pub static RULE: Rule = Rule {
    code: "I004",
    name: "check-configuration",
    severity: Severity::Error,
    summary: "The check's configuration file has an entry that is not understood.",
    fix: "it has `severity`, by code, and `ignore`, a list of `code`, `file` and `reason`",
    source: source::OWN_PAGE,
    example: Example::Change {
        file: ".pipeline-actions.yml",
        at: "severity: {}",
        failing: "severities: {P404: error}",
        passing: "severity: {P404: error}",
    },
};
