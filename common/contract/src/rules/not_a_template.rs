//! T001, not-a-template: `model/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The document, or a section of it, is not a mapping.
pub static RULE: Rule = Rule {
    code: "T001",
    name: "not-a-template",
    severity: Severity::Error,
    summary: "The document, or a section of it, is not a mapping.",
    fix: "a template is a mapping of sections such as Resources",
    source: source::ANATOMY,
    example: Example::Change {
        file: "app.yml",
        at: "Conditions:\n  IsProd: !Equals [!Ref Environment, prod]",
        failing: "Conditions:\n  - !Equals [!Ref Environment, prod]",
        passing: "Conditions:\n  IsProd: !Equals [!Ref Environment, prod]",
    },
};
