//! P305, artifact-not-input: `check/artifact_files.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A path names an artifact that the action does not take as input, or is not `Artifact::path`.
pub static RULE: Rule = Rule {
    code: "P305",
    name: "artifact-not-input",
    severity: Severity::Error,
    summary: "A path names an artifact that the action does not take as input, or is not `Artifact::path`.",
    fix: "write `Artifact::path`, and add the artifact to InputArtifacts",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "TemplatePath: SourceOutput::app.yml",
        failing: "TemplatePath: AmiOutput::app.yml",
        passing: "TemplatePath: SourceOutput::app.yml",
    },
};
