//! The export file at the start of a run.

use crate::env_file::Dialect;
use crate::export::file::{self, ExportFile, FileFault};
use crate::failure::Failure;
use crate::program::spec::Program;
use crate::program::style::Style;
use crate::settings::layers::{self, Environment};
use crate::settings::value::Switch;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Makes the place ready: the old file goes, and only a dry run leaves it.
pub(super) fn open(
    path: &Path,
    environment: &Environment,
    dry_run: bool,
) -> Result<ExportFile, FileFault> {
    file::refuse_of_github(path, |name| Some(environment.get(name)?.value.clone()))?;
    if dry_run {
        ExportFile::keep(path)
    } else {
        ExportFile::prepare(path)
    }
}

/// The same for a command line that cannot be read, as far as the file can be known: a stale file
/// must not be sourced after a mistyped flag either.
pub(super) fn despite(
    program: &Program,
    arguments: &[OsString],
    failure: Failure,
    style: &mut Style,
) -> Failure {
    match opened(program, arguments) {
        None => failure,
        Some(opened) => {
            style.exports_to_file = true;
            match opened {
                Ok(_) => failure,
                Err(fault) => failure.detail(format!("--export-file: {fault}")),
            }
        }
    }
}

/// The same for a program that ends before it has read a single setting.
pub(super) fn remove_stale(program: &Program, arguments: &[OsString]) {
    drop(opened(program, arguments));
}

/// The file that the arguments or the environment name, made ready.
fn opened(program: &Program, arguments: &[OsString]) -> Option<Result<ExportFile, FileFault>> {
    let files: Vec<PathBuf> = values(arguments, "--env-file")
        .into_iter()
        .map(PathBuf::from)
        .collect();
    let (environment, _) =
        layers::environment(program, std::env::vars_os(), &files, Dialect::default());
    let set = |field: &str| {
        let found = environment.get(&program.variable(field));
        found.map(|found| found.value.clone())
    };
    let typed = values(arguments, "--export-file").pop();
    let path = typed.or_else(|| set("export_file"))?;
    let dry_run = dry_run(program, arguments, &environment);
    Some(open(Path::new(&path), &environment, dry_run))
}

fn dry_run(program: &Program, arguments: &[OsString], environment: &Environment) -> bool {
    let on = |text: &str| text.parse().is_ok_and(|Switch(on)| on);
    let typed = flags(arguments).filter_map(|one| one.to_str());
    match typed
        .filter(|one| one.split('=').next() == Some("--dry-run"))
        .last()
    {
        Some(flag) => flag.split_once('=').is_none_or(|(_, text)| on(text)),
        None => {
            layers::text(environment, &program.variable("dry_run")).is_some_and(|text| on(&text))
        }
    }
}

/// The arguments before `--`.
fn flags(arguments: &[OsString]) -> impl Iterator<Item = &OsString> {
    let rest = arguments.iter().skip(1);
    rest.take_while(|argument| *argument != "--")
}

/// Every value of a flag, in either way of writing it.
pub(super) fn values(arguments: &[OsString], flag: &str) -> Vec<OsString> {
    let mut found = Vec::new();
    let mut rest = flags(arguments);
    while let Some(argument) = rest.next() {
        if argument == flag {
            found.extend(rest.next().cloned());
        } else if let Some(value) = argument
            .to_str()
            .and_then(|text| text.strip_prefix(flag)?.strip_prefix('='))
        {
            found.push(value.into());
        }
    }
    found.retain(|value| !value.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::values;
    use std::ffi::OsString;

    #[test]
    fn a_flag_is_found_in_either_way_of_writing_it() {
        let line = ["x", "--a=1", "--a", "2", "--ab", "3", "--a=", "--", "--a=4"];
        let line: Vec<OsString> = line.iter().map(OsString::from).collect();
        assert_eq!(values(&line, "--a"), ["1", "2"]);
    }
}
