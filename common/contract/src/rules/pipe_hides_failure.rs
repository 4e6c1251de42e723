//! B206, pipe-hides-failure.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::model::programs;
use crate::model::shell::{Command, HARMLESS, Join};
use crate::rule::{Example, Rule, Severity, source};

/// Of a pipe only the last command's status counts: the command before it may fail unseen.
pub static RULE: Rule = Rule {
    code: "B206",
    name: "pipe-hides-failure",
    severity: Severity::Warning,
    summary: "Of a pipe only the last command's status counts: the command before it may fail unseen.",
    fix: "write to a file, or use `set -o pipefail` with `shell: bash`",
    source: source::SHELL,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - make-ami --export-file \"$PWD/.exports\" | tee log\n      - . \"$PWD/.exports\"",
        passing: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
    },
};

/// Commands that are at the head of a pipe for their text, and fail only with it.
const FEEDS: [&str; 13] = [
    "awk", "cat", "cut", "find", "grep", "head", "ls", "sed", "seq", "sort", "tail", "which", "yes",
];

pub(crate) fn check(look: &Script<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let script = &look.item.script;
    if ["pipefail", "PIPESTATUS"]
        .iter()
        .any(|word| script.contains(word))
    {
        return findings;
    }
    for (at, command) in look.commands.iter().enumerate() {
        let Some(name) = command.name().filter(|_| command.after == Join::Pipe) else {
            continue;
        };
        let is_ours = programs::of(name).is_some();
        // Whoever asks for the status of the pipe, in a condition or by `||`, takes the last one's for it.
        let is_asked = command.nested > 0 || is_handled(&look.commands[at..]);
        let first = command.before != Join::Pipe;
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphanumeric() || "./_".contains(c));
        let may_fail = first && is_plain && !HARMLESS.contains(&name) && !FEEDS.contains(&name);
        if is_ours || (may_fail && !is_asked) {
            let short = name.rsplit('/').next().unwrap_or(name);
            let message = format!("a failure of {short} is not seen behind the pipe");
            findings.push(look.finding(&RULE, command, message));
        }
    }
    findings
}

/// Whether a pipe says what happens when it fails: `||` behind its last command.
fn is_handled(commands: &[Command]) -> bool {
    let last = commands.iter().find(|one| one.after != Join::Pipe);
    last.is_some_and(|one| one.after == Join::Or)
}
