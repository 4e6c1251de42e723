//! B101, never-set: `check/builds.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A variable is exported and nothing in the buildspec sets it.
pub static RULE: Rule = Rule {
    code: "B101",
    name: "never-set",
    severity: Severity::Warning,
    summary: "A variable is exported and nothing in the buildspec sets it.",
    fix: "run the program that makes it, and source its export file in the next item",
    source: source::BUILDSPEC,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "    - INSTANCE_ID",
        failing: "    - AMI_STATE",
        passing: "    - AMI_NAME",
    },
};
