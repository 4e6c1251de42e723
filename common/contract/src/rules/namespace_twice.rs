//! P104, namespace-twice.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::rule::{Example, Rule, Severity};
use std::collections::BTreeMap;

/// Two actions have one namespace.
pub static RULE: Rule = Rule {
    code: "P104",
    name: "namespace-twice",
    severity: Severity::Error,
    summary: "Two actions have one namespace.",
    fix: "namespaces must be unique across the pipeline definition",
    source: "https://github.com/aws/aws-cdk/issues/6111",
    example: Example::Change {
        file: "pipeline.yml",
        at: "Namespace: App",
        failing: "Namespace: AMIcreation",
        passing: "Namespace: App",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut first = BTreeMap::new();
    for (one, namespace) in order::namespaces(pipeline) {
        let name = namespace.text.as_str();
        let (owner, line) = first
            .entry(name)
            .or_insert_with(|| (one.name(), namespace.place.line));
        if *owner != one.name() {
            let message = format!(
                "{}: namespace {name} is already the namespace of {owner} on line {line}; namespaces must be unique across the pipeline definition",
                one.name()
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
