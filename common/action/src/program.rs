//! Running an action: from the arguments of the process to its exit code.

pub(crate) mod command;
mod context;
mod description;
mod export_file;
mod output;
mod overview;
mod panic;
pub(crate) mod spec;
mod style;

use crate::codebuild::CodeBuild;
use crate::exit::Exit;
use crate::export::file::ExportFile;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::log;
use crate::redact;
use crate::settings::Settings;
use crate::settings::faults::Faults;
use crate::settings::layers::{self, Environment, Layers};
use crate::settings::secret::Secret;
use crate::settings::value::{self, Lines, Timeout};
pub use command::command;
use command::declared;
use command::{Common, Exports, Phases, asks_for_overview, env_dialect, env_files, usage_failure};
pub use context::Context;
use context::build_failed_before;
pub use description::{Description, Setting};
pub use output::Output;
use output::{hand_over, report, write_stdout};
pub use overview::overview;
pub use spec::{Permission, Program, Subcommand};
use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use style::Style;
use tokio::time::Instant;

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
    panic::install(program);
    let mut style = Style::default();
    let ended = prepare::<S>(program, &mut style).and_then(|prepared| match prepared {
        Prepared::Said(text) => write_stdout(&text).map(|()| Exit::Done),
        Prepared::Ready(ready) => {
            let Ready {
                settings,
                start,
                export_file,
            } = *ready;
            if start.acts {
                panic::acting();
            }
            let output = in_runtime(start, |context| act(settings, context))?;
            hand_over(output, export_file.as_ref())
        }
    });
    ended
        .unwrap_or_else(|failure| report(&failure, &style))
        .into()
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
    /// Whether something outside may be changed.
    acts: bool,
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
            return Ok(Prepared::Said(overview::<S>(program)));
        }
        Err(error) if !error.use_stderr() => return Ok(Prepared::Said(error.render().to_string())),
        Err(error) => {
            let failure = usage_failure(program, &error);
            style.writes_data = guessed_data::<S>(program, &arguments);
            return Err(export_file::despite(program, &arguments, failure, style));
        }
    };
    if matches.get_flag(command::DESCRIBE) {
        let description = Description::of::<S>(program);
        let text = serde_json::to_string_pretty(&description);
        let text =
            text.map_err(|error| Failure::failed("cannot describe the program").cause(error))?;
        return Ok(Prepared::Said(text + "\n"));
    }
    let (subcommand, matches) = match matches.subcommand() {
        Some((name, matches)) => (Some(name.to_owned()), matches),
        None => (None, &matches),
    };
    let files = env_files(matches);
    let (dialect, dialect_fault) = env_dialect(matches);
    let (environment, file_faults) =
        layers::environment(program, std::env::vars_os(), &files, dialect);
    let (layers, layer_faults) =
        Layers::merge(program, declared::<S>(program), matches, &environment);
    let pairs: Vec<_> = layers.pairs().collect();
    hide_declared(program, &pairs, &environment);
    let format = pairs.iter().find(|(field, _)| field == "format");
    let format = format.map(|(_, text)| text.as_str());
    style.writes_data = writes_data::<S>(program, subcommand.as_deref(), format);
    let mut faults = Faults::new(layers).under(subcommand.as_deref());
    // In a dialect that is not the meant one, lines are wrong that are none.
    let file_faults = match dialect_fault {
        Some(fault) => vec![fault],
        None => file_faults,
    };
    let is_partial = !file_faults.is_empty();
    for fault in file_faults.into_iter().chain(layer_faults) {
        faults.add(fault);
    }
    // Reading never fails (see `Given`), so an error here is a declaration that does not fit.
    let misfit = |error: envy::Error| Failure::failed("cannot read the settings").cause(error);
    let common: Common = envy::from_iter(pairs.clone()).map_err(misfit)?;
    let exports: Exports = envy::from_iter(pairs.clone()).map_err(misfit)?;
    let phases: Phases = envy::from_iter(pairs.clone()).map_err(misfit)?;
    let raw: S = envy::from_iter(pairs).map_err(misfit)?;

    style.format = faults
        .optional("log_format", common.log_format)
        .unwrap_or_default();
    log::start(
        style.format,
        faults.optional("log", common.log).unwrap_or_default(),
    );
    let export_path = faults.optional("export_file", exports.export_file);
    style.exports_to_file = export_path.is_some();
    let dry_run = faults.switch("dry_run", common.dry_run);
    let plan_file = faults.optional("plan_file", common.plan_file);
    let timeout = faults.required("timeout", common.timeout);
    let even_if_failed = faults.switch("even_if_failed", phases.even_if_failed);
    // First of all, so that no path through this run leaves a stale file to be sourced.
    let export_file = export_path.as_deref().and_then(|path| {
        export_file::open(path, &environment, dry_run)
            .map_err(|fault| faults.of("export_file", fault))
            .ok()
    });
    panic::told(
        style,
        export_file
            .as_ref()
            .filter(|_| !dry_run)
            .map(|file| file.path().to_owned()),
    );
    if is_partial {
        faults.partial();
    }
    let settings = raw.check(&mut faults);
    if !faults.is_empty() {
        let failure = faults.into_failure(program.name);
        return Err(match export_path {
            Some(_) => failure,
            // It may have been given in a way that no setting can be read from.
            None => export_file::despite(program, &arguments, failure, style),
        });
    }
    let (Some(settings), Some(Timeout(timeout))) = (settings, timeout) else {
        return Err(Failure::failed(
            "a setting was lost after it was checked; this is a defect",
        ));
    };
    let codebuild = CodeBuild::read(|name| layers::text(&environment, name));
    let acts =
        program.changes_the_world && !is_read_only(program, subcommand.as_deref()) && !dry_run;
    let failed_before = S::runs_in_builds() && codebuild.succeeding == Some(false);
    if acts && failed_before && !even_if_failed {
        return Err(build_failed_before(program.name));
    }
    let emptied = layers::emptied_for_libraries(std::env::vars_os());
    if !files.is_empty() || !emptied.is_empty() {
        return Err(restart_with(&environment, &emptied, &arguments));
    }
    let start = Start {
        acts,
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

fn is_read_only(program: &Program, command: Option<&str>) -> bool {
    let command = command.and_then(|name| program.subcommand(name));
    command.is_some_and(|command| command.read_only)
}

fn writes_data<S: Settings>(
    program: &Program,
    command: Option<&str>,
    format: Option<&str>,
) -> bool {
    is_read_only(program, command) || S::writes_data(command, format)
}

/// The same for a command line that cannot be read, as far as it can be known.
fn guessed_data<S: Settings>(program: &Program, arguments: &[OsString]) -> bool {
    let words = arguments.iter().skip(1).filter_map(|one| one.to_str());
    let mut commands = words.filter(|word| program.subcommand(word).is_some());
    let typed = export_file::values(arguments, "--format").pop();
    let format = typed.or_else(|| std::env::var_os(program.variable("format")));
    let format = format.as_ref().and_then(|text| text.to_str());
    writes_data::<S>(program, commands.next(), format)
}

/// The values of the variables that a program's setting for it names are shown to nobody.
fn hide_declared(program: &Program, pairs: &[(String, String)], environment: &Environment) {
    let Some(declared) = program.secret_names_field else {
        return;
    };
    let Some((_, names)) = pairs.iter().find(|(field, _)| field == declared) else {
        return;
    };
    let values = value::names(names).filter_map(|name| layers::text(environment, name));
    redact::hide(values.map(Secret::from));
}

/// Starts the program again with the env files' variables in its process environment, without
/// `--env-file` and without `emptied`, so that everything that reads the environment by itself (AWS
/// profiles, endpoints, certificate authorities) sees it as the settings do. Returns only when that fails.
fn restart_with(
    environment: &Environment,
    emptied: &[OsString],
    arguments: &[OsString],
) -> Failure {
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
    let mut command = std::process::Command::new(&program);
    for name in emptied {
        command.env_remove(name);
    }
    let error = command
        .args(kept)
        .envs(environment.iter().map(|(name, found)| (name, &found.value)))
        .exec();
    Failure::refused(format!(
        "cannot start {} again with the variables of the env files",
        program.display()
    ))
    .cause(error)
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
            acts: _,
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

/// The paths in a list setting.
#[must_use]
pub fn paths(lines: &Lines) -> Vec<PathBuf> {
    lines.0.iter().map(Path::new).map(Path::to_owned).collect()
}
