//! T006, unknown-attribute.

use crate::finding::{Finding, did_you_mean};
use crate::model::language::{ATTRIBUTES, UPDATE_POLICY};
use crate::model::template::Template;
use crate::model::transform::is_transformed;
use crate::model::yaml::Node;
use crate::rule::{Example, Rule, Severity};

/// A key beside a resource's Type is not an attribute of resources, or one in its UpdatePolicy is not a part of
/// it; CloudFormation refuses it.
pub static RULE: Rule = Rule {
    code: "T006",
    name: "unknown-attribute",
    severity: Severity::Error,
    summary: "A key beside a resource's Type is not an attribute of resources, or one in its UpdatePolicy is not a part of it; CloudFormation refuses it.",
    fix: "move it under Properties, or correct it",
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-product-attribute-reference.html",
    example: Example::Change {
        file: "app.yml",
        at: "    DependsOn: Role",
        failing: "    DependsON: Role",
        passing: "    DependsOn: Role",
    },
};

pub(super) fn check(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    if is_transformed(template) {
        return findings;
    }
    for resource in &template.resources {
        for (key, _) in resource.node.as_mapping().unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            if !ATTRIBUTES.contains(&name) {
                let message = format!("{name} of {} is not an attribute of resources", resource.id);
                findings.push(
                    Finding::new(&RULE, &template.file, Some(key.place), message)
                        .maybe_hint(did_you_mean(name, ATTRIBUTES)),
                );
            }
        }
        let policy = resource.node.get("UpdatePolicy").and_then(Node::as_mapping);
        for (key, _) in policy.unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            if !UPDATE_POLICY.contains(&name) && !name.starts_with("Fn::") {
                let message = format!("{name} is not a part of an UpdatePolicy");
                findings.push(
                    Finding::new(&RULE, &template.file, Some(key.place), message)
                        .maybe_hint(did_you_mean(name, UPDATE_POLICY)),
                );
            }
        }
    }
    findings
}
