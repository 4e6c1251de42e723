//! B205, set-in-child.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::rule::{Example, Rule, Severity, source};

/// An exported variable is set in a subshell or behind a pipe, where it ends with the child process.
pub static RULE: Rule = Rule {
    code: "B205",
    name: "set-in-child",
    severity: Severity::Warning,
    summary: "An exported variable is set in a subshell or behind a pipe, where it ends with the child process.",
    fix: "set it in the item's own shell",
    source: source::SHELL,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - (export AMI_ID=ami-0123456789abcdef0)",
        passing: "      - export AMI_ID=ami-0123456789abcdef0",
    },
};

pub(crate) fn check(look: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for command in look.commands {
        if !command.is_child() {
            continue;
        }
        let lost = command
            .sets()
            .into_iter()
            .find(|name| look.exported.contains(name) && !look.in_shell.contains(name))
            .map(str::to_owned);
        if let Some(name) = lost {
            let message = format!("{name} is set in a child process and is lost with it");
            findings.push(look.finding(&RULE, command, message));
        }
    }
    findings
}
