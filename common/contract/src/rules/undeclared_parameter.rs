//! C004, undeclared-parameter: `model/parameters.rs` and `model/template.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A value is given for a parameter that the template does not declare.
pub static RULE: Rule = Rule {
    code: "C004",
    name: "undeclared-parameter",
    severity: Severity::Error,
    summary: "A value is given for a parameter that the template does not declare.",
    fix: "CloudFormation refuses a parameter that is not declared",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        failing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}","Siz":"2"}'"##,
        passing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}","Size":"2"}'"##,
    },
};
