//! P206: a `#{…}` where CodePipeline resolves nothing.

use crate::finding::{Finding, Severity};
use crate::pipeline::Text;
use crate::rule::{self, Example, Rule};
use crate::variables;

/// A reference in a place that is never resolved.
pub static RULE: Rule = Rule {
    code: "P206",
    name: "reference-not-resolved",
    severity: Severity::Warning,
    summary: "A #{namespace.KEY} stands where CodePipeline resolves nothing: the default of a pipeline's variable, a template configuration file, a buildspec's env. It arrives as it is written.",
    fix: "write it in the configuration of the action that needs the value",
    source: rule::VARIABLES,
};

pub(crate) static EXAMPLE: Example = Example {
    code: "P206",
    file: "config.json",
    at: "\"Project\": \"demo\"",
    failing: "\"Project\": \"#{SourceVariables.VersionId}\"",
    passing: "\"Project\": \"demo\"",
};

/// The finding, when a text holds such a reference; `what` names what has the text.
pub(crate) fn check(file: &str, what: &str, text: &Text) -> Option<Finding> {
    let found = variables::references(&text.text).ok()?;
    let first = found.first()?;
    let shown = &text.text[first.span.clone()];
    let message = format!("{what} holds {shown}, which CodePipeline does not resolve there");
    Some(Finding::new(&RULE, file, Some(text.place), message))
}
