//! P205, key-never-set: `check/builds.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// A #{namespace.KEY} names a variable that the buildspec exports and nothing in it sets.
pub static RULE: Rule = Rule {
    code: "P205",
    name: "key-never-set",
    severity: Severity::Error,
    summary: "A #{namespace.KEY} names a variable that the buildspec exports and nothing in it sets.",
    fix: "run the program that makes it, and source its export file in the next item",
    source: source::VARIABLES,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - deploy-app --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        passing: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
    },
};
