//! Y003, duplicate-key: `model/yaml.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A key appears twice in one mapping: CloudFormation takes the last, other readers refuse.
pub static RULE: Rule = Rule {
    code: "Y003",
    name: "duplicate-key",
    severity: Severity::Warning,
    summary: "A key appears twice in one mapping: CloudFormation takes the last, other readers refuse.",
    fix: "remove or rename one of them",
    source: source::YAML,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Description: One.\nDescription: Two.",
        passing: "Description: An application.",
    },
};
