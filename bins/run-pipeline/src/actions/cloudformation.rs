//! The CloudFormation action: creates or updates a stack from files of an artifact.

mod operation;
mod request;
mod send;
mod stack;
mod state;

use action::failure::Failure;

use crate::execution::{Execution, Ready, random_id};
use request::Request;
use stack::Deployment;

/// Deploys the stack and waits for it; the stack's outputs are the action's variables.
///
/// # Errors
/// A configuration, template or parameter that CloudFormation would refuse (named before
/// anything is touched), a stack in a state that cannot be deployed to, a deployment that fails
/// (with the events that say why), a deadline or a signal.
pub async fn run(
    execution: &mut Execution<'_>,
    ready: &Ready<'_>,
) -> Result<Vec<(String, String)>, Failure> {
    // Any other mode was refused before the first action ran.
    ready.required("ActionMode")?;
    if ready.optional("OutputFileName").is_some() {
        tracing::warn!(
            "{}: OutputFileName is not written here; the outputs are variables",
            ready.name()
        );
    }
    let request = Request::read(&execution.store, ready)?;
    let session = execution.session(ready.action).await?;
    let id = random_id()
        .map_err(|error| Failure::failed(format!("{} cannot deploy", ready.name())).cause(error))?;
    let deployment = Deployment {
        client: aws_sdk_cloudformation::Client::new(&session.config),
        region: session.region,
        request,
        interrupt: execution.context.interrupt.clone(),
        deadline: execution.context.deadline,
    };
    deployment.run(format!("run-pipeline-{id}")).await
}
