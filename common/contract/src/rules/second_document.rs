//! Y002, second-document: `model/yaml.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A second YAML document begins in the file.
pub static RULE: Rule = Rule {
    code: "Y002",
    name: "second-document",
    severity: Severity::Error,
    summary: "A second YAML document begins in the file.",
    fix: "keep one document a file; remove the `---` line",
    source: source::FORMATS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Description: One.\n---\nDescription: Two.",
        passing: "Description: An application.",
    },
};
