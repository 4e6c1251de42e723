//! The commands of a shell script, as far as the checks of a buildspec need them.
//!
//! This reads POSIX shell to find commands, their words and how they are joined; it expands nothing
//! and runs nothing. A script that it cannot follow to the end has no commands here, because a wrong
//! finding is worse than none.

mod command;
mod read;

pub use command::{Command, Join, Word, is_name};
pub use read::commands;

impl Command {
    /// A substitution in an argument that may fail: what is assigned by it, else `X`, and its first line.
    pub(crate) fn substitution_that_can_fail(&self) -> Option<(&str, String)> {
        self.arguments().iter().skip(1).find_map(|word| {
            let inner = word.substitutions.iter().find(|inner| can_fail(inner))?;
            let line = inner.trim().lines().next().unwrap_or_default();
            Some((
                word.assigned().unwrap_or("X"),
                line.chars().take(60).collect(),
            ))
        })
    }
}

/// Commands that succeed, or whose failure nobody waits for.
pub(crate) const HARMLESS: [&str; 27] = [
    ":", "[", "[[", "alias", "basename", "date", "dirname", "echo", "env", "exit", "export",
    "false", "hostname", "printenv", "printf", "ps", "pwd", "return", "set", "shopt", "sleep",
    "test", "true", "type", "uname", "unset", "whoami",
];

/// Whether the command in a substitution may fail, and nothing in it says what then.
pub(crate) fn can_fail(inner: &str) -> bool {
    if inner.contains("||") {
        return false;
    }
    match commands(inner) {
        // `$(<file)`, a nested construct, or what was not followed: no finding.
        None => false,
        Some(commands) => commands
            .first()
            .and_then(Command::name)
            .is_some_and(|name| !HARMLESS.contains(&name) && !name.starts_with(['<', '$'])),
    }
}

#[cfg(test)]
mod tests;
