//! P402, overrides-not-json.

use serde_json::Value;

use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};

/// ParameterOverrides is not a JSON object of strings, Fn::GetParam and Fn::GetArtifactAtt.
pub static RULE: Rule = Rule {
    code: "P402",
    name: "overrides-not-json",
    severity: Severity::Error,
    summary: "ParameterOverrides is not a JSON object of strings, Fn::GetParam and Fn::GetArtifactAtt.",
    fix: "write a JSON object such as {\"AMIId\":\"#{AMIcreation.AMI_ID}\"}",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
        failing: r##"                ParameterOverrides: 'AMIId=#{AMIcreation.AMI_ID}'"##,
        passing: r##"                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
    },
};

/// The functions of CodePipeline that stand in place of a value.
const FUNCTIONS: [&str; 2] = ["Fn::GetParam", "Fn::GetArtifactAtt"];

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let mut findings = Vec::new();
    let actions = pipeline.actions();
    for action in actions.filter(|action| action.provider == "CloudFormation") {
        let Some(text) = action.text("ParameterOverrides") else {
            continue;
        };
        let finding = |what: String| {
            let message = format!("{}: {what}", action.name);
            Finding::new(&RULE, &pipeline.file, Some(text.place), message)
        };
        let values = match serde_json::from_str(&text.text) {
            Ok(Value::Object(values)) => values,
            Ok(_) | Err(_) if is_unknown(&text.text) => continue,
            Ok(other) => {
                let what = format!("ParameterOverrides is {other}, not an object");
                findings.push(finding(what));
                continue;
            }
            Err(error) => {
                let what = format!("ParameterOverrides is not JSON: {error}");
                findings.push(finding(what));
                continue;
            }
        };
        for (name, value) in values.iter().filter(|(name, _)| !is_unknown(name)) {
            let is = format!("the value of {name} in ParameterOverrides is");
            match value {
                Value::String(_) => {}
                Value::Object(function) => {
                    let is_list = |key: &str| function.get(key).is_some_and(Value::is_array);
                    if !FUNCTIONS.into_iter().any(is_list) {
                        let what = "neither a text nor Fn::GetParam or Fn::GetArtifactAtt";
                        findings.push(finding(format!("{is} {what}")));
                    }
                }
                other => findings.push(
                    finding(format!("{is} {other}, not a string"))
                        .hint("put it in quotes; a list is comma separated"),
                ),
            }
        }
    }
    findings
}
