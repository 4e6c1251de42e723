//! C006, wrong-value: `model/evaluate.rs` and `model/parameters.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A value, given or the default, does not fit its parameter's type or constraints (AllowedValues,
/// AllowedPattern, MinLength, MaxLength, MinValue, MaxValue).
pub static RULE: Rule = Rule {
    code: "C006",
    name: "wrong-value",
    severity: Severity::Error,
    summary: "A value, given or the default, does not fit its parameter's type or constraints (AllowedValues, AllowedPattern, MinLength, MaxLength, MinValue, MaxValue).",
    fix: "give a value that the declaration allows",
    source: source::PARAMETERS,
    example: Example::Change {
        file: "config.json",
        at: "\"Environment\": \"dev\"",
        failing: "\"Environment\": \"prdo\"",
        passing: "\"Environment\": \"prod\"",
    },
};
