//! P102, namespace-reserved.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::model::variables::{EXECUTION_NAMESPACE, PIPELINE_NAMESPACE};
use crate::rule::{Example, Rule, Severity, source};

/// The namespaces codepipeline and variables belong to CodePipeline.
pub static RULE: Rule = Rule {
    code: "P102",
    name: "namespace-reserved",
    severity: Severity::Error,
    summary: "The namespaces codepipeline and variables belong to CodePipeline.",
    fix: "rename it",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: "Namespace: App",
        failing: "Namespace: variables",
        passing: "Namespace: App",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (one, namespace) in order::namespaces(pipeline) {
        let name = namespace.text.as_str();
        if name == EXECUTION_NAMESPACE || name == PIPELINE_NAMESPACE {
            let message = format!(
                "{}: namespace {name} is reserved by CodePipeline",
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
