//! C003, value-not-text: `model/parameters.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A parameter or tag in a configuration file is not a string.
pub static RULE: Rule = Rule {
    code: "C003",
    name: "value-not-text",
    severity: Severity::Error,
    summary: "A parameter or tag in a configuration file is not a string.",
    fix: "put it in quotes; a list is comma separated",
    source: source::CFN_ARTIFACTS,
    example: Example::Change {
        file: "config.json",
        at: "\"Environment\": \"dev\"",
        failing: "\"Environment\": \"dev\", \"Size\": 2",
        passing: "\"Environment\": \"dev\", \"Size\": \"2\"",
    },
};
