//! What a consumer would drop or misread, refused before anything is written.
//!
//! Here are the rules for every variable; [`consumer`] has those of who reads it, [`buildspec`] those
//! of the build around, [`secrets`] what must not become public. No message repeats a value.

pub mod buildspec;
pub mod consumer;
mod ids;
pub mod secrets;

use crate::settings::{Checked, Format};
use crate::sources::Variable;
use crate::table;
use action::export::name::NameFault;
use action::export::{ExportFault, Exports, Reader};
use action::failure::Failure;
use action::settings::layers::Environment;
use contract::buildspec::Buildspec;

/// What the variables are checked against, besides the settings.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The environment of the build.
    pub environment: &'a Environment,
    /// The buildspec around, when one is given.
    pub buildspec: Option<&'a Buildspec>,
    /// From [`crate::project::secrets`].
    pub project: &'a [(String, String)],
}

/// Checks all variables, and reports every fault at once. What may be meant is a warning.
///
/// # Errors
/// The refusal.
pub fn check(
    variables: &[Variable],
    settings: &Checked,
    around: &Surroundings<'_>,
) -> Result<Vec<String>, Failure> {
    let mut faults: Vec<String> = Vec::new();
    let mut warnings = Vec::new();
    let secrets = secrets::of_build(settings, around);
    let mut exports = Exports::read_by(reader(settings), &settings.allow_name);
    // With each variable beyond the limit the sum grows; only the whole of it is told.
    let mut too_large = None;
    for variable in variables {
        match export(&mut exports, variable) {
            Err(fault @ ExportFault::TooLarge { .. }) => too_large = Some(fault.to_string()),
            // A value that cannot travel at all says nothing about its consumer.
            Err(fault) => {
                faults.push(told(&fault));
                continue;
            }
            Ok(()) => {}
        }
        let name = &variable.name;
        let found = [
            value(variable, settings),
            consumer::value(variable, settings),
            secrets::value(variable, settings, &secrets),
        ];
        let found = found.into_iter().filter_map(Result::err);
        faults.extend(found.map(|fault| format!("{name}: {fault}")));
        warnings.extend(secrets::doubt(variable, settings));
    }
    faults.extend(too_large);
    faults.extend(consumer::all(variables, settings));
    if let Some(spec) = around.buildspec {
        faults.extend(buildspec::compare(
            variables,
            settings,
            spec,
            around.environment,
        ));
    }
    if faults.is_empty() {
        return Ok(warnings);
    }
    let refusal = Failure::refused("not every variable can be exported; nothing was exported");
    Err(faults.into_iter().fold(refusal, Failure::detail))
}

/// The variables as exports.
///
/// # Errors
/// The first one that cannot travel; [`check`] has refused it before.
pub fn exports(variables: &[Variable], settings: &Checked) -> Result<Exports, Failure> {
    let mut exports = Exports::read_by(reader(settings), &settings.allow_name);
    for variable in variables {
        export(&mut exports, variable).map_err(|fault| {
            Failure::refused("a variable cannot be exported; nothing was exported")
                .detail(told(&fault))
        })?;
    }
    Ok(exports)
}

/// Who reads what is written: limits of output variables are none of a file's.
fn reader(settings: &Checked) -> Reader {
    let for_pipeline = settings.buildspec.is_some()
        || settings.parameter_overrides.is_some()
        || !settings.consumers.is_empty();
    match settings.format {
        Format::Sh => Reader::Shell,
        Format::Job => Reader::Pipeline,
        _ if for_pipeline => Reader::Pipeline,
        _ => Reader::File,
    }
}

fn export(exports: &mut Exports, variable: &Variable) -> Result<(), ExportFault> {
    if variable.passed_on {
        exports.pass_on(&variable.name, &variable.value)
    } else {
        exports.add(&variable.name, &variable.value)
    }
}

fn told(fault: &ExportFault) -> String {
    match fault {
        ExportFault::Name(
            NameFault::Steering(name) | NameFault::Aws(name) | NameFault::OfShell(name),
        ) => {
            format!("{fault}; use --allow-name {name}")
        }
        ExportFault::Name(NameFault::NotAnIdentifier(name)) => fault
            .to_string()
            .replace(&format!("{name:?}"), &table::name(name)),
        _ => fault.to_string(),
    }
}

fn value(variable: &Variable, settings: &Checked) -> Result<(), String> {
    let Variable { name, value, .. } = variable;
    if value.is_empty() && !settings.allow_empty {
        return Err(
            "is empty; nothing downstream can use it (--allow-empty to pass it)".to_owned(),
        );
    }
    if let Some(reference) = unresolved(value) {
        return Err(format!(
            "{reference:?} was never resolved: set it on the pipeline action, not on the project"
        ));
    }
    ids::check(name, value)?;
    if let Some(at) = value.find(char::is_control)
        && !settings.multiline
    {
        let line = value[..at].matches('\n').count() + 1;
        return Err(format!(
            "line {line} ends in a line break or holds a control character; pass --multiline if the consumer accepts it"
        ));
    }
    Ok(())
}

/// A CodePipeline reference that reached the build as text. What stands between the brackets is
/// shown only where it is a reference and so no value.
fn unresolved(value: &str) -> Option<&str> {
    let start = value.find("#{")?;
    let end = start + value[start..].find('}')? + 1;
    let inside = &value[start + 2..end - 1];
    let is_reference = inside.split_once('.').is_some_and(|(namespace, key)| {
        contract::variables::is_name(namespace) && contract::variables::is_name(key)
    });
    Some(if is_reference {
        &value[start..end]
    } else {
        "#{…}"
    })
}

#[cfg(test)]
mod tests;
