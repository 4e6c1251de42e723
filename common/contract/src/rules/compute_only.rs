//! P412: a field of Commands actions on another action.

use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity};

/// A field of Commands actions on another action.
pub static RULE: Rule = Rule {
    code: "P412",
    name: "compute-only",
    severity: Severity::Error,
    summary: "An action that is not of the category Compute has Commands, OutputVariables, or Files of an output artifact: CodePipeline refuses it with \"cannot contain a commands field\".",
    fix: "use a Commands action (Category Compute), or remove the field",
    source: "https://github.com/aws/aws-cdk/issues/38843",
    example: Example::Change {
        file: "pipeline.yml",
        at: "OutputArtifacts: [{Name: AmiOutput}]",
        failing: "OutputArtifacts: [{Name: AmiOutput, Files: [image.json]}]",
        passing: "OutputArtifacts: [{Name: AmiOutput}]",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for action in pipeline.actions() {
        if action.category == "Compute" || is_unknown(&action.category) {
            continue;
        }
        let commands = action
            .commands
            .as_ref()
            .map(|(_, place)| ("Commands", *place));
        let variables = action
            .variables_place
            .map(|place| ("OutputVariables", place));
        let files = action
            .files
            .first()
            .map(|(_, place)| ("Files of an output artifact", *place));
        for (what, place) in [commands, variables, files].into_iter().flatten() {
            let message = format!(
                "{}: an action of the category {} has no {what}",
                action.name, action.category
            );
            findings.push(Finding::new(&RULE, &pipeline.file, Some(place), message));
        }
    }
    findings
}
