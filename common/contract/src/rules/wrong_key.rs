//! P307, wrong-key: `check/sources.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// No S3 source of the pipeline reads the bucket and the key that package-template writes; `run-pipeline check`
/// writes nothing and does not look for it.
pub static RULE: Rule = Rule {
    code: "P307",
    name: "wrong-key",
    severity: Severity::Error,
    summary: "No S3 source of the pipeline reads the bucket and the key that package-template writes; `run-pipeline check` writes nothing and does not look for it.",
    fix: "let package-template write what the source reads (--bucket, --key), or correct S3Bucket and S3ObjectKey",
    source: source::S3_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "S3ObjectKey: template.zip",
        failing: "S3ObjectKey: source.zip",
        passing: "S3ObjectKey: template.zip",
    },
};
