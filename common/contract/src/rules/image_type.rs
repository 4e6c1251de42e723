//! P502, image-type: `check/deployments/overrides.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The parameter that gets the image has a type that no AMI id fits.
pub static RULE: Rule = Rule {
    code: "P502",
    name: "image-type",
    severity: Severity::Error,
    summary: "The parameter that gets the image has a type that no AMI id fits.",
    fix: "declare it as AWS::EC2::Image::Id",
    source: source::PARAMETERS,
    example: Example::Change {
        file: "app.yml",
        at: "  AMIId: {Type: AWS::EC2::Image::Id}",
        failing: "  AMIId: {Type: 'AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>'}",
        passing: "  AMIId: {Type: AWS::EC2::Image::Id}",
    },
};
