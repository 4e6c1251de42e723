//! C005, no-value: `model/evaluate.rs` and `model/parameters.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A parameter without default is given no value.
pub static RULE: Rule = Rule {
    code: "C005",
    name: "no-value",
    severity: Severity::Error,
    summary: "A parameter without default is given no value.",
    fix: "give it in the configuration file or in ParameterOverrides",
    source: source::PARAMETERS,
    example: Example::Change {
        file: "config.json",
        at: "\n    \"Environment\": \"dev\"\n  ",
        failing: "",
        passing: "\n    \"Environment\": \"dev\"\n  ",
    },
};
