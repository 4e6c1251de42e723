//! The `release-pages` binary: `release-pages FOLDER` writes `FOLDER/PROGRAM/man/PROGRAM.1` and
//! `FOLDER/PROGRAM/completions/PROGRAM.SHELL` for every program.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use release::pages;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(folder), None) = (arguments.next().map(PathBuf::from), arguments.next()) else {
        return said("usage: release-pages FOLDER", 2);
    };
    for command in pages::commands() {
        let into = folder.join(command.get_name());
        if let Err(error) = pages::write(&command, &into) {
            return said(
                &format!(
                    "error: cannot write pages below {}: {error}",
                    into.display()
                ),
                1,
            );
        }
    }
    ExitCode::SUCCESS
}

fn said(text: &str, code: u8) -> ExitCode {
    drop(writeln!(std::io::stderr(), "{text}"));
    ExitCode::from(code)
}
