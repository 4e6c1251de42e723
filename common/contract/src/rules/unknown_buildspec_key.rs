//! B003, unknown-buildspec-key: `model/buildspec/read.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A key of the buildspec is not known there and is ignored.
pub static RULE: Rule = Rule {
    code: "B003",
    name: "unknown-buildspec-key",
    severity: Severity::Warning,
    summary: "A key of the buildspec is not known there and is ignored.",
    fix: "correct or remove it",
    source: source::BUILDSPEC,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "  exported-variables:",
        failing: "  secret-manager: {}\n  exported-variables:",
        passing: "  secrets-manager: {}\n  exported-variables:",
    },
};
