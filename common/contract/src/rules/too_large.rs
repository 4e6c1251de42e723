//! T101, too-large: `checks/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The template is larger than 1,000,000 bytes.
pub static RULE: Rule = Rule {
    code: "T101",
    name: "too-large",
    severity: Severity::Error,
    summary: "The template is larger than 1,000,000 bytes.",
    fix: "divide the template into stacks of their own, or nest them",
    source: source::CFN_QUOTAS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "# ⟨1000000 × x⟩",
        passing: "# ⟨1000 × x⟩",
    },
};
