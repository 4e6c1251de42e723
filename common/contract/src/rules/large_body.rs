//! T102, large-body: `checks/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The template is larger than 51,200 bytes, which fit into a request; a pipeline and S3 take it.
pub static RULE: Rule = Rule {
    code: "T102",
    name: "large-body",
    severity: Severity::Note,
    summary: "The template is larger than 51,200 bytes, which fit into a request; a pipeline and S3 take it.",
    fix: "deploy it by way of S3 where no pipeline does",
    source: source::CFN_QUOTAS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "# ⟨51200 × x⟩",
        passing: "# ⟨1000 × x⟩",
    },
};
