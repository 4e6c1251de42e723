//! T103, too-many: `checks/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// There are more resources, parameters, outputs or mappings than CloudFormation takes.
pub static RULE: Rule = Rule {
    code: "T103",
    name: "too-many",
    severity: Severity::Error,
    summary: "There are more resources, parameters, outputs or mappings than CloudFormation takes.",
    fix: "divide the template into stacks of their own, or nest them",
    source: source::CFN_QUOTAS,
    example: Example::Change {
        file: "app.yml",
        at: "Outputs:",
        failing: "Outputs:\n⟨200 ×   Output№: {Value: x}\n⟩",
        passing: "Outputs:\n⟨199 ×   Output№: {Value: x}\n⟩",
    },
};
