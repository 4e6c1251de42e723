//! Y102, leading-zero: `model/yaml11.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// An unquoted number that begins with 0 is octal to a reader of YAML 1.1 and loses its zero: 012 becomes 10.
pub static RULE: Rule = Rule {
    code: "Y102",
    name: "leading-zero",
    severity: Severity::Warning,
    summary: "An unquoted number that begins with 0 is octal to a reader of YAML 1.1 and loses its zero: 012 becomes 10.",
    fix: "quote it",
    source: source::YAML_11,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {Mode: 0644}",
        passing: "Metadata: {Mode: '0644'}",
    },
};
