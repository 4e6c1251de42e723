//! T004, unknown-section: `model/template.rs` finds it.

use crate::rule::{Example, Rule, Severity};

/// A key at the top is not a section of a template: CloudFormation refuses it with "Invalid template property or
/// properties" (seen by others; to be settled with ValidateTemplate).
pub static RULE: Rule = Rule {
    code: "T004",
    name: "unknown-section",
    severity: Severity::Error,
    summary: "A key at the top is not a section of a template: CloudFormation refuses it with \"Invalid template property or properties\" (seen by others; to be settled with ValidateTemplate).",
    fix: "rename or remove it",
    source: "https://github.com/Versent/cfn-check/issues/3",
    example: Example::Change {
        file: "app.yml",
        at: "Outputs:",
        failing: "Output:",
        passing: "Outputs:",
    },
};
