//! What `-h` says: a program on one screen. `--help` explains every setting.

use crate::program::command::{HELP, command};
use crate::program::spec::Program;
use crate::settings::Settings;
use std::fmt::Write as _;

/// Columns; a build's log and the smallest terminal show that many.
const WIDTH: usize = 80;

/// The overview of a command line: usage, subcommands, and the flags by group.
#[must_use]
pub fn overview<S: Settings>(program: &Program) -> String {
    let command = command::<S>(program);
    let mut text = format!("{}\n", program.about);
    let usage = command.clone().render_usage().to_string();
    let _ = writeln!(text, "{usage}");
    if !program.commands.is_empty() {
        let names: Vec<_> = program
            .commands
            .iter()
            .map(|command| command.name.to_owned())
            .collect();
        text.push_str(&list("Commands", &names));
    }
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for argument in command.get_arguments() {
        if matches!(argument.get_id().as_str(), HELP | "version") {
            continue;
        }
        let heading = argument.get_help_heading().unwrap_or("Settings").to_owned();
        let name = argument.get_long().map_or_else(
            || format!("<{}>", argument.get_id().as_str().to_uppercase()),
            |long| format!("--{long}"),
        );
        match groups.iter_mut().find(|(known, _)| *known == heading) {
            Some((_, names)) => names.push(name),
            None => groups.push((heading, vec![name])),
        }
    }
    for (heading, names) in &groups {
        text.push_str(&list(heading, names));
    }
    let example = program.variable("timeout");
    let _ = write!(text, "\nEach is a variable too: --timeout is {example}");
    if !program.plain.is_empty() {
        let _ = write!(text, "; without prefix: {}", program.plain.join(", "));
    }
    let _ = writeln!(
        text,
        ".\n`{} --help` explains every one.\n\n{}",
        program.name,
        program.examples.trim_end()
    );
    text
}

fn list(heading: &str, names: &[String]) -> String {
    let mut text = format!("\n{heading}:\n");
    let mut line = String::from(" ");
    for name in names {
        if line.len() + 1 + name.len() > WIDTH && line.len() > 1 {
            let _ = writeln!(text, "{line}");
            line = String::from(" ");
        }
        let _ = write!(line, " {name}");
    }
    let _ = writeln!(text, "{line}");
    text
}
