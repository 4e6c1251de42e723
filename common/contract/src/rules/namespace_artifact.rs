//! P103, namespace-artifact.

use crate::finding::Finding;
use crate::model::pipeline::order;
use crate::model::pipeline::{Pipeline, Text};
use crate::rule::{Example, Rule, Severity, source};
use std::collections::BTreeMap;

/// A namespace is also the name of an artifact.
pub static RULE: Rule = Rule {
    code: "P103",
    name: "namespace-artifact",
    severity: Severity::Error,
    summary: "A namespace is also the name of an artifact.",
    fix: "rename one of the two",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: "Namespace: App",
        failing: "Namespace: SourceOutput",
        passing: "Namespace: App",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let artifacts: BTreeMap<&str, &Text> = pipeline
        .actions()
        .flat_map(|action| action.inputs.iter().chain(&action.outputs))
        .map(|text| (text.text.as_str(), text))
        .collect();
    for (one, namespace) in order::namespaces(pipeline) {
        let name = namespace.text.as_str();
        if let Some(artifact) = artifacts.get(name) {
            let message = format!(
                "{}: namespace {name} is also the artifact name on line {}; they must differ",
                one.name(),
                artifact.place.line
            );
            findings.push(Finding::new(
                &RULE,
                &pipeline.file,
                Some(namespace.place),
                message,
            ));
        }
    }
    findings
}
