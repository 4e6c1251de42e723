//! What a program leaves: its data on stdout or in a file, its failure on stderr, its exit code.

use crate::exit::Exit;
use crate::export::Exports;
use crate::export::file::ExportFile;
use crate::failure::Failure;
use crate::log;
use crate::program::panic;
use crate::program::style::Style;
use crate::redact;
use std::io::{self, IsTerminal as _, Write as _};

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

pub(super) fn hand_over(output: Output, file: Option<&ExportFile>) -> Result<Exit, Failure> {
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

pub(super) fn report(failure: &Failure, style: &Style) -> Exit {
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
    if !style.nobody_evaluates() && !io::stdout().is_terminal() {
        drop(write_stdout(&format!("(exit {})\n", exit.code())));
    }
    exit
}

pub(super) fn write_stdout(text: &str) -> Result<(), Failure> {
    panic::writing();
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::failed("cannot write to stdout").cause(error))
}

/// stderr may be closed; there is nobody to tell then.
pub(super) fn write_stderr(text: &str) {
    let text = redact::redacted(text);
    drop(io::stderr().lock().write_all(text.as_bytes()));
}
