//! P304, artifact-later.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::rule::{Example, Rule, Severity, source};

/// An artifact is made by an action that does not run before the one that reads it.
pub static RULE: Rule = Rule {
    code: "P304",
    name: "artifact-later",
    severity: Severity::Error,
    summary: "An artifact is made by an action that does not run before the one that reads it.",
    fix: "move the action, or raise its RunOrder",
    source: source::STRUCTURE,
    example: Example::Change {
        file: "pipeline.yml",
        at: "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts",
        failing: "InputArtifacts: [{Name: SourceOutput}, {Name: AmiOutput}]\n              OutputArtifacts",
        passing: "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let makers = order::makers(pipeline);
    for (consumer, input) in order::inputs(pipeline) {
        let name = input.text.as_str();
        if let Some(maker) = makers.get(name)
            && maker.is_not_before(consumer.position, pipeline)
        {
            let message = format!(
                "{}: artifact {name} is made by {}, which does not run earlier",
                consumer.name,
                maker.name()
            );
            findings.push(Finding::new(
                &RULE,
                &pipeline.file,
                Some(input.place),
                message,
            ));
        }
    }
    findings
}
