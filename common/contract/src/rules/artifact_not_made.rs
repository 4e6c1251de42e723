//! P303, artifact-not-made.

use crate::finding::{Finding, did_you_mean};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::rule::{Example, Rule, Severity, source};

/// No action makes an artifact that another one reads.
pub static RULE: Rule = Rule {
    code: "P303",
    name: "artifact-not-made",
    severity: Severity::Error,
    summary: "No action makes an artifact that another one reads.",
    fix: "correct the name, or let an action make it",
    source: source::STRUCTURE,
    example: Example::Change {
        file: "pipeline.yml",
        at: "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts",
        failing: "InputArtifacts: [{Name: SourceOuput}]\n              OutputArtifacts",
        passing: "InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut outputs = pipeline.actions().flat_map(|action| &action.outputs);
    if pipeline.open || outputs.any(|text| is_unknown(&text.text)) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let makers = order::makers(pipeline);
    for (consumer, input) in order::inputs(pipeline) {
        let name = input.text.as_str();
        if makers.contains_key(name) || is_unknown(name) {
            continue;
        }
        let message = format!("{}: no action makes the artifact {name}", consumer.name);
        findings.push(
            Finding::new(&RULE, &pipeline.file, Some(input.place), message)
                .maybe_hint(did_you_mean(name, makers.keys().copied())),
        );
    }
    findings
}
