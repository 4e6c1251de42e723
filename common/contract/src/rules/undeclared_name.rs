//! T201, undeclared-name: `checks/names.rs` and, for a value that is needed, `model/evaluate.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// A Ref, Fn::GetAtt, Fn::Sub, Fn::FindInMap, DependsOn or condition names what the template does not declare, or
/// a pseudo parameter that does not exist.
pub static RULE: Rule = Rule {
    code: "T201",
    name: "undeclared-name",
    severity: Severity::Error,
    summary: "A Ref, Fn::GetAtt, Fn::Sub, Fn::FindInMap, DependsOn or condition names what the template does not declare, or a pseudo parameter that does not exist.",
    fix: "declare it, or correct the name",
    source: source::REF,
    example: Example::Change {
        file: "app.yml",
        at: "Version: !GetAtt LaunchTemplate.LatestVersionNumber",
        failing: "Version: !GetAtt LaunchTemplat.LatestVersionNumber",
        passing: "Version: !GetAtt LaunchTemplate.LatestVersionNumber",
    },
};
