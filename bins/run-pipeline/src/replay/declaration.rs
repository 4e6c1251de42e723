//! A pipeline as the API gives it, in the JSON of `aws codepipeline get-pipeline`: what one action needs to run.

use std::collections::BTreeMap;

use aws_sdk_codepipeline::types::{ActionDeclaration, PipelineDeclaration};
use serde_json::{Value, json};

/// The JSON. `resolved` gives the configuration of an action, where it is another than that of the definition.
pub(super) fn json<'a>(
    pipeline: &PipelineDeclaration,
    resolved: impl Fn(&str, &str) -> Option<&'a BTreeMap<String, String>>,
) -> Value {
    let stages = pipeline.stages().iter().map(|stage| {
        let actions = stage.actions().iter();
        let actions: Vec<Value> = actions
            .map(|one| action(one, resolved(stage.name(), one.name())))
            .collect();
        json!({"name": stage.name(), "actions": actions})
    });
    let variables = pipeline.variables().iter().map(|one| {
        let mut variable = json!({"name": one.name()});
        put(&mut variable, "defaultValue", one.default_value());
        variable
    });
    json!({"pipeline": {
        "name": pipeline.name(),
        "roleArn": pipeline.role_arn(),
        "version": pipeline.version(),
        "pipelineType": pipeline.pipeline_type().map(|one| one.as_str()),
        "variables": variables.collect::<Vec<_>>(),
        "stages": stages.collect::<Vec<_>>(),
    }})
}

fn action(one: &ActionDeclaration, resolved: Option<&BTreeMap<String, String>>) -> Value {
    let kind = one.action_type_id().map(|kind| {
        json!({"category": kind.category().as_str(), "owner": kind.owner().as_str(),
            "provider": kind.provider(), "version": kind.version()})
    });
    let own = || one.configuration().cloned().unwrap_or_default().into_iter();
    let configuration: BTreeMap<String, String> = match resolved {
        Some(resolved) => resolved.clone(),
        None => own().collect(),
    };
    let inputs = one.input_artifacts().iter();
    let outputs = one.output_artifacts().iter();
    let variables = one.environment_variables().iter();
    let mut json = json!({
        "name": one.name(),
        "actionTypeId": kind,
        "runOrder": one.run_order().unwrap_or(1),
        "configuration": configuration,
        "inputArtifacts": inputs.map(|one| json!({"name": one.name()})).collect::<Vec<_>>(),
        "outputArtifacts": outputs
            .map(|one| json!({"name": one.name(), "files": one.files()}))
            .collect::<Vec<_>>(),
        "environmentVariables": variables
            .map(|one| json!({"name": one.name(), "value": one.value(), "type": one.r#type().map(|kind| kind.as_str())}))
            .collect::<Vec<_>>(),
    });
    put(&mut json, "namespace", one.namespace());
    put(&mut json, "region", one.region());
    if !one.commands().is_empty() {
        json["commands"] = one.commands().into();
    }
    if !one.output_variables().is_empty() {
        json["outputVariables"] = one.output_variables().into();
    }
    if let Some(minutes) = one.timeout_in_minutes() {
        json["timeoutInMinutes"] = minutes.into();
    }
    json
}

fn put(object: &mut Value, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        object[key] = text.into();
    }
}
