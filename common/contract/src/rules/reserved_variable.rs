//! B006, reserved-variable: `model/buildspec/read.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A buildspec sets a CODEBUILD_ variable.
pub static RULE: Rule = Rule {
    code: "B006",
    name: "reserved-variable",
    severity: Severity::Error,
    summary: "A buildspec sets a CODEBUILD_ variable.",
    fix: "it may be passed on, not set",
    source: source::BUILD_VARIABLES,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "    MAKE_AMI_TIMEOUT: 6h",
        failing: "    CODEBUILD_BUILD_ID: x",
        passing: "    MAKE_AMI_TIMEOUT: 6h",
    },
};
