//! Y105, merge-key: `rules/yaml_alias.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// CloudFormation does not take a merge key (`<<`).
pub static RULE: Rule = Rule {
    code: "Y105",
    name: "merge-key",
    severity: Severity::Error,
    summary: "CloudFormation does not take a merge key (`<<`).",
    fix: "write the entries out, or let package-template do it with --expand-aliases",
    source: source::FORMATS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata:\n  a: &a {x: '1'}\n  b: {<<: *a}",
        passing: "Metadata:\n  a: {x: '1'}\n  b: {x: '1'}",
    },
};
