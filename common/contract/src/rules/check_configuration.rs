//! I004: what the check's configuration file cannot hold.

use crate::finding::Severity;
use crate::rule::{self, Example, Rule};

/// What the check's configuration file cannot hold.
pub static RULE: Rule = Rule {
    code: "I004",
    name: "check-configuration",
    severity: Severity::Error,
    summary: "The check's configuration file holds what is not understood.",
    fix: "it has `severity`, by code, and `ignore`, a list of `code`, `file` and `reason`",
    source: rule::OWN_PAGE,
};

pub(crate) static EXAMPLE: Example = Example {
    code: "I004",
    file: ".pipeline-actions.yml",
    at: "severity: {}",
    failing: "severities: {P404: error}",
    passing: "severity: {P404: error}",
};
