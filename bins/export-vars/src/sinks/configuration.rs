//! A template configuration of the CloudFormation action.

use crate::sinks::json;
use crate::variable::Variable;
use action::failure::Failure;
use serde_json::{Map, Value};
use std::path::Path;

/// `{"Parameters": …, "Tags": …, "StackPolicy": …}`, values as strings:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-cfn-artifacts.html>.
pub(crate) fn render(variables: &[Variable], base: Option<&Path>) -> Result<String, Failure> {
    let mut document = match base {
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
    parameters.extend(json::object(variables));
    let others: Vec<&str> = parameters
        .iter()
        .filter(|(_, value)| !value.is_string())
        .map(|(name, _)| name.as_str())
        .collect();
    if !others.is_empty() {
        return Err(Failure::refused(
            "Parameters of the base file has a value that is not a string; a template configuration has only strings",
        )
        .detail(format!("{}: write the value in quotes", others.join(", "))));
    }
    Ok(format!("{:#}\n", Value::Object(document)))
}
