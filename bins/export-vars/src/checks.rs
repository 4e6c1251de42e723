//! What a consumer would drop or misread, refused before anything is written.
//!
//! Here are the rules for every variable; [`consumer`] has those of who reads it, [`buildspec`] those
//! of the build around, [`secrets`] what must not become public. No message repeats a value.

pub(crate) mod buildspec;
pub(crate) mod consumer;
pub(crate) mod exports;
mod ids;
pub(crate) mod secrets;
pub(crate) mod surroundings;

use crate::checks::exports::{export, reader, told};
use crate::checks::surroundings::Surroundings;
use crate::settings::Checked;
use crate::variable::Variable;
use action::export::{ExportFault, Exports};
use action::failure::Failure;

/// Checks all variables, and reports every fault at once. What may be meant is a warning.
pub(crate) fn check(
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
