//! P101, namespace-name.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::order;
use crate::model::variables;
use crate::rule::{Example, Rule, Severity, source};

/// A namespace is 1 to 100 letters, digits and @ - _.
pub static RULE: Rule = Rule {
    code: "P101",
    name: "namespace-name",
    severity: Severity::Error,
    summary: "A namespace is 1 to 100 letters, digits and @ - _.",
    fix: "rename it",
    source: source::VARIABLES,
    example: Example::Change {
        file: "pipeline.yml",
        at: "Namespace: App",
        failing: "Namespace: the app",
        passing: "Namespace: the-app",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (one, namespace) in order::namespaces(pipeline) {
        let name = &namespace.text;
        if !variables::is_name(name) || name.len() > 100 {
            let message = format!(
                "{}: namespace {name:?} is not 1 to 100 letters, digits and @ - _",
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
