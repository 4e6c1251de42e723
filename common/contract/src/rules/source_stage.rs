//! P004, source-stage.

use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};

/// The first stage has source actions only, and no other stage has one.
pub static RULE: Rule = Rule {
    code: "P004",
    name: "source-stage",
    severity: Severity::Error,
    summary: "The first stage has source actions only, and no other stage has one.",
    fix: "move the action",
    source: source::STRUCTURE,
    example: Example::Change {
        file: "pipeline.yml",
        at: "ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}",
        failing: "ActionTypeId: {Category: Source, Owner: AWS, Provider: CodeCommit, Version: '1'}",
        passing: "ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        // A stage of which it is not known whether it is there may be the first one.
        let unsure = index == 0 && stage.after_unknown;
        for action in &stage.actions {
            let source = action.category == "Source";
            if source == (index == 0) || unsure || is_unknown(&action.category) {
                continue;
            }
            let what = if source {
                "a source action stands only in the first stage"
            } else {
                "the first stage holds only source actions"
            };
            let message = format!("{}/{}: {what}", stage.name, action.name);
            findings.push(Finding::new(
                &RULE,
                &pipeline.file,
                Some(action.place),
                message,
            ));
        }
    }
    findings
}
