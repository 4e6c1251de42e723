//! T005, default-not-text: `model/template.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The default of a parameter is a list or a mapping.
pub static RULE: Rule = Rule {
    code: "T005",
    name: "default-not-text",
    severity: Severity::Error,
    summary: "The default of a parameter is a list or a mapping.",
    fix: "write one text; a list is comma separated",
    source: source::PARAMETERS,
    example: Example::Change {
        file: "app.yml",
        at: "  Size: {Type: Number, Default: '1'}",
        failing: "  Size: {Type: CommaDelimitedList, Default: ['1', '2']}",
        passing: "  Size: {Type: CommaDelimitedList, Default: '1,2'}",
    },
};
