//! B204, exit-loses-exports.

use crate::finding::Finding;
use crate::model::buildspec::script::Script;
use crate::model::shell::{Command, Join};
use crate::rule::{Example, Rule, Severity, source};

/// exit, or exec, ends the item's shell before its environment is saved: what the item set is lost while the
/// build stays green.
pub static RULE: Rule = Rule {
    code: "B204",
    name: "exit-loses-exports",
    severity: Severity::Error,
    summary: "exit, or exec, ends the item's shell before its environment is saved: what the item set is lost while the build stays green.",
    fix: "let the item run to its end",
    source: source::WRAPPER,
    example: Example::Change {
        file: "buildspecs/ami.yml",
        at: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
        failing: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"; exit 0",
        passing: "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"",
    },
};

pub(crate) fn check(look: &Script<'_>) -> Vec<Finding> {
    let mut set: Option<String> = None;
    for command in look.commands {
        let arguments = command.arguments();
        let ends = match (
            command.name(),
            arguments.get(1).map(|word| word.text.as_str()),
        ) {
            (Some("exit"), None | Some("0")) => {
                command.before != Join::Or && command.subshells == 0
            }
            (Some("exec"), Some(program)) => {
                command.subshells == 0 && !program.starts_with(['>', '<', '2', '1'])
            }
            _ => false,
        };
        if let Some(name) = set.as_ref().filter(|_| ends) {
            let what = command.name().unwrap_or_default().to_owned();
            let message = format!("`{what}` loses {name}, which the item has set");
            return vec![look.finding(&RULE, command, message)];
        }
        if command.is_child() {
            continue;
        }
        if let Some(name) = command
            .sets()
            .iter()
            .find(|name| look.exported.contains(name) || is_read_later(look, name))
        {
            set.get_or_insert_with(|| (*name).to_owned());
        } else if command.sources().is_some() && !look.exported.is_empty() {
            set.get_or_insert_with(|| "what it sourced".to_owned());
        }
    }
    Vec::new()
}

/// Whether a later item reads a variable that it does not set itlook.
fn is_read_later(look: &Script<'_>, name: &str) -> bool {
    look.later.iter().any(|(item, commands)| {
        let mut own = commands.iter().flat_map(Command::sets);
        reads_variable(&item.script, name) && !own.any(|one| one == name)
    })
}

/// Whether a script reads a variable, as `$NAME` or `${NAME…}`.
fn reads_variable(script: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    ["$", "${"].iter().any(|sign| {
        let wanted = format!("{sign}{name}");
        script
            .match_indices(&wanted)
            .any(|(at, _)| !script[at + wanted.len()..].starts_with(word))
    })
}
