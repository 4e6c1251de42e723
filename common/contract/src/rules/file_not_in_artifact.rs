//! P306, file-not-in-artifact: `check.rs` and `check/artifact_files.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A path of the pipeline is not in the archive: the action would fail with "File does not exist in artifact".
pub static RULE: Rule = Rule {
    code: "P306",
    name: "file-not-in-artifact",
    severity: Severity::Error,
    summary: "A path of the pipeline is not in the archive: the action would fail with \"File does not exist in artifact\".",
    fix: "package the file under that name, or correct the path",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "TemplatePath: SourceOutput::app.yml",
        failing: "TemplatePath: SourceOutput::cfn/app.yml",
        passing: "TemplatePath: SourceOutput::app.yml",
    },
};
