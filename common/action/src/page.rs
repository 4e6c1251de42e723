//! What the documentation is generated from: tables of settings, exports, exit codes and IAM
//! actions. A test of each program compares its page with these.

use crate::exit;
use crate::program::{self, Program, command::declared};
use crate::settings::Settings;

/// The settings as a Markdown table.
#[must_use]
pub fn settings<S: Settings>(program: &Program) -> String {
    let command = program::command::<S>(program);
    let mut text = "| variable | flag | default | meaning |\n|---|---|---|---|\n".to_owned();
    for declared in declared::<S>(program) {
        let Some(argument) = command
            .get_arguments()
            .find(|argument| argument.get_id().as_str() == declared.field)
        else {
            continue;
        };
        let default: Vec<_> = argument
            .get_default_values()
            .iter()
            .map(|value| format!("`{}`", value.to_string_lossy()))
            .collect();
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let meaning = help
            .rsplit_once(" [")
            .map_or(help.as_str(), |(meaning, _)| meaning);
        text.push_str(&format!(
            "| `{}` | `{}` | {} | {} |\n",
            declared.variable,
            declared.flag,
            default.join(" "),
            meaning.replace('|', "\\|").replace('\n', " ")
        ));
    }
    text
}

/// The exported variables as a Markdown table.
#[must_use]
pub fn exports(program: &Program) -> String {
    let rows = program.exports.iter();
    let rows = rows.map(|(name, meaning)| format!("| `{name}` | {meaning} |\n"));
    format!(
        "| variable | value |\n|---|---|\n{}",
        rows.collect::<String>()
    )
}

/// The exit codes as a Markdown table.
#[must_use]
pub fn exits() -> String {
    let rows = exit::ALL.iter().map(|exit| {
        let job = exit
            .failure_type()
            .map_or_else(String::new, |kind| format!("`{kind}`"));
        format!("| {} | {} | {job} |\n", exit.code(), exit.meaning())
    });
    format!(
        "| code | meaning | CodePipeline failure type |\n|---|---|---|\n{}",
        rows.collect::<String>()
    )
}

/// The IAM actions as a Markdown table.
#[must_use]
pub fn permissions(program: &Program) -> String {
    let rows = program.permissions.iter();
    let rows = rows.map(|needed| format!("| `{}` | {} |\n", needed.action, needed.purpose));
    format!(
        "| IAM action | what for |\n|---|---|\n{}",
        rows.collect::<String>()
    )
}
