//! P201, unknown-namespace: `checks/pipeline.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A #{namespace.KEY} names a namespace that no action has.
pub static RULE: Rule = Rule {
    code: "P201",
    name: "unknown-namespace",
    severity: Severity::Error,
    summary: "A #{namespace.KEY} names a namespace that no action has.",
    fix: "give the action that makes the variable this Namespace, or correct the reference",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        failing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreaton.AMI_ID}"}'"##,
        passing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
    },
};
