//! T002, no-resources: `model/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The template declares no resource.
pub static RULE: Rule = Rule {
    code: "T002",
    name: "no-resources",
    severity: Severity::Error,
    summary: "The template declares no resource.",
    fix: "a template declares at least one resource under `Resources:`",
    source: source::ANATOMY,
    example: Example::Change {
        file: "app.yml",
        at: "Resources:",
        failing: "Mappings:",
        passing: "Resources:",
    },
};
