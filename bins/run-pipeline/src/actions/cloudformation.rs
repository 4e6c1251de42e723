//! The CloudFormation action: creates or updates a stack from files of an artifact.

mod operation;
mod request;
mod send;
mod stack;
mod state;

use action::failure::Failure;

use crate::action_io::{ActionInput, ActionOutput};
use crate::ids::random_id;
use request::Request;
use stack::Deployment;

/// Deploys the stack and waits for it; the stack's outputs are the action's variables.
pub(crate) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    // Any other mode was refused before the first action ran.
    input.required("ActionMode")?;
    if input.optional("OutputFileName").is_some() {
        tracing::warn!(
            "{}: OutputFileName is not written here; the outputs are variables",
            input.name()
        );
    }
    let request = Request::read(input)?;
    let session = input.session("CloudFormation").await?;
    let id = random_id()
        .map_err(|error| Failure::failed(format!("{} cannot deploy", input.name())).cause(error))?;
    let deployment = Deployment {
        client: aws_sdk_cloudformation::Client::new(&session.config),
        region: session.region,
        request,
        limits: input.limits.clone(),
    };
    let outputs = deployment.run(format!("run-pipeline-{id}")).await?;
    Ok(ActionOutput::of(outputs))
}
