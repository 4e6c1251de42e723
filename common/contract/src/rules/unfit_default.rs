//! T008, unfit-default: `model/parameters.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A parameter's default does not fit the parameter's own type or constraints: a stack that is given no other
/// value fails.
pub static RULE: Rule = Rule {
    code: "T008",
    name: "unfit-default",
    severity: Severity::Warning,
    summary: "A parameter's default does not fit the parameter's own type or constraints: a stack that is given no other value fails.",
    fix: "give a default that the declaration allows, or none",
    source: source::PARAMETERS,
    example: Example::Change {
        file: "app.yml",
        at: "  Size: {Type: Number, Default: '1'}",
        failing: "  Size: {Type: String, Default: one, AllowedPattern: '[0-9]+'}",
        passing: "  Size: {Type: String, Default: '1', AllowedPattern: '[0-9]+'}",
    },
};
