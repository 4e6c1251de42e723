//! The CloudFormation action in all of its modes.

mod artifact_attribute;
mod change_set;
mod deployment;
mod operation;
mod request;
mod send;
mod stack;
mod state;

use action::failure::Failure;
use bundle::manifest::Mode;
use serde_json::Value;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::ids::random_id;
use change_set::Found;
use deployment::Deployment;
use request::Request;
use stack::status_of;
use state::{Kind, is_replaced};

/// Does what the mode says and waits for it; the stack's outputs are the action's variables. What CloudFormation would
/// refuse is named before anything is touched.
pub(super) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let mode = input.required("ActionMode")?;
    let request = match mode {
        "DELETE_ONLY" | "CHANGE_SET_EXECUTE" => Request::without_template(input)?,
        _ => Request::read(input).await?,
    };
    let session = input.session("CloudFormation").await?;
    let deployment = Deployment {
        client: aws_sdk_cloudformation::Client::new(&session.config),
        region: session.region,
        request,
        limits: input.limits.clone(),
    };
    let token = || {
        let cannot =
            |error| Failure::failed(format!("{} cannot deploy", input.name())).cause(error);
        random_id()
            .map(|id| format!("run-pipeline-{id}"))
            .map_err(cannot)
    };
    let outputs = match mode {
        "CREATE_UPDATE" => deployment.run(&Kind::CreateOrUpdate, token()?).await?,
        "REPLACE_ON_FAILURE" => {
            let found = deployment.unless_stopped(deployment.find()).await??;
            if let Some(status) = found.as_ref().map(status_of)
                && is_replaced(&status)
            {
                tracing::warn!(
                    "{} is {status}: it is deleted and created again",
                    deployment.what()
                );
                deployment.run(&Kind::Delete, token()?).await?;
            }
            deployment.run(&Kind::CreateOrUpdate, token()?).await?
        }
        "DELETE_ONLY" => deployment.run(&Kind::Delete, token()?).await?,
        "CHANGE_SET_REPLACE" => {
            let name = input.required("ChangeSetName")?;
            deployment.replace_change_set(name).await?;
            Vec::new()
        }
        "CHANGE_SET_EXECUTE" => {
            let name = input.required("ChangeSetName")?;
            let look = deployment.unless_stopped(deployment.change_set(name));
            if look.await??.0 == Found::Empty {
                tracing::info!("the change set {name} is empty: there is nothing to execute");
                deployment.unless_stopped(deployment.up_to_date()).await??
            } else {
                let kind = Kind::Execute(name.to_owned());
                deployment.run(&kind, token()?).await?
            }
        }
        other => {
            return Err(Failure::refused(format!(
                "{}: ActionMode {other} is not known",
                input.name()
            )));
        }
    };
    let artifacts = output_file(input, &outputs)?;
    Ok(ActionOutput {
        variables: outputs,
        artifacts,
    })
}

/// The output artifact: a file with the stack's outputs, which `OutputFileName` names. Without that name CodePipeline
/// makes no artifact. Source: CodePipeline user guide, "CloudFormation deploy action reference".
fn output_file(
    input: &ActionInput<'_>,
    outputs: &[(String, String)],
) -> Result<Vec<Artifact>, Failure> {
    let (Some(file), Some(output)) = (
        input.optional("OutputFileName"),
        input.action.outputs.first(),
    ) else {
        return Ok(Vec::new());
    };
    let map: serde_json::Map<String, Value> = outputs
        .iter()
        .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
        .collect();
    let content = format!("{:#}\n", Value::from(map)).into_bytes();
    let files = vec![(file.to_owned(), Mode::Plain, content)];
    let artifact = Artifact::holding(&output.text, &input.folder, files)?;
    Ok(vec![artifact])
}
