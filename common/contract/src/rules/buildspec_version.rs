//! B002, buildspec-version: `model/buildspec/read.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// The buildspec's version is not 0.2: with 0.1 each command has a shell of its own and exports cannot work (a
/// note where nothing is exported).
pub static RULE: Rule = Rule {
    code: "B002",
    name: "buildspec-version",
    severity: Severity::Error,
    summary: "The buildspec's version is not 0.2: with 0.1 each command has a shell of its own and exports cannot work (a note where nothing is exported).",
    fix: "write `version: 0.2`",
    source: source::BUILDSPEC,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "version: 0.2",
        failing: "version: 0.1",
        passing: "version: 0.2",
    },
};
