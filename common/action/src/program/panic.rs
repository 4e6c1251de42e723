//! A panic ends the program as a failure does: `(exit N)` where a shell evaluates standard output, a message
//! on standard error, no export file, a code of the table.
//!
//! What ships aborts on panic, so the hook is the last of our code that runs, and it ends the process itself.
//! It may run in any thread, while others hold locks: it waits for none of them.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::program::export_file;
use crate::program::spec::Program;
use crate::program::style::Style;
use crate::{log, redact};
use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::AsFd;
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use tracing::level_filters::LevelFilter;

/// What the hook knows about the run.
#[derive(Debug, Default)]
struct Run {
    format: log::Format,
    nobody_evaluates: bool,
    /// The export file that a panic removes; none in a dry run.
    export_file: Option<PathBuf>,
    /// Whether the settings are read, so that all of the above is known.
    is_read: bool,
    /// Whether something outside may have been changed by now.
    acts: bool,
}

static RUN: RwLock<Run> = RwLock::new(Run {
    format: log::Format::Text,
    nobody_evaluates: false,
    export_file: None,
    is_read: false,
    acts: false,
});

/// Whether a part of the data may be on standard output.
static WROTE: AtomicBool = AtomicBool::new(false);

pub(super) fn install(program: &Program) {
    let program = *program;
    std::panic::set_hook(Box::new(move |panic| end(&program, panic)));
}

/// From now on a panic is reported in this style, and removes this export file.
pub(super) fn told(style: &Style, export_file: Option<PathBuf>) {
    let mut run = RUN.write().unwrap_or_else(PoisonError::into_inner);
    run.format = style.format;
    run.nobody_evaluates = style.nobody_evaluates();
    run.export_file = export_file;
    run.is_read = true;
}

/// From now on the action runs, and something may remain of it.
pub(super) fn acting() {
    let mut run = RUN.write().unwrap_or_else(PoisonError::into_inner);
    run.acts = true;
}

/// From now on a line on standard output may be unfinished.
pub(super) fn writing() {
    WROTE.store(true, Ordering::Relaxed);
}

fn end(program: &Program, panic: &PanicHookInfo<'_>) {
    static ENDING: AtomicBool = AtomicBool::new(false);
    if ENDING.swap(true, Ordering::SeqCst) {
        // Another thread is ending the process.
        loop {
            std::thread::park();
        }
    }
    let (exit, is_data, is_json) = {
        let run = RUN.try_read().ok();
        let acts = run.as_ref().is_none_or(|run| run.acts);
        let exit = if acts { Exit::Remains } else { Exit::Failed };
        let is_data = run.as_ref().is_some_and(|run| run.nobody_evaluates);
        let json = run.is_some_and(|run| run.format == log::Format::Json);
        (exit, is_data, json)
    };
    // First, so that it is there whatever goes wrong below.
    if !is_data && !io::stdout().is_terminal() {
        let start = if WROTE.load(Ordering::Relaxed) {
            "\n"
        } else {
            ""
        };
        write(&io::stdout(), &format!("{start}(exit {})\n", exit.code()));
    }
    remove_exports(program);
    let failure = words(program, panic, exit);
    let text = if is_json {
        let line = serde_json::json!({ "level": "ERROR", "message": failure.deed(), "exit": exit.code(), "text": failure.to_string() });
        format!("{line}\n")
    } else {
        format!("error: {failure}\n")
    };
    write(&io::stderr(), &text);
    #[expect(
        clippy::exit,
        reason = "nothing may run after a panic, and what returns from here aborts with a status that is no code of ours"
    )]
    std::process::exit(i32::from(exit.code()));
}

/// Neither a stale file nor one that was just written is sourced after this.
fn remove_exports(program: &Program) {
    let known = RUN
        .try_read()
        .ok()
        .filter(|run| run.is_read)
        .map(|run| run.export_file.clone());
    match known {
        Some(path) => drop(path.map(std::fs::remove_file)),
        None => {
            let arguments: Vec<_> = std::env::args_os().collect();
            export_file::remove_stale(program, &arguments);
        }
    }
}

/// The words of a panic may hold any value of the program. Only those that stand in its source are shown.
fn words(program: &Program, panic: &PanicHookInfo<'_>, exit: Exit) -> Failure {
    let Program { name, version, .. } = program;
    let place = panic.location().map_or_else(
        || "an unknown place".to_owned(),
        |place| {
            format!(
                "{}:{}:{}",
                of_source(place.file()),
                place.line(),
                place.column()
            )
        },
    );
    let failure = Failure::new(
        exit,
        format!("{name} {version} has a defect: it panicked in {place}"),
    );
    let payload = panic.payload();
    let failure = if let Some(literal) = payload.downcast_ref::<&'static str>() {
        failure.cause(literal)
    } else if let Some(text) = payload
        .downcast_ref::<String>()
        .filter(|_| LevelFilter::current() >= LevelFilter::DEBUG)
        .and_then(|text| redact::redacted_unless_locked(text))
    {
        failure.cause(text)
    } else {
        failure.detail(format!(
            "its message may contain a secret and is not shown; {}=debug shows it",
            program.variable("log")
        ))
    };
    let failure = if exit == Exit::Remains {
        failure.changed("what was made before may still be there; the lines above name it")
    } else {
        failure
    };
    failure.hint("please report this with the version, the place and the lines above")
}

/// The path of a source file without the folders of the machine that compiled it, and without the names that
/// `scripts/build-static` gives those folders.
fn of_source(file: &str) -> &str {
    let in_registry = file.split_once("/registry/src/");
    in_registry
        .and_then(|(_, rest)| rest.split_once('/'))
        .map(|(_, path)| path)
        .or_else(|| file.strip_prefix("/cargo/"))
        .or_else(|| file.strip_prefix("/actions/"))
        .unwrap_or(file)
}

/// Past the locks and buffers of the standard library: the thread that panicked may hold them.
fn write(stream: &impl AsFd, text: &str) {
    if let Ok(fd) = stream.as_fd().try_clone_to_owned() {
        // The stream may be closed; there is nobody to tell then.
        drop(File::from(fd).write_all(text.as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::of_source;

    #[test]
    fn a_place_is_named_without_the_machine_that_compiled_it() {
        let ours = "common/aws/src/session.rs";
        assert_eq!(of_source(ours), ours);
        assert_eq!(
            of_source(
                "/home/x/.cargo/registry/src/index.crates.io-19/aws-config-1.13.0/src/lib.rs"
            ),
            "aws-config-1.13.0/src/lib.rs"
        );
        assert_eq!(
            of_source("/cargo/aws-config-1.13.0/src/lib.rs"),
            "aws-config-1.13.0/src/lib.rs"
        );
        assert_eq!(of_source("/actions/common/aws/src/session.rs"), ours);
    }
}
