//! P401, setting-too-long.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::model::variables;
use crate::rule::{Example, Rule, Severity, source};

/// A value of an action's configuration has more than 1,000 characters, or ParameterOverrides more than 1 KB.
pub static RULE: Rule = Rule {
    code: "P401",
    name: "setting-too-long",
    severity: Severity::Error,
    summary: "A value of an action's configuration has more than 1,000 characters, or ParameterOverrides more than 1 KB.",
    fix: "move values to the TemplateConfiguration file or use Fn::GetParam",
    source: source::QUOTAS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "StackName: app",
        failing: "StackName: app-⟨1000 × x⟩",
        passing: "StackName: app-⟨99 × x⟩",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in order::placed(pipeline) {
        for (field, value) in &one.action.configuration {
            if let Err(error) = variables::check_length(field, &value.text, "") {
                // The message begins with the field.
                let message = format!("{}: {error}", one.name());
                findings.push(Finding::new(
                    &RULE,
                    &pipeline.file,
                    Some(value.place),
                    message,
                ));
            }
        }
    }
    findings
}
