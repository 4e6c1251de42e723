//! Y005, too-many-values: `model/yaml.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// Aliases of aliases grow the document without bound.
pub static RULE: Rule = Rule {
    code: "Y005",
    name: "too-many-values",
    severity: Severity::Error,
    summary: "Aliases of aliases grow the document without bound.",
    fix: "write the values out",
    source: source::FORMATS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata:\n  a: &a [⟨999 × x, ⟩x]\n  b: &b [⟨999 × *a, ⟩*a]",
        passing: "Metadata:\n  a: [x, x]\n  b: [x, x]",
    },
};
