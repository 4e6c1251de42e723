//! P005: the name of a pipeline, a stage or an action.

use crate::finding::{Finding, Place};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};

/// A name with other characters, or too many.
pub static RULE: Rule = Rule {
    code: "P005",
    name: "pipeline-name",
    severity: Severity::Error,
    summary: "The name of a pipeline, a stage or an action is 1 to 100 letters, digits and . @ - _.",
    fix: "rename it",
    source: source::QUOTAS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "            - Name: Bake\n",
        failing: "            - Name: Bake the image\n",
        passing: "            - Name: Bake-the-image\n",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut look = |name: &str, what: &str, place: Option<Place>| {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b".@-_".contains(&byte);
        let fits = (1..=100).contains(&name.len()) && name.bytes().all(fine);
        if !fits && !is_unknown(name) {
            let message = format!("{what} {name:?} is not 1 to 100 letters, digits and . @ - _");
            findings.push(Finding::new(&RULE, &pipeline.file, place, message));
        }
    };
    // A template may leave the pipeline's name to CloudFormation.
    if !pipeline.name.is_empty() {
        look(&pipeline.name, "the pipeline's name", None);
    }
    for stage in &pipeline.stages {
        look(&stage.name, "the stage name", Some(stage.place));
        for action in &stage.actions {
            look(&action.name, "the action name", Some(action.place));
        }
    }
    findings
}
