//! B001, buildspec-shape: `model/buildspec/read.rs` finds it.

use crate::rule::{Example, Rule, Severity, source};

/// Something in the buildspec is missing or of the wrong kind.
pub static RULE: Rule = Rule {
    code: "B001",
    name: "buildspec-shape",
    severity: Severity::Error,
    summary: "Something in the buildspec is missing or of the wrong kind.",
    fix: "see the reference of buildspecs",
    source: source::BUILDSPEC,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - echo made: yes",
        passing: "      - 'echo made: yes'\n      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
    },
};
