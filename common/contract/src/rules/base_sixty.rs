//! Y104, base-sixty: `model/yaml11.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// Unquoted digits with colons are a number in base 60 to a reader of YAML 1.1: 22:30 becomes 1350.
pub static RULE: Rule = Rule {
    code: "Y104",
    name: "base-sixty",
    severity: Severity::Warning,
    summary: "Unquoted digits with colons are a number in base 60 to a reader of YAML 1.1: 22:30 becomes 1350.",
    fix: "quote it",
    source: source::YAML_11,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {At: 22:30}",
        passing: "Metadata: {At: '22:30'}",
    },
};
