//! Y107: a number that YAML 1.1 and YAML 1.2 read differently.

use crate::rule::{Example, Rule, Severity, source};

/// A number that YAML 1.1 and YAML 1.2 read differently; `yaml11` finds it.
pub static RULE: Rule = Rule {
    code: "Y107",
    name: "number-form",
    severity: Severity::Warning,
    summary: "An unquoted value is a number to one version of YAML and a text to the other: 1_000 and 0b11 are numbers in YAML 1.1, as CloudFormation reads it; 0189, 1e3 and 0o17 are numbers in YAML 1.2 (a note).",
    fix: "quote it",
    source: source::YAML_11,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {Build: 1_000}",
        passing: "Metadata: {Build: '1_000'}",
    },
};
