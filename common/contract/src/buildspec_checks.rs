//! Idioms of a buildspec's scripts that lose exported variables or hide failures.
//!
//! CodeBuild runs each item as a script of its own and saves the environment in its last lines, so that
//! `exit` loses what the item set (seen in AWS's codecatalyst-runner-cli and in build logs, not
//! documented; to be settled with `run-pipeline buildspec` beside a real build). What a shell does with a
//! status is POSIX.

mod sets;

use crate::buildspec::{Buildspec, Item};
use crate::finding::Finding;
use crate::programs;
use crate::rule::{self, Rule};
use crate::shell::{self, Command, Join};

pub use sets::{Set, sets};

/// Every finding in the scripts of a buildspec.
#[must_use]
pub fn check(spec: &Buildspec) -> Vec<Finding> {
    let posix = spec
        .env
        .shell
        .as_deref()
        .is_none_or(|shell| matches!(shell, "bash" | "/bin/sh" | "sh"));
    if !posix {
        return Vec::new();
    }
    let exported: Vec<&str> = spec
        .env
        .exported
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let mut findings = Vec::new();
    let scripts: Vec<_> = items(spec)
        .filter_map(|item| Some((item, shell::commands(&item.script)?)))
        .collect();
    let in_shell: Vec<&str> = scripts
        .iter()
        .flat_map(|(_, commands)| commands)
        .filter(|one| !is_child(one))
        .flat_map(Command::sets)
        .collect();
    for (at, (item, commands)) in scripts.iter().enumerate() {
        let mut look = Look {
            spec,
            item,
            commands,
            later: &scripts[at + 1..],
            exported: &exported,
            findings: &mut findings,
        };
        look.substitutions();
        look.hidden_failures();
        look.lost_exports();
        look.children(&in_shell);
        look.pipes();
        look.sources();
    }
    findings
}

/// All items, in the order of the phases.
pub fn items(spec: &Buildspec) -> impl Iterator<Item = &Item> {
    spec.phases
        .iter()
        .flat_map(|phase| phase.commands.iter().chain(&phase.finally))
}

/// Whether a command runs in a child of the item's shell.
fn is_child(command: &Command) -> bool {
    command.subshells > 0
        || command.before == Join::Pipe
        || matches!(command.after, Join::Pipe | Join::Background)
}

struct Look<'a> {
    spec: &'a Buildspec,
    item: &'a Item,
    commands: &'a [Command],
    /// The items that run after it.
    later: &'a [(&'a Item, Vec<Command>)],
    exported: &'a [&'a str],
    findings: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn add(&mut self, rule: &'static Rule, command: &Command, message: String) -> &mut Finding {
        let place = self.item.place_of_line(command.line);
        let at = self.findings.len();
        self.findings
            .push(Finding::new(rule, &self.spec.file, Some(place), message));
        &mut self.findings[at]
    }

    /// `eval "$(…)"` and `export X=$(…)`.
    fn substitutions(&mut self) {
        for command in self.commands {
            let rule = match command.name() {
                Some("eval") => &rule::EVAL_SUBSTITUTION,
                Some("export" | "declare" | "readonly" | "typeset" | "local") => {
                    &rule::EXPORT_SUBSTITUTION
                }
                _ => continue,
            };
            let fails = command.arguments()[1..].iter().find_map(|word| {
                let inner = word.substitutions.iter().find(|inner| can_fail(inner))?;
                Some((
                    word.assigned().unwrap_or("X").to_owned(),
                    inner.trim().to_owned(),
                ))
            });
            let Some((name, inner)) = fails else { continue };
            let what = command.name().unwrap_or_default().to_owned();
            let short: String = inner
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(60)
                .collect();
            let finding = self.add(
                rule,
                command,
                format!("{what} succeeds although `{short}` in it fails"),
            );
            if what != "eval" {
                finding.hint = Some(format!("write `{name}=$(…)` and then `{what} {name}`"));
            }
        }
    }

    fn hidden_failures(&mut self) {
        let script = &self.item.script;
        // Whoever looks at statuses or traps errors knows what they do.
        if ["$?", "PIPESTATUS", "trap "]
            .iter()
            .any(|word| script.contains(word))
        {
            return;
        }
        let mut statement: Vec<&Command> = Vec::new();
        let mut unseen: Option<&Command> = None;
        let mut ended = false;
        for command in self.commands {
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
        if let Some(command) = unseen {
            let name = match command.name() {
                Some(name) => name.to_owned(),
                None => command
                    .words
                    .first()
                    .map(|word| word.text.clone())
                    .unwrap_or_default(),
            };
            self.add(
                &rule::HIDDEN_FAILURE,
                command,
                format!("a failure of `{name}` is not seen: only the item's last command counts"),
            );
        }
    }

    fn lost_exports(&mut self) {
        let mut set: Option<String> = None;
        for command in self.commands {
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
                self.add(&rule::EXIT_LOSES_EXPORTS, command, message);
                return;
            }
            if is_child(command) {
                continue;
            }
            if let Some(name) = command
                .sets()
                .iter()
                .find(|name| self.exported.contains(name) || self.is_read_later(name))
            {
                set.get_or_insert_with(|| (*name).to_owned());
            } else if command.sources().is_some() && !self.exported.is_empty() {
                set.get_or_insert_with(|| "what it sourced".to_owned());
            }
        }
    }

    /// Whether a later item reads a variable that it does not set itself.
    fn is_read_later(&self, name: &str) -> bool {
        self.later.iter().any(|(item, commands)| {
            let mut own = commands.iter().flat_map(Command::sets);
            reads_variable(&item.script, name) && !own.any(|one| one == name)
        })
    }

    fn children(&mut self, in_shell: &[&str]) {
        for command in self.commands {
            if !is_child(command) {
                continue;
            }
            let lost = command
                .sets()
                .into_iter()
                .find(|name| self.exported.contains(name) && !in_shell.contains(name))
                .map(str::to_owned);
            if let Some(name) = lost {
                let message = format!("{name} is set in a child process and is lost with it");
                self.add(&rule::SET_IN_CHILD, command, message);
            }
        }
    }

    fn pipes(&mut self) {
        let script = &self.item.script;
        if ["pipefail", "PIPESTATUS"]
            .iter()
            .any(|word| script.contains(word))
        {
            return;
        }
        for (at, command) in self.commands.iter().enumerate() {
            let Some(name) = command.name().filter(|_| command.after == Join::Pipe) else {
                continue;
            };
            let is_ours = programs::of(name).is_some();
            // Whoever asks for the status of the pipe, in a condition or by `||`, takes the last one's for it.
            let is_asked = command.nested > 0 || is_handled(&self.commands[at..]);
            let first = command.before != Join::Pipe;
            let is_plain =
                name.starts_with(|c: char| c.is_ascii_alphanumeric() || "./_".contains(c));
            let may_fail = first && is_plain && !HARMLESS.contains(&name) && !FEEDS.contains(&name);
            if is_ours || (may_fail && !is_asked) {
                let short = name.rsplit('/').next().unwrap_or(name);
                let message = format!("a failure of {short} is not seen behind the pipe");
                self.add(&rule::PIPE_HIDES_FAILURE, command, message);
            }
        }
    }

    fn sources(&mut self) {
        if self.spec.env.shell.as_deref() == Some("bash") {
            // Outside of its POSIX mode bash looks in the folder as well.
            return;
        }
        for command in self.commands {
            let Some(file) = command.sources() else {
                continue;
            };
            if command.name() == Some(".") && !file.text.contains(['/', '$', '…']) {
                let name = file.text.clone();
                let message = format!("`. {name}` looks for {name} in PATH");
                self.add(&rule::SOURCE_BY_PATH, command, message).hint =
                    Some(format!("write `. ./{name}`"));
            }
        }
    }
}

/// Commands that succeed, or whose failure nobody waits for.
const HARMLESS: [&str; 27] = [
    ":", "[", "[[", "alias", "basename", "date", "dirname", "echo", "env", "exit", "export",
    "false", "hostname", "printenv", "printf", "ps", "pwd", "return", "set", "shopt", "sleep",
    "test", "true", "type", "uname", "unset", "whoami",
];

/// Commands that are at the head of a pipe for their text, and fail only with it.
const FEEDS: [&str; 13] = [
    "awk", "cat", "cut", "find", "grep", "head", "ls", "sed", "seq", "sort", "tail", "which", "yes",
];

/// Whether a pipe says what happens when it fails: `||` behind its last command.
fn is_handled(commands: &[Command]) -> bool {
    let last = commands.iter().find(|one| one.after != Join::Pipe);
    last.is_some_and(|one| one.after == Join::Or)
}

/// Whether the command in a substitution may fail, and nothing in it says what then.
fn can_fail(inner: &str) -> bool {
    if inner.contains("||") {
        return false;
    }
    match shell::commands(inner) {
        // `$(<file)`, a nested construct, or what was not followed: no finding.
        None => false,
        Some(commands) => commands
            .first()
            .and_then(Command::name)
            .is_some_and(|name| !HARMLESS.contains(&name) && !name.starts_with(['<', '$'])),
    }
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

#[cfg(test)]
mod tests;
