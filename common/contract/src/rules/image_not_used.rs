//! P501, image-not-used: `check/deployments/overrides.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The pipeline passes an image to a parameter that no ImageId of the template refers to: the new image would
/// never run.
pub static RULE: Rule = Rule {
    code: "P501",
    name: "image-not-used",
    severity: Severity::Error,
    summary: "The pipeline passes an image to a parameter that no ImageId of the template refers to: the new image would never run.",
    fix: "write `ImageId: !Ref` with the parameter's name",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "app.yml",
        at: "        ImageId: !Ref AMIId",
        failing: "        ImageId: '{{resolve:ssm:/images/base}}'",
        passing: "        ImageId: !Ref AMIId",
    },
};
