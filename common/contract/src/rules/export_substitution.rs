//! B202, export-substitution.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::rule::{Example, Rule, Severity, source};

/// export X=$(…) succeeds although the command in it fails, and X is empty.
pub static RULE: Rule = Rule {
    code: "B202",
    name: "export-substitution",
    severity: Severity::Warning,
    summary: "export X=$(…) succeeds although the command in it fails, and X is empty.",
    fix: "assign first, export afterwards: `X=$(…)`, then `export X`",
    source: source::SHELL,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - export AMI_ID=$(aws ec2 create-image --query ImageId)",
        passing: "      - AMI_ID=$(aws ec2 create-image --query ImageId)\n      - export AMI_ID",
    },
};

/// The commands that assign and have a status of their own.
const ASSIGN: [&str; 5] = ["export", "declare", "readonly", "typeset", "local"];

pub(crate) fn check(script: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for command in script.commands {
        let Some(what) = command.name().filter(|name| ASSIGN.contains(name)) else {
            continue;
        };
        if let Some((name, inner)) = command.substitution_that_can_fail() {
            let message = format!("{what} succeeds although `{inner}` in it fails");
            let hint = format!("write `{name}=$(…)` and then `{what} {name}`");
            findings.push(script.finding(&RULE, command, message).hint(hint));
        }
    }
    findings
}
