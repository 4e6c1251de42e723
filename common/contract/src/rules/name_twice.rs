//! P003, name-twice.

use crate::finding::{Finding, Place};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};
use std::collections::BTreeSet;

/// Two stages, or two actions of a stage, have one name.
pub static RULE: Rule = Rule {
    code: "P003",
    name: "name-twice",
    severity: Severity::Error,
    summary: "Two stages, or two actions of a stage, have one name.",
    fix: "rename one",
    source: source::STRUCTURE,
    example: Example::Change {
        file: "pipeline.yml",
        at: "        - Name: AMI\n",
        failing: "        - Name: Deploy\n",
        passing: "        - Name: AMI\n",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |place: Place, what: String| {
        let message = format!("{what} appears twice");
        findings.push(Finding::new(&RULE, &pipeline.file, Some(place), message));
    };
    let mut stages = BTreeSet::new();
    for stage in &pipeline.stages {
        if !stages.insert(&stage.name) && !is_unknown(&stage.name) {
            find(stage.place, format!("stage name {}", stage.name));
        }
        let mut actions = BTreeSet::new();
        for action in &stage.actions {
            if !actions.insert(&action.name) && !is_unknown(&action.name) {
                find(
                    action.place,
                    format!("action name {}/{}", stage.name, action.name),
                );
            }
        }
    }
    findings
}
