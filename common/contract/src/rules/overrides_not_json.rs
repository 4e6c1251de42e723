//! P402, overrides-not-json: `check/deployments/overrides.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// ParameterOverrides is not a JSON object of texts, Fn::GetParam and Fn::GetArtifactAtt.
pub static RULE: Rule = Rule {
    code: "P402",
    name: "overrides-not-json",
    severity: Severity::Error,
    summary: "ParameterOverrides is not a JSON object of texts, Fn::GetParam and Fn::GetArtifactAtt.",
    fix: "write a JSON object such as {\"AMIId\":\"#{AMIcreation.AMI_ID}\"}",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        failing: r##"                ParameterOverrides: 'AMIId=#{AMIcreation.AMI_ID}'"##,
        passing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
    },
};
