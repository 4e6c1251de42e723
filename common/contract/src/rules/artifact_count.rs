//! P414, artifact-count.

use crate::finding::Finding;
use crate::model::actions;
use crate::model::pipeline::{Pipeline, Text};
use crate::rule::{Example, Rule, Severity};

/// More or fewer artifacts than an action's provider takes.
pub static RULE: Rule = Rule {
    code: "P414",
    name: "artifact-count",
    severity: Severity::Error,
    summary: "An action has more or fewer input or output artifacts than its provider takes.",
    fix: "correct InputArtifacts and OutputArtifacts",
    source: "https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-action-artifacts.html",
    example: Example::Change {
        file: "pipeline.yml",
        at: "              InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts",
        failing: "              OutputArtifacts",
        passing: "              InputArtifacts: [{Name: SourceOutput}]\n              OutputArtifacts",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for action in pipeline.actions() {
        let Some(provider) = actions::provider(&action.category, &action.owner, &action.provider)
        else {
            continue;
        };
        for (what, names, bounds) in [
            ("input", &action.inputs, provider.inputs),
            ("output", &action.outputs, provider.outputs),
        ] {
            let Some((least, most)) = bounds else {
                continue;
            };
            let count = names.len();
            // Artifacts that are not known may stand beside those that are.
            if count > most || count < least && !pipeline.open {
                let is = match count {
                    0 => format!("no {what} artifact"),
                    1 => format!("1 {what} artifact"),
                    _ => format!("{count} {what} artifacts"),
                };
                let takes = match (least, most) {
                    (0, 0) => "none".to_owned(),
                    _ if least == most => most.to_string(),
                    _ => format!("{least} to {most}"),
                };
                let message = format!(
                    "{} has {is}, and {} takes {takes}",
                    action.name, provider.name
                );
                let first = |names: &[Text]| names.first().map(|text| text.place);
                let place = first(names).unwrap_or(action.place);
                findings.push(Finding::new(&RULE, &pipeline.file, Some(place), message));
            }
        }
    }
    findings
}
