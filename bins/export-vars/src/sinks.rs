//! What is written, each in its consumer's own form.

use crate::settings::{Checked, Format};
use crate::sources::Variable;
use action::export::Exports;
use action::failure::Failure;
use action::program::Output;
use serde_json::{Map, Value, json};

/// Renders checked variables.
///
/// # Errors
/// When the base of a template configuration cannot be completed.
pub fn render(variables: &[Variable], settings: &Checked) -> Result<Output, Failure> {
    match settings.format {
        Format::Sh => {
            let mut exports = Exports::new();
            for Variable { name, value, .. } in variables {
                exports.add(name, value).map_err(|fault| {
                    Failure::refused("a variable cannot be exported").cause(fault)
                })?;
            }
            Ok(Output::Exports(exports))
        }
        Format::Json => Ok(Output::Data(format!(
            "{:#}\n",
            Value::Object(object(variables))
        ))),
        Format::Docker => Ok(Output::Data(
            variables
                .iter()
                .map(|Variable { name, value, .. }| format!("{name}={value}\n"))
                .collect(),
        )),
        Format::TemplateConfiguration => template_configuration(variables, settings),
    }
}

fn object(variables: &[Variable]) -> Map<String, Value> {
    variables
        .iter()
        .map(|Variable { name, value, .. }| (name.clone(), Value::from(value.as_str())))
        .collect()
}

/// `{"Parameters": …, "Tags": …, "StackPolicy": …}`, values as strings:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html>.
fn template_configuration(variables: &[Variable], settings: &Checked) -> Result<Output, Failure> {
    let mut document = match &settings.base {
        None => Map::new(),
        Some(path) => {
            let refuse = |cause: String| {
                Failure::refused(format!("cannot complete {}", path.display())).cause(cause)
            };
            let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
            match serde_json::from_str(&text) {
                Ok(Value::Object(document)) => document,
                Ok(_) => return Err(refuse("it is not a JSON object".to_owned())),
                Err(error) => return Err(refuse(format!("it is not JSON: {error}"))),
            }
        }
    };
    let parameters = document
        .entry("Parameters")
        .or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(parameters) = parameters else {
        return Err(Failure::refused(
            "Parameters of the base file is not an object",
        ));
    };
    parameters.extend(object(variables));
    Ok(Output::Data(format!("{:#}\n", Value::Object(document))))
}

/// What would be exported, for people and for machines: names and places, no values.
#[must_use]
pub fn plan(variables: &[Variable]) -> (String, Value) {
    let lines = variables.iter().map(|variable| {
        format!(
            "  {} ({} bytes, from {})\n",
            variable.name,
            variable.value.len(),
            variable.place
        )
    });
    let names: Vec<_> = variables
        .iter()
        .map(|variable| json!({"name": variable.name, "from": variable.place}))
        .collect();
    (
        format!("plan: export\n{}", lines.collect::<String>()),
        json!({ "exports": names }),
    )
}
