//! Y001, syntax: `model/yaml.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The text is not UTF-8, or neither YAML nor JSON.
pub static RULE: Rule = Rule {
    code: "Y001",
    name: "syntax",
    severity: Severity::Error,
    summary: "The text is not UTF-8, or neither YAML nor JSON.",
    fix: "correct the text at this place",
    source: source::YAML,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Description: \"An application.",
        passing: "Description: An application.",
    },
};
