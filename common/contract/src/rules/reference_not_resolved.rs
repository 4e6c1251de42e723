//! P206: a `#{…}` where CodePipeline resolves nothing.

use crate::finding::Finding;
use crate::model::pipeline::Text;
use crate::model::project::PROJECT_TYPE;
use crate::model::template::Template;
use crate::model::variables;
use crate::model::yaml::Node;
use crate::rule::{Example, Rule, Severity, source};

/// A reference in a place that is never resolved.
pub static RULE: Rule = Rule {
    code: "P206",
    name: "reference-not-resolved",
    severity: Severity::Warning,
    summary: "A #{namespace.KEY} is used where CodePipeline resolves nothing: the default of a pipeline's variable, the variables of a build project, a template configuration file, a buildspec's env. It arrives as it is written.",
    fix: "write it in the configuration of the action that needs the value",
    source: source::VARIABLES,
    example: Example::Change {
        file: "config.json",
        at: "\"Project\": \"demo\"",
        failing: "\"Project\": \"#{SourceVariables.VersionId}\"",
        passing: "\"Project\": \"demo\"",
    },
};

/// The finding, when a text holds such a reference; `what` names what has the text.
pub(crate) fn check(file: &str, what: &str, text: &Text) -> Option<Finding> {
    let found = variables::references(&text.text).ok()?;
    let first = found.first()?;
    let shown = &text.text[first.span.clone()];
    let message = format!("{what} holds {shown}, which CodePipeline does not resolve there");
    Some(Finding::new(&RULE, file, Some(text.place), message))
}

/// The finding for each variable of a build project that holds one.
pub(super) fn in_projects(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for project in template.resources_of(PROJECT_TYPE) {
        let path = ["Environment", "EnvironmentVariables"];
        let mut properties = project.properties.iter();
        let listed =
            properties.find_map(|node| path.iter().try_fold(node, |node, key| node.get(key)));
        for one in listed.and_then(Node::as_sequence).unwrap_or_default() {
            let name = one.get("Name").and_then(Node::as_str).unwrap_or_default();
            let Some(value) = one.get("Value") else {
                continue;
            };
            // The text itself, or the pattern of a Fn::Sub.
            let pattern = value.get("Fn::Sub").unwrap_or(value);
            if let Some(text) = pattern.as_str() {
                let text = Text {
                    text: text.to_owned(),
                    place: value.place,
                };
                let what = format!("the variable {name} of the project {}", project.id);
                findings.extend(check(&template.file, &what, &text));
            }
        }
    }
    findings
}
