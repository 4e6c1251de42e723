//! Where values come from: arguments, the environment, env files, JSON files.

use crate::settings::{Checked, FromJson};
use action::env_file;
use action::failure::Failure;
use action::settings::layers::Environment;
use serde_json::Value;
use std::fs;

/// A value with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it came from, for messages.
    pub place: String,
}

/// Collects every variable, in the order env files, JSON files, arguments. The same name with two
/// values is a conflict that names both places.
///
/// # Errors
/// Every source that cannot be read, and every conflict, as one refusal.
pub fn collect(settings: &Checked, environment: &Environment) -> Result<Vec<Variable>, Failure> {
    let mut faults = Vec::new();
    let mut found = Vec::new();
    for file in &settings.from_file {
        match env_variables(file, settings, environment) {
            Ok(variables) => found.extend(variables),
            Err(messages) => faults.extend(messages),
        }
    }
    let json = settings.from_json.iter().map(json_variable);
    let given = settings
        .variables
        .iter()
        .map(|text| argument(text, environment));
    for result in json.chain(given) {
        match result {
            Ok(variable) => found.push(variable),
            Err(message) => faults.push(message),
        }
    }
    let mut variables: Vec<Variable> = Vec::new();
    for variable in found {
        let earlier = variables
            .iter()
            .find(|earlier| earlier.name == variable.name);
        match earlier {
            Some(earlier) if earlier.value != variable.value => faults.push(format!(
                "{}: {} already set by {} to another value",
                variable.place, variable.name, earlier.place
            )),
            Some(_) => {}
            None => variables.push(variable),
        }
    }
    if faults.is_empty() {
        return Ok(variables);
    }
    let refusal = Failure::refused("not every value can be had; nothing was exported");
    Err(faults.into_iter().fold(refusal, Failure::detail))
}

fn env_variables(
    file: &str,
    settings: &Checked,
    environment: &Environment,
) -> Result<Vec<Variable>, Vec<String>> {
    let bytes = fs::read(file).map_err(|error| vec![format!("cannot read {file}: {error}")])?;
    let from_host = |name: &str| Some(environment.get(name)?.value.to_str()?.to_owned());
    let assignments = env_file::parse(&bytes, settings.dialect, from_host).map_err(|faults| {
        let told = faults.iter().map(|fault| format!("{file}:{fault}"));
        told.map(|text| text.replace("--env-dialect", "--dialect"))
            .collect::<Vec<_>>()
    })?;
    Ok(assignments
        .into_iter()
        .map(|assignment| Variable {
            place: format!("{file}:{}", assignment.line),
            name: assignment.name,
            value: assignment.value,
        })
        .collect())
}

fn json_variable(source: &FromJson) -> Result<Variable, String> {
    let place = format!("{}#{}", source.file.display(), source.pointer);
    let text = fs::read_to_string(&source.file)
        .map_err(|error| format!("cannot read {}: {error}", source.file.display()))?;
    let document: Value = serde_json::from_str(&text)
        .map_err(|error| format!("{} is not JSON: {error}", source.file.display()))?;
    let value = match document.pointer(&source.pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(scalar @ (Value::Number(_) | Value::Bool(_))) => scalar.to_string(),
        Some(Value::Null) => return Err(format!("{place} is null")),
        Some(_) => {
            return Err(format!(
                "{place} is a list or an object; point at one of its values"
            ));
        }
        None => return Err(format!("{place}: there is nothing at this pointer")),
    };
    Ok(Variable {
        name: source.name.clone(),
        value,
        place,
    })
}

fn argument(text: &str, environment: &Environment) -> Result<Variable, String> {
    if let Some((name, value)) = text.split_once('=') {
        return Ok(Variable {
            name: name.to_owned(),
            value: value.to_owned(),
            place: "the argument".to_owned(),
        });
    }
    let found = environment
        .get(text)
        .ok_or_else(|| format!("{text}: not set in the environment, or empty"))?;
    let value = found.value.to_str().ok_or_else(|| {
        let bytes = std::os::unix::ffi::OsStrExt::as_bytes(found.value.as_os_str());
        let offset = std::str::from_utf8(bytes).map_or_else(|error| error.valid_up_to(), str::len);
        format!("{text}: byte at offset {offset} is not UTF-8")
    })?;
    Ok(Variable {
        name: text.to_owned(),
        value: value.to_owned(),
        place: "the environment".to_owned(),
    })
}
