//! B203, hidden-failure.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::model::shell::{Command, HARMLESS, Join, can_fail};
use crate::rule::{Example, Rule, Severity};

/// Of an item with several commands only the last one's status counts; an earlier failure stays unseen.
pub static RULE: Rule = Rule {
    code: "B203",
    name: "hidden-failure",
    severity: Severity::Warning,
    summary: "Of an item with several commands only the last one's status counts; an earlier failure stays unseen.",
    fix: "make it several items, join the commands with &&, or begin with `set -e`",
    source: "https://github.com/aws/aws-sdk-java-v2/pull/6524",
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - |\n        make test\n        make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        passing: "      - |\n        set -e\n        make test\n        make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
    },
};

pub(crate) fn check(look: &Script<'_>) -> Vec<Finding> {
    let script = &look.item.script;
    // Whoever looks at statuses or traps errors knows what they do.
    if ["$?", "PIPESTATUS", "trap "]
        .iter()
        .any(|word| script.contains(word))
    {
        return Vec::new();
    }
    let mut statement: Vec<&Command> = Vec::new();
    let mut unseen: Option<&Command> = None;
    let mut ended = false;
    for command in look.commands {
        if ended {
            // Something follows, so the status of what came before is lost.
            if unseen.is_none() {
                unseen = first_that_fails(&statement);
            }
            statement.clear();
        }
        if command.subshells == 0 && command.nested == 0 && sets_errexit(command) {
            break;
        }
        statement.push(command);
        ended = command.open_after == 0
            && command.subshells == 0
            && matches!(command.after, Join::Next | Join::Background);
    }
    let finding = unseen.map(|command| {
        let name = match command.name() {
            Some(name) => name.to_owned(),
            None => command
                .words
                .first()
                .map(|word| word.text.clone())
                .unwrap_or_default(),
        };
        let message =
            format!("a failure of `{name}` is not seen: only the item's last command counts");
        look.finding(&RULE, command, message)
    });
    finding.into_iter().collect()
}

/// The command of a whole statement that may fail unseen; none when the statement is a construct with a
/// status of its own, or says what happens on a failure.
fn first_that_fails<'c>(statement: &[&'c Command]) -> Option<&'c Command> {
    let simple = statement
        .iter()
        .all(|one| one.nested == 0 && one.subshells == 0);
    let handled = statement
        .iter()
        .any(|one| matches!(one.after, Join::Or | Join::Background));
    if !simple || handled {
        return None;
    }
    statement.iter().copied().find(|one| match one.name() {
        None => one
            .words
            .iter()
            .flat_map(|word| &word.substitutions)
            .any(|inner| can_fail(inner)),
        Some(name) => !HARMLESS.contains(&name),
    })
}

fn sets_errexit(command: &Command) -> bool {
    let arguments = command.arguments();
    command.name() == Some("set")
        && arguments[1..].iter().any(|word| {
            word.text == "errexit"
                || word.text.strip_prefix('-').is_some_and(|flags| {
                    flags.contains('e') && flags.bytes().all(|byte| byte.is_ascii_alphabetic())
                })
        })
}
