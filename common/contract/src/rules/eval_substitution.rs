//! B201, eval-substitution.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::rule::{Example, Rule, Severity, source};

/// eval "$(…)" succeeds although the command in it fails.
pub static RULE: Rule = Rule {
    code: "B201",
    name: "eval-substitution",
    severity: Severity::Warning,
    summary: "eval \"$(…)\" succeeds although the command in it fails.",
    fix: "write to a file and source it in the next item: `make-ami --export-file \"$PWD/.exports\"`, then `. \"$PWD/.exports\"`",
    source: source::SHELL,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - eval \"$(make-ami)\"",
        passing: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
    },
};

pub(crate) fn check(script: &Script<'_>) -> Vec<Finding> {
    let evals = script
        .commands
        .iter()
        .filter(|one| one.name() == Some("eval"));
    evals
        .filter_map(|command| {
            let (_, inner) = command.substitution_that_can_fail()?;
            let message = format!("eval succeeds although `{inner}` in it fails");
            Some(script.finding(&RULE, command, message))
        })
        .collect()
}
