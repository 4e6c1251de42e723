//! The command line of a program, and what is read from it before any setting.

use crate::env_file::Dialect;
use crate::failure::Failure;
use crate::log;
use crate::program::spec::Program;
use crate::settings::Settings;
use crate::settings::given::Given;
use crate::settings::layers::Declared;
use crate::settings::value::{Switch, Timeout};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, ArgMatches, Args, Command};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::PathBuf;

/// What a later item of a build takes.
#[derive(Debug, Args, Deserialize, Default)]
#[serde(default)]
pub(super) struct Exports {
    /// Write the exports to this file instead of stdout; source it in the next buildspec item
    #[arg(long, value_name = "FILE", help_heading = "Every program")]
    pub(super) export_file: Given<PathBuf>,
}

/// The settings that every program has.
#[derive(Debug, Args, Deserialize, Default)]
#[serde(default)]
pub(super) struct Common {
    /// Make only read-only calls, and print the plan to stderr
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "Every program")]
    pub(super) dry_run: Given<Switch>,
    /// With --dry-run, also write the plan to this file as JSON
    #[arg(long, value_name = "FILE", help_heading = "Every program")]
    pub(super) plan_file: Given<PathBuf>,
    /// The deadline of the whole run, such as 90s, 20m or 6h
    #[arg(long, value_name = "DURATION", help_heading = "Every program")]
    pub(super) timeout: Given<Timeout>,
    /// The format of the log lines on stderr: text or json
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Every program"
    )]
    pub(super) log_format: Given<log::Format>,
    /// The log level, or target=level pairs such as info,aws_config=debug
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Every program"
    )]
    pub(super) log: Given<log::Filter>,
}

/// What an earlier phase of a build has come to.
#[derive(Debug, Args, Deserialize, Default)]
#[serde(default)]
pub(super) struct Phases {
    /// Run even though an earlier build phase failed (CODEBUILD_BUILD_SUCCEEDING=0)
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "Every program")]
    pub(super) even_if_failed: Given<Switch>,
}

/// The id of `-h` and `--help`.
pub(crate) const HELP: &str = "help";

/// The id of `--describe`.
pub(crate) const DESCRIBE: &str = "describe";

/// The command line of a program, with every setting as a flag.
#[must_use]
pub fn command<S: Settings>(program: &Program) -> Command {
    let with_settings = |command: Command| {
        let command = S::augment_args(command);
        let command = if S::runs_in_builds() {
            Phases::augment_args(Common::augment_args(Exports::augment_args(command)))
        } else {
            Common::augment_args(command)
        };
        command
            .mut_args(|argument| argument.required(false))
            .mut_arg("timeout", |argument| argument.default_value(program.timeout))
            .mut_args(|argument| {
                let field = argument.get_id().as_str().to_owned();
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                let variable = program.variable(&field);
                let is_list = matches!(argument.get_action(), ArgAction::Append) && !argument.is_positional();
                let list = if is_list { "; repeatable" } else { "" };
                argument.help(format!("{help}{list} [{variable}]"))
            })
            .arg(
                clap::Arg::new("env_file")
                    .long("env-file")
                    .value_name("FILE")
                    .action(ArgAction::Append)
                    .help_heading("Every program")
                    .help("Read variables from the NAME=value lines of this file; a later file overrides an earlier one, and the process environment overrides them all; repeatable"),
            )
            .arg(
                clap::Arg::new("env_dialect")
                    .long("env-dialect")
                    .value_name("DIALECT")
                    .help_heading("Every program")
                    .help("The syntax of the env files: portable (only lines that every reader understands in the same way), docker, compose, dotenv or sh"),
            )
            .arg(
                clap::Arg::new(HELP)
                    .short('h')
                    .long("help")
                    .action(ArgAction::Help)
                    .help("Explain every setting (--help), or list them on one screen (-h)"),
            )
    };
    let describe = clap::Arg::new(DESCRIBE)
        .long("describe")
        .action(ArgAction::SetTrue)
        .help_heading("Every program")
        .help("Print the settings, commands and exports as JSON, for programs that run this one");
    let mut command = with_settings(Command::new(program.name))
        .arg(describe)
        .about(program.about)
        .version(program.version)
        .after_help(program.examples)
        .subcommand_precedence_over_arg(true)
        .args_conflicts_with_subcommands(true)
        .disable_help_flag(true)
        .disable_help_subcommand(true);
    for subcommand in program.commands {
        let declared = with_settings(Command::new(subcommand.name)).disable_help_flag(true);
        command = command.subcommand(declared.about(subcommand.about));
    }
    command
}

/// Every setting of a program: field, variable, flag.
pub(crate) fn declared<S: Settings>(program: &Program) -> Vec<Declared> {
    command::<S>(program)
        .get_arguments()
        .filter(|argument| {
            !matches!(
                argument.get_id().as_str(),
                "env_file" | "env_dialect" | HELP | DESCRIBE | "version"
            )
        })
        .map(|argument| {
            let field = argument.get_id().to_string();
            let flag = match argument.get_long() {
                Some(long) => format!("--{long}"),
                None => format!("<{}>", field.to_uppercase()),
            };
            Declared {
                variable: program.variable(&field),
                field,
                flag,
            }
        })
        .collect()
}

/// `-h` is the overview, `--help` the whole; after `--` all are arguments like any other.
pub(super) fn asks_for_overview(error: &clap::Error, arguments: &[OsString]) -> bool {
    let mut flags = arguments.iter().take_while(|argument| *argument != "--");
    error.kind() == ErrorKind::DisplayHelp && !flags.any(|argument| argument == "--help")
}

pub(super) fn env_files(matches: &ArgMatches) -> Vec<PathBuf> {
    matches
        .get_raw("env_file")
        .map(|files| files.map(PathBuf::from).collect())
        .unwrap_or_default()
}

pub(super) fn env_dialect(matches: &ArgMatches) -> (Dialect, Option<String>) {
    let Some(text) = matches.get_one::<String>("env_dialect") else {
        return (Dialect::default(), None);
    };
    match text.parse() {
        Ok(dialect) => (dialect, None),
        Err(message) => (
            Dialect::default(),
            Some(format!("--env-dialect: {message}")),
        ),
    }
}

pub(super) fn usage_failure(program: &Program, error: &clap::Error) -> Failure {
    let failure = if let Some((flag, near)) = unknown_flag(error) {
        // What clap says more is how the flag that it guessed is used, which is help itself where nothing is near.
        let failure = Failure::refused(format!("unexpected argument '{flag}' found"));
        near.into_iter().fold(failure, |failure, near| {
            failure.detail(format!("did you mean {near}?"))
        })
    } else if is_stray(program, error) {
        Failure::refused("there is an unexpected argument").detail(
            "it is not shown, because it may be part of a secret value; quote a value that has spaces in it, as in --flag 'a b'",
        )
    } else {
        told(error)
    };
    failure.hint(format!("`{} --help` lists every setting", program.name))
}

/// Whether the error is about an argument that is neither a flag nor near to a command: it may be a part of a
/// value, of a command with spaces for example.
fn is_stray(program: &Program, error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => {
            program.subcommand(word).is_none()
                && error.get(ContextKind::SuggestedSubcommand).is_none()
        }
        _ => error.kind() == ErrorKind::UnknownArgument,
    }
}

/// In clap's own words.
fn told(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let deed = lines.next().unwrap_or("wrong usage");
    let failure = Failure::refused(deed.strip_prefix("error: ").unwrap_or(deed));
    lines.fold(failure, |failure, line| failure.detail(line.trim_start()))
}

/// A flag that there is not, without a value, and the one that was meant.
fn unknown_flag(error: &clap::Error) -> Option<(&str, Option<&str>)> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg).filter(|flag| flag.starts_with('-'))?;
    let flag = flag.split('=').next()?;
    // What begins with dashes is a value as often as a flag: the first line of a key, a password.
    let is_flag = flag.strip_prefix("--").is_some_and(|name| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    (error.kind() == ErrorKind::UnknownArgument && is_flag).then(|| {
        let near = text(ContextKind::SuggestedArg);
        let near = near.filter(|near| !near.starts_with("--help") || flag.starts_with("--help"));
        (flag, near)
    })
}
