//! Running an action: from the arguments of the process to its exit code.

use crate::codebuild::CodeBuild;
use crate::env_file::Dialect;
use crate::exit::Exit;
use crate::export::Exports;
use crate::export::file::ExportFile;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::log;
use crate::overview::overview;
use crate::redact;
use crate::settings::Settings;
use crate::settings::faults::Faults;
use crate::settings::given::Given;
use crate::settings::layers::{self, Declared, Environment, Layers};
use crate::settings::secret::Secret;
use crate::settings::value::{Lines, Switch, Timeout};
use clap::error::ErrorKind;
use clap::{ArgAction, ArgMatches, Args, Command};
use serde::Deserialize;
use std::ffi::OsString;
use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// What a program is: its names, its promises, and what its pages are generated from.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    /// The binary's name, such as `make-ami`.
    pub name: &'static str,
    /// Its one job, in a line.
    pub about: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The prefix of its own variables, such as `MAKE_AMI_`.
    pub prefix: &'static str,
    /// Variables that carry no prefix because today's buildspecs use them.
    pub plain: &'static [&'static str],
    /// Subcommands with their one-line help; empty for most.
    pub commands: &'static [(&'static str, &'static str)],
    /// The default of `--timeout`, such as `6h`.
    pub timeout: &'static str,
    /// Whether it changes the outside world, and so refuses after a failed build phase.
    pub changes_the_world: bool,
    /// The variables that it exports, with their meaning.
    pub exports: &'static [(&'static str, &'static str)],
    /// The IAM actions that it calls.
    pub permissions: &'static [Permission],
    /// Examples for the end of `--help`.
    pub examples: &'static str,
}

/// An IAM action that a program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// Such as `ec2:CreateImage`.
    pub action: &'static str,
    /// What for, and when it is needed.
    pub purpose: &'static str,
}

/// The settings that every program has.
#[derive(Debug, Args, Deserialize, Default)]
#[serde(default)]
struct Common {
    /// Write the exports to this file instead of stdout; source it in the next buildspec item
    #[arg(long, value_name = "FILE", help_heading = "Every program")]
    export_file: Given<PathBuf>,
    /// Make read-only calls only and print the plan to stderr
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Every program")]
    dry_run: Given<Switch>,
    /// With --dry-run, also write the plan to this file as JSON
    #[arg(long, value_name = "FILE", help_heading = "Every program")]
    plan_file: Given<PathBuf>,
    /// The one deadline of the whole run, such as 90s, 20m or 6h
    #[arg(long, value_name = "DURATION", help_heading = "Every program")]
    timeout: Given<Timeout>,
    /// Log lines as text or json, on stderr
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Every program"
    )]
    log_format: Given<log::Format>,
    /// What to log: a level, or target=level pairs such as info,aws_config=debug
    #[arg(
        long,
        value_name = "FILTER",
        default_value = "info",
        help_heading = "Every program"
    )]
    log: Given<log::Filter>,
    /// Act although an earlier build phase failed (CODEBUILD_BUILD_SUCCEEDING=0)
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true", help_heading = "Every program")]
    even_if_failed: Given<Switch>,
}

/// What surrounds a running action.
#[derive(Debug)]
pub struct Context {
    /// The subcommand, when one was given.
    pub command: Option<String>,
    /// Only look and print the plan.
    pub dry_run: bool,
    /// Where the plan goes as JSON.
    pub plan_file: Option<PathBuf>,
    /// When the run must be over.
    pub deadline: Instant,
    /// The deadline as it was given.
    pub timeout: Duration,
    /// The build around us.
    pub codebuild: CodeBuild,
    /// Whether to act although an earlier build phase failed.
    pub even_if_failed: bool,
    /// Whether we were asked to stop.
    pub interrupt: Interrupt,
    /// The environment, env files included; empty values are absent.
    pub environment: Environment,
}

impl Context {
    /// A variable of the environment around the program.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        variable(&self.environment, name)
    }

    /// Refuses to go on after a failed build phase, unless told otherwise or nothing is changed.
    ///
    /// # Errors
    /// The refusal.
    pub fn refuse_after_failure(&self, program: &str) -> Result<(), Failure> {
        if self.codebuild.succeeding != Some(false) || self.even_if_failed || self.dry_run {
            return Ok(());
        }
        Err(build_failed_before(program))
    }

    /// Prints text for people to stderr.
    pub fn show(&self, text: &str) {
        write_stderr(text);
    }

    /// Prints a plan to stderr and, when asked for, writes it as JSON.
    ///
    /// # Errors
    /// When the plan file cannot be written.
    pub fn show_plan(&self, text: &str, json: &serde_json::Value) -> Result<(), Failure> {
        write_stderr(text);
        let Some(path) = &self.plan_file else {
            return Ok(());
        };
        let json = format!("{json:#}\n");
        std::fs::write(path, redact::redacted(&json).as_bytes()).map_err(|error| {
            Failure::refused(format!("cannot write the plan file {}", path.display())).cause(error)
        })
    }
}

fn build_failed_before(program: &str) -> Failure {
    Failure::refused(format!(
        "an earlier phase of this build failed (CODEBUILD_BUILD_SUCCEEDING=0); {program} does nothing"
    ))
    .hint("CodeBuild runs post_build after a failed build; --even-if-failed acts all the same")
}

fn variable(environment: &Environment, name: &str) -> Option<String> {
    Some(environment.get(name)?.value.to_str()?.to_owned())
}

/// What a successful action hands to the next command.
#[derive(Debug, Default)]
pub enum Output {
    /// Nothing: a dry run, or a check.
    #[default]
    Nothing,
    /// Exported variables.
    Exports(Exports),
    /// Data in a format of the program's own.
    Data(String),
    /// What a check found, which is data whatever the exit: it is written out as it is, and nothing is
    /// added to it.
    Verdict {
        /// For stdout.
        stdout: String,
        /// For stderr.
        stderr: String,
        /// How the program ends.
        exit: Exit,
    },
}

/// Runs `act` as the program `program` and gives the process's exit code.
///
/// Settings are read and checked first; a fault there, and anything else that `act` refuses, has
/// touched nothing. The export file of an earlier run is removed before `act` starts.
pub fn run<S, F, Fut>(program: &Program, act: F) -> ExitCode
where
    S: Settings,
    F: FnOnce(S::Checked, Context) -> Fut,
    Fut: Future<Output = Result<Output, Failure>>,
{
    let mut style = Style::default();
    let ended = prepare::<S>(program, &mut style).and_then(|prepared| match prepared {
        Prepared::Said(text) => write_stdout(&text).map(|()| Exit::Done),
        Prepared::Ready(ready) => {
            let Ready {
                settings,
                start,
                export_file,
            } = *ready;
            let output = in_runtime(start, |context| act(settings, context))?;
            hand_over(output, export_file.as_ref())
        }
    });
    ended
        .unwrap_or_else(|failure| report(&failure, &style))
        .into()
}

/// Subcommands that change nothing, in whichever program has them: they also serve a failed build.
const LOOKS_ONLY: [&str; 2] = ["check", "digest"];

/// How a failure is reported; known as soon as the settings are read.
#[derive(Default)]
struct Style {
    format: log::Format,
    /// Whether exports go to a file, so that stdout belongs to nobody's `eval`.
    exports_to_file: bool,
}

enum Prepared<T> {
    Said(String),
    Ready(Box<Ready<T>>),
}

struct Ready<T> {
    settings: T,
    start: Start,
    export_file: Option<ExportFile>,
}

/// A [`Context`] whose clock and signal handlers do not run yet.
struct Start {
    command: Option<String>,
    dry_run: bool,
    plan_file: Option<PathBuf>,
    timeout: Duration,
    codebuild: CodeBuild,
    even_if_failed: bool,
    environment: Environment,
}

fn prepare<S: Settings>(
    program: &Program,
    style: &mut Style,
) -> Result<Prepared<S::Checked>, Failure> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = match command::<S>(program).try_get_matches_from(&arguments) {
        Ok(matches) => matches,
        Err(error) if asks_for_overview(&error, &arguments) => {
            return Ok(Prepared::Said(overview(program, &command::<S>(program))));
        }
        Err(error) if !error.use_stderr() => return Ok(Prepared::Said(error.render().to_string())),
        Err(error) => return Err(usage_failure(program, &error)),
    };
    let (subcommand, matches) = match matches.subcommand() {
        Some((name, matches)) => (Some(name.to_owned()), matches),
        None => (None, &matches),
    };
    let files = env_files(matches);
    let (dialect, dialect_fault) = env_dialect(matches);
    let (environment, file_faults) = layers::environment(std::env::vars_os(), &files, dialect);
    let (layers, layer_faults) =
        Layers::merge(program, declared::<S>(program), matches, &environment);
    let pairs: Vec<_> = layers.pairs().collect();
    hide_declared(&pairs, &environment);
    let mut faults = Faults::new(layers).under(subcommand.as_deref());
    for fault in dialect_fault
        .into_iter()
        .chain(file_faults)
        .chain(layer_faults)
    {
        faults.add(fault);
    }
    // Reading never fails (see `Given`), so an error here is a declaration that does not fit.
    let misfit = |error: envy::Error| Failure::failed("cannot read the settings").cause(error);
    let common: Common = envy::from_iter(pairs.clone()).map_err(misfit)?;
    let raw: S = envy::from_iter(pairs).map_err(misfit)?;

    style.format = faults
        .optional("log_format", common.log_format)
        .unwrap_or_default();
    log::start(
        style.format,
        faults.optional("log", common.log).unwrap_or_default(),
    );
    let export_path = faults.optional("export_file", common.export_file);
    style.exports_to_file = export_path.is_some();
    let dry_run = faults.switch("dry_run", common.dry_run);
    let plan_file = faults.optional("plan_file", common.plan_file);
    let timeout = faults.required("timeout", common.timeout);
    let even_if_failed = faults.switch("even_if_failed", common.even_if_failed);
    // First of all, so that no path through this run leaves a stale file to be sourced.
    let export_file = export_path.as_deref().and_then(|path| {
        ExportFile::prepare(path)
            .map_err(|fault| faults.of("export_file", fault))
            .ok()
    });
    let settings = raw.check(&mut faults);
    if !faults.is_empty() {
        return Err(faults.into_failure(program.name));
    }
    let (Some(settings), Some(Timeout(timeout))) = (settings, timeout) else {
        return Err(Failure::failed(
            "a setting was dropped without a word; this is a defect",
        ));
    };
    let codebuild = CodeBuild::read(|name| variable(&environment, name));
    let looks_only = subcommand
        .as_deref()
        .is_some_and(|name| LOOKS_ONLY.contains(&name));
    if program.changes_the_world
        && !looks_only
        && codebuild.succeeding == Some(false)
        && !even_if_failed
        && !dry_run
    {
        return Err(build_failed_before(program.name));
    }
    if !files.is_empty() {
        return Err(restart_with(&environment, &arguments));
    }
    let start = Start {
        command: subcommand,
        dry_run,
        plan_file,
        timeout,
        codebuild,
        even_if_failed,
        environment,
    };
    Ok(Prepared::Ready(Box::new(Ready {
        settings,
        start,
        export_file,
    })))
}

/// A program that has a setting `secrets` names the variables there whose values nobody may read.
fn hide_declared(pairs: &[(String, String)], environment: &Environment) {
    let Some((_, names)) = pairs.iter().find(|(field, _)| field == "secrets") else {
        return;
    };
    let names: Lines = match names.parse() {
        Ok(names) => names,
        Err(never) => match never {},
    };
    let values = names
        .0
        .iter()
        .filter_map(|name| variable(environment, name));
    redact::hide(values.map(Secret::from));
}

/// Starts the program again with the env files' variables in its process environment and without
/// `--env-file`, so that everything that reads the environment by itself (AWS profiles, endpoints,
/// proxies, certificate authorities) sees them too. Returns only when that fails.
fn restart_with(environment: &Environment, arguments: &[OsString]) -> Failure {
    let mut kept = Vec::new();
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--env-file" || text == "--env-dialect" {
            rest.next();
        } else if text == "--" {
            kept.push(argument.clone());
            kept.extend(rest.by_ref().cloned());
        } else if !text.starts_with("--env-file=") && !text.starts_with("--env-dialect=") {
            kept.push(argument.clone());
        }
    }
    let program = std::env::current_exe()
        .unwrap_or_else(|_| PathBuf::from(arguments.first().cloned().unwrap_or_default()));
    let error = std::process::Command::new(&program)
        .args(kept)
        .envs(environment.iter().map(|(name, found)| (name, &found.value)))
        .exec();
    Failure::refused(format!(
        "cannot start {} again with the env files",
        program.display()
    ))
    .cause(error)
}

/// The command line of a program, with every setting as a flag.
#[must_use]
pub fn command<S: Args>(program: &Program) -> Command {
    let with_settings = |command: Command| {
        let command = Common::augment_args(S::augment_args(command));
        command
            .mut_args(|argument| argument.required(false))
            .mut_arg("timeout", |argument| argument.default_value(program.timeout))
            .mut_args(|argument| {
                let field = argument.get_id().as_str().to_owned();
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                let variable = program.variable(&field);
                argument.help(format!("{help} [{variable}]"))
            })
            .arg(
                clap::Arg::new("env_file")
                    .long("env-file")
                    .value_name("FILE")
                    .action(ArgAction::Append)
                    .help_heading("Every program")
                    .help("Take variables from NAME=value lines; repeatable, the later file wins, the process environment wins over all"),
            )
            .arg(
                clap::Arg::new("env_dialect")
                    .long("env-dialect")
                    .value_name("DIALECT")
                    .help_heading("Every program")
                    .help("How to read env files: portable (only lines that all readers agree on), docker, compose, dotenv or sh"),
            )
    };
    let mut command = with_settings(Command::new(program.name))
        .about(program.about)
        .version(program.version)
        .after_help(program.examples)
        .subcommand_precedence_over_arg(true)
        .args_conflicts_with_subcommands(true)
        .disable_help_subcommand(true);
    for (name, about) in program.commands {
        command = command.subcommand(with_settings(Command::new(name)).about(*about));
    }
    command
}

impl Program {
    /// The environment variable of a settings field.
    #[must_use]
    pub fn variable(&self, field: &str) -> String {
        let name = field.to_uppercase();
        if self.plain.contains(&name.as_str()) {
            name
        } else {
            format!("{}{name}", self.prefix)
        }
    }
}

/// Every setting of a program: field, variable, flag.
pub(crate) fn declared<S: Args>(program: &Program) -> Vec<Declared> {
    command::<S>(program)
        .get_arguments()
        .filter(|argument| {
            !matches!(
                argument.get_id().as_str(),
                "env_file" | "env_dialect" | "help" | "version"
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

/// `-h` is the overview, `--help` the whole; after `--` both are arguments like any other.
fn asks_for_overview(error: &clap::Error, arguments: &[OsString]) -> bool {
    let mut flags = arguments.iter().take_while(|argument| *argument != "--");
    error.kind() == ErrorKind::DisplayHelp && !flags.any(|argument| argument == "--help")
}

fn env_files(matches: &ArgMatches) -> Vec<PathBuf> {
    matches
        .get_raw("env_file")
        .map(|files| files.map(PathBuf::from).collect())
        .unwrap_or_default()
}

fn env_dialect(matches: &ArgMatches) -> (Dialect, Option<String>) {
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

fn usage_failure(program: &Program, error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty());
    let deed = lines.next().unwrap_or("wrong usage");
    let failure = Failure::refused(deed.strip_prefix("error: ").unwrap_or(deed));
    lines
        .filter(|line| !line.starts_with("For more information"))
        .fold(failure, |failure, line| failure.detail(line.trim_start()))
        .hint(format!("`{} --help` lists every setting", program.name))
}

fn in_runtime<Fut>(start: Start, act: impl FnOnce(Context) -> Fut) -> Result<Output, Failure>
where
    Fut: Future<Output = Result<Output, Failure>>,
{
    let no_start = |error: io::Error| Failure::failed("cannot start the runtime").cause(error);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(no_start)?;
    let done = runtime.block_on(async {
        let Start {
            command,
            dry_run,
            plan_file,
            timeout,
            codebuild,
            even_if_failed,
            environment,
        } = start;
        let context = Context {
            command,
            dry_run,
            plan_file,
            deadline: Instant::now() + timeout,
            timeout,
            codebuild,
            even_if_failed,
            interrupt: Interrupt::listen().map_err(no_start)?,
            environment,
        };
        act(context).await
    });
    // Nothing that still runs in the background may hold up the end.
    runtime.shutdown_background();
    done
}

fn hand_over(output: Output, file: Option<&ExportFile>) -> Result<Exit, Failure> {
    let text = match output {
        Output::Nothing => return Ok(Exit::Done),
        Output::Exports(exports) => {
            // Names only: a value may be one that the user would rather not see in a log.
            let names: Vec<_> = exports.iter().map(|(name, _)| name).collect();
            tracing::info!("exporting {}", names.join(", "));
            exports.to_shell()
        }
        Output::Data(text) => text,
        Output::Verdict {
            stdout,
            stderr,
            exit,
        } => {
            write_stderr(&stderr);
            return write_stdout(&stdout).map(|()| exit);
        }
    };
    match file {
        Some(file) => file.write(&text).map_err(|fault| {
            Failure::failed("cannot write the exports")
                .cause(fault)
                .hint("the work itself is done; running again adopts it and writes the exports")
        }),
        None => write_stdout(&text),
    }
    .map(|()| Exit::Done)
}

fn report(failure: &Failure, style: &Style) -> Exit {
    match style.format {
        log::Format::Text => write_stderr(&format!("error: {failure}\n")),
        log::Format::Json => {
            let remains = failure.remainders().iter();
            let remains: Vec<_> = remains
                .map(|left| format!("{}: {}", left.what, left.command))
                .collect();
            let (code, causes) = (failure.exit().code(), failure.causes().join("; "));
            tracing::error!(exit = code, causes, remains = remains.join("; "), text = %failure, "{}", failure.deed());
        }
    }
    let exit = failure.exit();
    // Whoever evaluates our output must not go on: the last status of an `eval` is then ours.
    if !style.exports_to_file && !io::stdout().is_terminal() {
        drop(write_stdout(&format!("(exit {})\n", exit.code())));
    }
    exit
}

fn write_stdout(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::failed("cannot write to stdout").cause(error))
}

/// stderr may be closed; there is nobody to tell then.
fn write_stderr(text: &str) {
    let text = redact::redacted(text);
    drop(io::stderr().lock().write_all(text.as_bytes()));
}

/// The paths in a list setting.
#[must_use]
pub fn paths(lines: &Lines) -> Vec<PathBuf> {
    lines.0.iter().map(Path::new).map(Path::to_owned).collect()
}
