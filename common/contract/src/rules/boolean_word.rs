//! Y101, boolean-word: `model/yaml11.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// An unquoted yes, no, on or off is a boolean to a reader of YAML 1.1, as CloudFormation is, and a text to
/// others.
pub static RULE: Rule = Rule {
    code: "Y101",
    name: "boolean-word",
    severity: Severity::Warning,
    summary: "An unquoted yes, no, on or off is a boolean to a reader of YAML 1.1, as CloudFormation is, and a text to others.",
    fix: "quote it",
    source: source::YAML_11,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {Public: yes}",
        passing: "Metadata: {Public: 'yes'}",
    },
};
