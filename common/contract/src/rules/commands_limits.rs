//! P413: the limits of a Commands action.

use crate::finding::{Finding, Place};
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};

/// More than a Commands action takes.
pub static RULE: Rule = Rule {
    code: "P413",
    name: "commands-limits",
    severity: Severity::Error,
    summary: "A Commands action has no command or more than 50, more than 15 output variables, more than 10 environment variables, one with more than 2,000 characters, or an output artifact with more than 10 files.",
    fix: "divide the action, or let the commands call a script of the source",
    source: source::COMMANDS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "        - Name: Deploy\n          Actions:\n",
        failing: "        - Name: Deploy\n          Actions:\n            - Name: Run\n              ActionTypeId: {Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}\n              InputArtifacts: [{Name: SourceOutput}]\n              Commands: [⟨51 × make, ⟩]\n",
        passing: "        - Name: Deploy\n          Actions:\n            - Name: Run\n              ActionTypeId: {Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}\n              InputArtifacts: [{Name: SourceOutput}]\n              Commands: [⟨50 × make, ⟩]\n",
    },
};

/// Source: service model of CodePipeline, `ActionDeclaration`, `CommandList`, `OutputVariableList`,
/// `EnvironmentVariableList` and `FilePathList`.
const COMMANDS: usize = 50;
const VARIABLES: usize = 15;
const ENVIRONMENT: usize = 10;
const VALUE: usize = 2_000;
const FILES: usize = 10;

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for action in pipeline.actions() {
        if action.category != "Compute" || action.provider != "Commands" {
            continue;
        }
        let mut find = |place: Place, message: String| {
            let message = format!("{}: {message}", action.name);
            findings.push(Finding::new(&RULE, &pipeline.file, Some(place), message));
        };
        let mut limit = |is: usize, limit: usize, what: &str, place: Place| {
            if is > limit {
                find(place, format!("{is} {what}, the limit is {limit}"));
            }
        };
        let (commands, place) = match &action.commands {
            Some((commands, place)) => (commands.len(), *place),
            None => (0, action.place),
        };
        limit(commands, COMMANDS, "commands", place);
        let place = action.variables_place.unwrap_or(action.place);
        limit(action.variables.len(), VARIABLES, "output variables", place);
        let first = action.environment.first();
        let place = first.map_or(action.place, |(_, text)| text.place);
        limit(
            action.environment.len(),
            ENVIRONMENT,
            "environment variables",
            place,
        );
        for (name, value) in &action.environment {
            let length = value.text.chars().count();
            limit(length, VALUE, &format!("characters in {name}"), value.place);
        }
        for (files, place) in &action.files {
            limit(*files, FILES, "files of an output artifact", *place);
        }
        if commands == 0 && !pipeline.open {
            find(
                action.place,
                "a Commands action without commands".to_owned(),
            );
        }
    }
    findings
}
