//! The rules and limits of who reads the variables.

use crate::settings::{Checked, Consumer, Format};
use crate::sinks;
use crate::variable::Variable;
use contract::variables::{MAX_OVERRIDES_BYTES, MAX_VALUE_CHARS, first_not_json_plain, references};

/// The most `outputVariables` of a Commands action:
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Commands.html>.
const MAX_COMMANDS_VARIABLES: usize = 15;

/// CloudFormation's own bounds for a parameter, in characters and bytes:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>.
const MAX_PARAMETER_NAME: usize = 255;
const MAX_PARAMETER_VALUE: usize = 4096;

/// What the format, and the overrides, ask of one variable.
pub(crate) fn value(variable: &Variable, settings: &Checked) -> Result<(), String> {
    let Variable { name, value, .. } = variable;
    if is_for_overrides(name, settings)
        && let Some((offset, _)) = first_not_json_plain(value)
    {
        return Err(format!(
            "would break the ParameterOverrides JSON at offset {offset}"
        ));
    }
    match settings.format {
        Format::TemplateConfiguration => parameter(name, value),
        Format::Docker => sinks::docker::check(name, value),
        Format::Dotenv => sinks::dotenv::check(name, value),
        Format::Gitlab => sinks::gitlab::check(value),
        Format::Azure => sinks::azure::check(name),
        Format::GetParam => parameter_value(value),
        Format::Sh | Format::Github | Format::Json | Format::Job => Ok(()),
    }
}

/// What is asked of all variables together.
pub(crate) fn all(variables: &[Variable], settings: &Checked) -> Vec<String> {
    let mut faults = Vec::new();
    if settings.consumers.contains(&Consumer::CommandsAction)
        && variables.len() > MAX_COMMANDS_VARIABLES
    {
        faults.push(format!(
            "{} output variables; a Commands action allows {MAX_COMMANDS_VARIABLES}",
            variables.len()
        ));
    }
    if settings.format == Format::Gitlab {
        faults.extend(sinks::gitlab::check_all(
            variables,
            settings.gitlab_variables,
        ));
    }
    match &settings.parameter_overrides {
        Some(text) => faults.extend(overrides(text, variables).err()),
        None if settings.consumers.contains(&Consumer::ParameterOverrides) => {
            // At least this, whatever the parameters are called.
            let text = serde_json::Value::Object(sinks::json::object(variables)).to_string();
            faults.extend(fits(&text, variables).err());
        }
        None => {}
    }
    faults
}

fn is_for_overrides(name: &str, settings: &Checked) -> bool {
    if settings.consumers.contains(&Consumer::ParameterOverrides) {
        return true;
    }
    let Some(text) = &settings.parameter_overrides else {
        return false;
    };
    references(text).is_ok_and(|found| found.iter().any(|one| one.key == name))
}

/// The overrides with our variables put in, as CodePipeline does: as text. What another action gives
/// stays as it is.
fn overrides(text: &str, variables: &[Variable]) -> Result<(), String> {
    let found = references(text).map_err(|fault| format!("--parameter-overrides: {fault}"))?;
    let mut resolved = String::new();
    let mut used = Vec::new();
    let mut from = 0;
    for reference in found {
        let ours = variables.iter().find(|one| one.name == reference.key);
        if let Some(variable) = ours {
            resolved.push_str(&text[from..reference.span.start]);
            resolved.push_str(&variable.value);
            from = reference.span.end;
            used.push(variable.clone());
        }
    }
    resolved.push_str(&text[from..]);
    let plain = used
        .iter()
        .all(|one| first_not_json_plain(&one.value).is_none());
    // A value that breaks it is named by itself.
    if plain
        && !serde_json::from_str::<serde_json::Value>(&resolved).is_ok_and(|json| json.is_object())
    {
        return Err("--parameter-overrides: not a JSON object".to_owned());
    }
    fits(&resolved, &used)
}

fn fits(resolved: &str, used: &[Variable]) -> Result<(), String> {
    let (bytes, characters) = (resolved.len(), resolved.chars().count());
    let (size, limit, unit) = if bytes > MAX_OVERRIDES_BYTES {
        (bytes, MAX_OVERRIDES_BYTES, "bytes")
    } else if characters > MAX_VALUE_CHARS {
        (characters, MAX_VALUE_CHARS, "characters")
    } else {
        return Ok(());
    };
    let mut largest: Vec<&Variable> = used.iter().collect();
    largest.sort_by_key(|one| std::cmp::Reverse(one.value.len()));
    let names: Vec<&str> = largest
        .iter()
        .take(2)
        .map(|one| one.name.as_str())
        .collect();
    Err(format!(
        "resolved ParameterOverrides is {size} {unit}, limit {limit}: move {} to TemplateConfiguration or Fn::GetParam",
        names.join(", ")
    ))
}

/// Whether CloudFormation can have a parameter of this name and value.
fn parameter(name: &str, value: &str) -> Result<(), String> {
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) || name.len() > MAX_PARAMETER_NAME {
        return Err(
            "not a template parameter's name (letters and digits only); write such as VPCId=\"$VPC_ID\""
                .to_owned(),
        );
    }
    parameter_value(value)
}

fn parameter_value(value: &str) -> Result<(), String> {
    if value.len() > MAX_PARAMETER_VALUE {
        return Err(format!(
            "{} bytes; a template parameter has at most {MAX_PARAMETER_VALUE}",
            value.len()
        ));
    }
    Ok(())
}
