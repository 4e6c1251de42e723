//! P301, artifact-name.

use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::rule::{Example, Rule, Severity, source};

/// An artifact's name is 1 to 100 letters, digits, _ and -.
pub static RULE: Rule = Rule {
    code: "P301",
    name: "artifact-name",
    severity: Severity::Error,
    summary: "An artifact's name is 1 to 100 letters, digits, _ and -.",
    fix: "rename it",
    source: source::QUOTAS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "OutputArtifacts: [{Name: AmiOutput}]",
        failing: "OutputArtifacts: [{Name: ami.output}]",
        passing: "OutputArtifacts: [{Name: ami-output}]",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for one in order::placed(pipeline) {
        for text in one.action.inputs.iter().chain(&one.action.outputs) {
            let name = text.text.as_str();
            let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            let fits = (1..=100).contains(&name.len()) && name.bytes().all(fine);
            if !fits && !is_unknown(name) {
                let message = format!(
                    "{}: artifact name {name:?} is not 1 to 100 letters, digits, _ and -",
                    one.name()
                );
                findings.push(Finding::new(
                    &RULE,
                    &pipeline.file,
                    Some(text.place),
                    message,
                ));
            }
        }
    }
    findings
}
