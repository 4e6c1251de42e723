//! C001, not-json: `model/parameters.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A template configuration file is not a JSON object.
pub static RULE: Rule = Rule {
    code: "C001",
    name: "not-json",
    severity: Severity::Error,
    summary: "A template configuration file is not a JSON object.",
    fix: "a template configuration file is JSON with Parameters, Tags and StackPolicy",
    source: source::CFN_ARTIFACTS,
    example: Example::Change {
        file: "config.json",
        at: "\"Environment\": \"dev\"",
        failing: "\"Environment\": 'dev'",
        passing: "\"Environment\": \"dev\"",
    },
};
