//! B004, export-name: `model/buildspec/read.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// An exported variable is not a valid shell variable, or begins with AWS_: CodeBuild drops it silently.
pub static RULE: Rule = Rule {
    code: "B004",
    name: "export-name",
    severity: Severity::Error,
    summary: "An exported variable is not a valid shell variable, or begins with AWS_: CodeBuild drops it silently.",
    fix: "use letters, digits and _",
    source: source::BUILDSPEC,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "    - INSTANCE_ID",
        failing: "    - INSTANCE-ID",
        passing: "    - INSTANCE_ID",
    },
};
