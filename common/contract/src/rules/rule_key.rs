//! P407, rule-key: `check/sources.rs` finds it.

use crate::rule::{Example, Rule, Severity};

/// The event rule that starts the pipeline watches another object than its source reads.
pub static RULE: Rule = Rule {
    code: "P407",
    name: "rule-key",
    severity: Severity::Warning,
    summary: "The event rule that starts the pipeline watches another object than its source reads.",
    fix: "let the rule's detail.object.key and the source's S3ObjectKey be one",
    source: "https://docs.aws.amazon.com/codepipeline/latest/userguide/create-cloudtrail-S3-source.html",
    example: Example::Change {
        file: "pipeline.yml",
        at: "object: {key: [template.zip]}",
        failing: "object: {key: [templates.zip]}",
        passing: "object: {key: [template.zip]}",
    },
};
