//! The pipeline as it is deployed.

use action::failure::Failure;
use action::program::Context;
use action::wait;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_codepipeline::types::{ActionDeclaration, PipelineDeclaration};
use contract::check::File;
use serde_json::{Value, json};

/// Fetches a pipeline with GetPipeline, as the JSON that `aws codepipeline get-pipeline` prints.
pub(crate) async fn fetch(
    name: &str,
    region: Option<&str>,
    context: &Context,
) -> Result<File, Failure> {
    let reading = read(name, region, context);
    let before = "the pipeline was read";
    wait::in_time(context.deadline, &context.interrupt, before, reading).await
}

async fn read(name: &str, region: Option<&str>, context: &Context) -> Result<File, Failure> {
    let session = Session::open_in(context, region).await?;
    let client = aws_sdk_codepipeline::Client::new(&session.config);
    let answer = client.get_pipeline().name(name).send().await;
    let answer = answer.map_err(|error| {
        let error = AwsError::of(&error);
        let deed = format!("cannot read the pipeline {name} in {}", session.region);
        let failure = error.failure(deed, "codepipeline:GetPipeline");
        if error.is("PipelineNotFoundException") {
            failure
                .with_exit(action::exit::Exit::Refused)
                .hint("look at the name and the region, or check against a file")
        } else {
            failure
        }
    })?;
    let pipeline = answer.pipeline().ok_or_else(|| {
        Failure::new(
            action::exit::Exit::Unavailable,
            format!("cannot read the pipeline {name}: the answer contains no pipeline"),
        )
    })?;
    Ok(File {
        shown: format!("live:{name}"),
        bytes: format!("{:#}\n", definition(pipeline)).into_bytes(),
    })
}

fn definition(pipeline: &PipelineDeclaration) -> Value {
    let stages: Vec<Value> = pipeline
        .stages()
        .iter()
        .map(|stage| {
            let actions: Vec<Value> = stage.actions().iter().map(action).collect();
            json!({"name": stage.name(), "actions": actions})
        })
        .collect();
    let variables: Vec<Value> = pipeline
        .variables()
        .iter()
        .map(|one| json!({"name": one.name(), "defaultValue": one.default_value()}))
        .collect();
    json!({"pipeline": {"name": pipeline.name(), "stages": stages, "variables": variables}})
}

fn action(action: &ActionDeclaration) -> Value {
    let kind = action.action_type_id();
    let kind = kind.map(|kind| {
        json!({
            "category": kind.category().as_str(),
            "owner": kind.owner().as_str(),
            "provider": kind.provider(),
            "version": kind.version(),
        })
    });
    // A map has no order of its own.
    let settings = action.configuration().into_iter().flatten();
    let configuration: std::collections::BTreeMap<_, _> = settings.collect();
    let inputs = action.input_artifacts().iter();
    let outputs = action.output_artifacts().iter();
    let mut value = json!({
        "name": action.name(),
        "actionTypeId": kind,
        "runOrder": action.run_order().unwrap_or(1),
        "configuration": configuration,
        "inputArtifacts": inputs.map(|one| json!({"name": one.name()})).collect::<Vec<_>>(),
        "outputVariables": action.output_variables(),
        "outputArtifacts": outputs.map(|one| json!({"name": one.name()})).collect::<Vec<_>>(),
    });
    for (key, text) in [
        ("namespace", action.namespace()),
        ("region", action.region()),
        ("roleArn", action.role_arn()),
    ] {
        if let Some(text) = text {
            value[key] = text.into();
        }
    }
    value
}
