//! T302, local-path: `check.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A property is a path on this machine, which CloudFormation cannot read (a note where package-template would
/// upload the file and replace the path).
pub static RULE: Rule = Rule {
    code: "T302",
    name: "local-path",
    severity: Severity::Error,
    summary: "A property is a path on this machine, which CloudFormation cannot read (a note where package-template would upload the file and replace the path).",
    fix: "package-template does it where a bucket is named (--bucket, --asset-bucket); any other way to deploy needs a path that CloudFormation can read",
    source: source::PACKAGE,
    example: Example::Change {
        file: "app.yml",
        at: "Outputs:",
        failing: "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nested.yml}}\nOutputs:",
        passing: "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: 'https://my-bucket.s3.eu-west-1.amazonaws.com/nested.yml'}}\nOutputs:",
    },
};
