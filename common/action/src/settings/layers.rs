//! Merging the sources of settings: flag, process environment, env files (later wins), default.

use crate::program::spec::Program;
use clap::ArgMatches;
use clap::parser::ValueSource;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A command-line flag.
    Flag,
    /// The process's environment.
    Environment,
    /// A line of an env file.
    File(PathBuf, usize),
    /// The program's default.
    Default,
}

/// One variable of the environment around the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its value.
    pub value: OsString,
    /// Where it came from.
    pub origin: Origin,
}

/// The environment after env files: what the process has, and under it what the files give.
/// Holds no empty values: see [`Program::none_when_empty`].
pub type Environment = BTreeMap<String, Variable>;

/// The value of a variable, where it is text.
pub(crate) fn text(environment: &Environment, name: &str) -> Option<String> {
    Some(environment.get(name)?.value.to_str()?.to_owned())
}

/// A setting's declaration, as far as merging needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The field of the settings struct, which is also the flag with `_` for `-`.
    pub field: String,
    /// The environment variable.
    pub variable: String,
    /// `--flag`, or `<NAME>` for a positional argument.
    pub flag: String,
}

/// The settings of one run: each field's text and where it came from.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    declared: Vec<Declared>,
    values: BTreeMap<String, (String, Origin)>,
}

impl Layers {
    /// Merges everything. Faults are messages of unknown or unreadable settings.
    pub(crate) fn merge(
        program: &Program,
        declared: Vec<Declared>,
        matches: &ArgMatches,
        environment: &Environment,
    ) -> (Self, Vec<String>) {
        let mut faults = unknown_variables(program, &declared, environment);
        let mut values = BTreeMap::new();
        for Declared {
            field,
            variable,
            flag,
        } in &declared
        {
            let from_flags = matches.get_raw(field).map(|parts| {
                let parts: Vec<OsString> = parts.map(ToOwned::to_owned).collect();
                // No argument can hold a NUL, so nothing in one can look like a second one.
                parts.join(std::ffi::OsStr::new("\0"))
            });
            let from_environment = environment.get(variable);
            let is_typed = matches.value_source(field) == Some(ValueSource::CommandLine);
            let (value, origin) = match (from_flags, from_environment) {
                (Some(typed), _) if is_typed => (
                    said(program, variable, typed).unwrap_or_default(),
                    Origin::Flag,
                ),
                (_, Some(found)) => (found.value.clone(), found.origin.clone()),
                (Some(default), None) => (default, Origin::Default),
                (None, None) => continue,
            };
            match value.into_string() {
                Ok(text) => {
                    values.insert(field.clone(), (text, origin));
                }
                Err(_) if origin == Origin::Flag => faults.push(format!("{flag}: not UTF-8")),
                Err(_) => faults.push(format!("{variable}: not UTF-8")),
            }
        }
        (Self { declared, values }, faults)
    }

    /// The pairs that `envy` reads.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.values
            .iter()
            .map(|(field, (text, _))| (field.clone(), text.clone()))
    }

    fn declaration(&self, field: &str) -> Option<&Declared> {
        self.declared
            .iter()
            .find(|declared| declared.field == field)
    }

    /// The environment variable of a field.
    #[must_use]
    pub fn variable(&self, field: &str) -> String {
        self.declaration(field)
            .map_or_else(|| field.to_uppercase(), |found| found.variable.clone())
    }

    /// The flag of a field.
    #[must_use]
    pub fn flag(&self, field: &str) -> String {
        self.declaration(field).map_or_else(
            || format!("--{}", field.replace('_', "-")),
            |found| found.flag.clone(),
        )
    }

    /// How to name a field's value in a fault: by the flag, the variable, or the file and line.
    #[must_use]
    pub fn place(&self, field: &str) -> String {
        match self.values.get(field).map(|(_, origin)| origin) {
            Some(Origin::Flag) => self.flag(field),
            Some(Origin::File(path, line)) => {
                format!("{}:{line}: {}", path.display(), self.variable(field))
            }
            Some(Origin::Environment | Origin::Default) | None => self.variable(field),
        }
    }
}

/// Our prefix with a name that is no setting is a typo.
fn unknown_variables(
    program: &Program,
    declared: &[Declared],
    environment: &Environment,
) -> Vec<String> {
    environment
        .iter()
        .filter(|(name, _)| {
            name.starts_with(program.prefix)
                && !declared.iter().any(|known| known.variable == **name)
        })
        .map(|(name, found)| {
            let place = match &found.origin {
                Origin::File(path, line) => format!("{}:{line}: ", path.display()),
                _ => String::new(),
            };
            let nearest = nearest(name, declared.iter().map(|known| known.variable.as_str()));
            let suggestion =
                nearest.map_or_else(String::new, |known| format!(" (did you mean {known}?)"));
            format!("{place}{name}: no such setting{suggestion}")
        })
        .collect()
}

/// The known word nearest to `word`, if one is near enough to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2.max(candidate.len() / 5))
        .min()
        .map(|(_, candidate)| candidate)
}

/// What a variable's text says: empty is nothing, and for the few that a program names `none`.
fn said(program: &Program, variable: &str, text: OsString) -> Option<OsString> {
    match text.is_empty() {
        false => Some(text),
        true if program.none_when_empty.contains(&variable) => Some("none".into()),
        true => None,
    }
}

/// The process's environment with the env files under it.
pub(crate) fn environment(
    program: &Program,
    process: impl Iterator<Item = (OsString, OsString)>,
    files: &[PathBuf],
    dialect: crate::env_file::Dialect,
) -> (Environment, Vec<String>) {
    let mut faults = Vec::new();
    let process: Environment = process
        .filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let value = said(program, &name, value)?;
            let origin = Origin::Environment;
            Some((name, Variable { value, origin }))
        })
        .collect();
    let mut merged = Environment::new();
    for path in files {
        let (variables, messages) = read_file(program, path, dialect, &process);
        merged.extend(variables);
        faults.extend(messages);
    }
    merged.extend(process);
    (merged, faults)
}

/// The variables that the process has, that are empty, and that libraries read by themselves. To the AWS
/// SDK, and to the reader of certificate authorities, empty is a value, and a wrong one.
pub(crate) fn emptied_for_libraries(
    process: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<OsString> {
    process
        .filter(|(_, value)| value.is_empty())
        .map(|(name, _)| name)
        .filter(|name| {
            name.to_str()
                .is_some_and(|name| name.starts_with("AWS_") || name.starts_with("SSL_CERT_"))
        })
        .collect()
}

/// What a file gives, as far as it is beyond doubt, and what is wrong with it.
fn read_file(
    program: &Program,
    path: &Path,
    dialect: crate::env_file::Dialect,
    process: &Environment,
) -> (Environment, Vec<String>) {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let fault = format!("cannot read env file {}: {error}", path.display());
            return (Environment::new(), vec![fault]);
        }
    };
    let from_host = |name: &str| {
        let found = process.get(name)?;
        Some(found.value.to_str()?.to_owned())
    };
    let (assignments, faults) = crate::env_file::read(&bytes, dialect, from_host);
    let variables = assignments.into_iter().filter_map(|assignment| {
        let value = said(program, &assignment.name, assignment.value.into())?;
        let origin = Origin::File(path.to_owned(), assignment.line);
        Some((assignment.name, Variable { value, origin }))
    });
    let faults = faults
        .iter()
        .map(|fault| format!("{}:{fault}", path.display()));
    (variables.collect(), faults.collect())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["MAKE_AMI_TIMEOUT", "MAKE_AMI_TAGS"];
        assert_eq!(
            nearest("MAKE_AMI_TIMOUT", known.into_iter()),
            Some("MAKE_AMI_TIMEOUT")
        );
        assert_eq!(
            nearest("MAKE_AMI_TAG", known.into_iter()),
            Some("MAKE_AMI_TAGS")
        );
        assert_eq!(nearest("MAKE_AMI_COLOUR_OF_BOX", known.into_iter()), None);
    }
}
