//! T104, too-long: `checks/template.rs` and `model/parameters.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A description has more than 1,024 bytes, or a parameter's value more than 4,096.
pub static RULE: Rule = Rule {
    code: "T104",
    name: "too-long",
    severity: Severity::Error,
    summary: "A description has more than 1,024 bytes, or a parameter's value more than 4,096.",
    fix: "shorten it",
    source: source::CFN_QUOTAS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Description: ⟨1025 × x⟩",
        passing: "Description: ⟨1024 × x⟩",
    },
};
