//! Y004, key-not-text: `model/yaml.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A key of a mapping is a list or a mapping.
pub static RULE: Rule = Rule {
    code: "Y004",
    name: "key-not-text",
    severity: Severity::Error,
    summary: "A key of a mapping is a list or a mapping.",
    fix: "quote it if it begins with `[`, `{` or `*`",
    source: source::FORMATS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "[Description]: An application.",
        passing: "Description: An application.",
    },
};
