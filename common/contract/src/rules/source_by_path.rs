//! B207, source-by-path.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::rule::{Example, Rule, Severity, source};

/// `. name` without a slash is looked up in PATH, not in the folder.
pub static RULE: Rule = Rule {
    code: "B207",
    name: "source-by-path",
    severity: Severity::Warning,
    summary: "`. name` without a slash is looked up in PATH, not in the folder.",
    fix: "write `. ./name` or `. \"$PWD/name\"`",
    source: source::SHELL,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - make-ami --export-file .exports\n      - . .exports",
        passing: "      - make-ami --export-file ./.exports\n      - . ./.exports",
    },
};

pub(crate) fn check(look: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if look.spec.env.shell.as_deref() == Some("bash") {
        // Outside of its POSIX mode bash looks in the folder as well.
        return findings;
    }
    for command in look.commands {
        let Some(file) = command.sources() else {
            continue;
        };
        if command.name() == Some(".") && !file.text.contains(['/', '$', '…']) {
            let name = file.text.clone();
            let message = format!("`. {name}` looks for {name} in PATH");
            let hint = format!("write `. ./{name}`");
            findings.push(look.finding(&RULE, command, message).hint(hint));
        }
    }
    findings
}
