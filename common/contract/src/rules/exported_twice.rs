//! B005, exported-twice: `model/buildspec/read.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// An exported variable is listed twice.
pub static RULE: Rule = Rule {
    code: "B005",
    name: "exported-twice",
    severity: Severity::Warning,
    summary: "An exported variable is listed twice.",
    fix: "remove one",
    source: source::BUILDSPEC,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "    - INSTANCE_ID",
        failing: "    - AMI_ID",
        passing: "    - INSTANCE_ID",
    },
};
