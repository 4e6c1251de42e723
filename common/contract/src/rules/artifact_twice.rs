//! P302, artifact-twice.

use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::rule::{Example, Rule, Severity, source};
use std::collections::BTreeMap;

/// Two actions make one artifact.
pub static RULE: Rule = Rule {
    code: "P302",
    name: "artifact-twice",
    severity: Severity::Error,
    summary: "Two actions make one artifact.",
    fix: "rename one",
    source: source::STRUCTURE,
    example: Example::Change {
        file: "pipeline.yml",
        at: "OutputArtifacts: [{Name: AmiOutput}]",
        failing: "OutputArtifacts: [{Name: SourceOutput}]",
        passing: "OutputArtifacts: [{Name: AmiOutput}]",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut made = BTreeMap::new();
    for one in order::placed(pipeline) {
        for output in &one.action.outputs {
            let name = output.text.as_str();
            if is_unknown(name) {
                continue;
            }
            if let Some(other) = made.insert(name, one.name()) {
                let message = format!("{}: artifact {name} is already made by {other}", one.name());
                findings.push(Finding::new(
                    &RULE,
                    &pipeline.file,
                    Some(output.place),
                    message,
                ));
            }
        }
    }
    findings
}
