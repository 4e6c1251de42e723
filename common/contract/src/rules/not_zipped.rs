//! P308, not-zipped.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};

/// An S3 source reads a bare template: CodePipeline needs a zip, and actions fail with "not a valid zip".
pub static RULE: Rule = Rule {
    code: "P308",
    name: "not-zipped",
    severity: Severity::Error,
    summary: "An S3 source reads a bare template: CodePipeline needs a zip, and actions fail with \"not a valid zip\".",
    fix: "let S3ObjectKey name the zip that package-template writes",
    source: source::S3_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "S3ObjectKey: template.zip",
        failing: "S3ObjectKey: app.yml",
        passing: "S3ObjectKey: template.zip",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let sources = pipeline
        .actions()
        .filter(|action| action.category == "Source" && action.provider == "S3");
    let mut findings = Vec::new();
    for action in sources {
        let key = action.setting("S3ObjectKey").unwrap_or_default();
        let folded = key.to_ascii_lowercase();
        let bare = [".yml", ".yaml", ".json", ".template"];
        if bare.iter().any(|end| folded.ends_with(end)) {
            let message = format!(
                "{} reads {key}, whose name is not that of a zip file",
                action.name
            );
            let place = action.place_of("S3ObjectKey");
            findings.push(Finding::new(&RULE, &pipeline.file, Some(place), message));
        }
    }
    findings
}
