//! P204, malformed-reference: `checks/pipeline.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A #{…} is not a namespace and a key.
pub static RULE: Rule = Rule {
    code: "P204",
    name: "malformed-reference",
    severity: Severity::Error,
    summary: "A #{…} is not a namespace and a key.",
    fix: "write #{namespace.KEY}",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        failing: r##"                ParameterOverrides: '{"AMIId":"#{AMI_ID}"}'"##,
        passing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
    },
};
