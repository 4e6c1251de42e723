//! T003, no-type: `model/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A resource or a parameter has no Type.
pub static RULE: Rule = Rule {
    code: "T003",
    name: "no-type",
    severity: Severity::Error,
    summary: "A resource or a parameter has no Type.",
    fix: "write its type, such as `Type: AWS::S3::Bucket`",
    source: source::ANATOMY,
    example: Example::Change {
        file: "app.yml",
        at: "  Size: {Type: Number, Default: '1'}",
        failing: "  Size: {Default: '1'}",
        passing: "  Size: {Type: Number, Default: '1'}",
    },
};
