//! One JSON object, which `Fn::GetParam` reads too.
//!
//! `{"Fn::GetParam": ["ARTIFACT", "exports.json", "AMI_ID"]}` in the ParameterOverrides of a
//! CloudFormation action takes a value out of a file in an artifact, and so around the limit of the
//! overrides themselves:
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/continuous-delivery-codepipeline-parameter-override-functions.html>.

use crate::variable::Variable;
use serde_json::{Map, Value};

/// The object as text.
pub(crate) fn render(variables: &[Variable]) -> String {
    format!("{:#}\n", Value::Object(object(variables)))
}

/// Every variable as a member, in order.
pub(crate) fn object(variables: &[Variable]) -> Map<String, Value> {
    variables
        .iter()
        .map(|Variable { name, value, .. }| (name.clone(), Value::from(value.as_str())))
        .collect()
}
