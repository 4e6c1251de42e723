//! T202, unresolved-function: `check/definition.rs` and `model/evaluate.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A function has the wrong shape, or its result depends on what only an account knows.
pub static RULE: Rule = Rule {
    code: "T202",
    name: "unresolved-function",
    severity: Severity::Error,
    summary: "A function has the wrong shape, or its result depends on what only an account knows.",
    fix: "correct the arguments, or give the value through a parameter",
    source: source::FUNCTIONS,
    // Only an evaluation that knows every value gives up: the tests of evaluate.
    example: Example::Words {
        fails: "`S3ObjectKey: !Select [5, [a.zip, b.zip]]`, where the value is needed",
        passes: "`S3ObjectKey: !Select [1, [a.zip, b.zip]]`",
    },
};
