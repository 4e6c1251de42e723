//! P203, unknown-key: `checks/pipeline.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A #{namespace.KEY} names a variable that the action does not make, such as one that its buildspec does not
/// export.
pub static RULE: Rule = Rule {
    code: "P203",
    name: "unknown-key",
    severity: Severity::Error,
    summary: "A #{namespace.KEY} names a variable that the action does not make, such as one that its buildspec does not export.",
    fix: "list it under exported-variables in the buildspec, or correct the reference",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        failing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI}"}'"##,
        passing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
    },
};
