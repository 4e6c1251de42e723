//! C002, configuration-section: `model/parameters.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A key of a template configuration file is not one of its sections.
pub static RULE: Rule = Rule {
    code: "C002",
    name: "configuration-section",
    severity: Severity::Error,
    summary: "A key of a template configuration file is not one of its sections.",
    fix: "the sections are Parameters, Tags and StackPolicy",
    source: source::CFN_ARTIFACTS,
    example: Example::Change {
        file: "config.json",
        at: "\"Tags\"",
        failing: "\"Tag\"",
        passing: "\"Tags\"",
    },
};
