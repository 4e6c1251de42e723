//! Telling the stack.

use action::failure::Failure;
use action::interrupt::Interrupt;
use aws::error::AwsError;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::ResourceSignalStatus;

use crate::identity::Sender;
use crate::settings::StackResource;
use crate::verdict::{Told, Verdict};

/// Sends the signal; the instance's id is its unique id, as CloudFormation asks of a group.
///
/// `hook_took_it` says that a lifecycle hook has taken the news before: a stack whose group is refreshed waits for no
/// signal, and what it answers then is not documented, so that its refusal is a warning.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html>
pub(crate) async fn send(
    client: &Client,
    sender: &Sender,
    resource: &StackResource,
    verdict: &Verdict,
    hook_took_it: bool,
    interrupt: &Interrupt,
) -> Result<Told, Failure> {
    let StackResource { stack, logical_id } = resource;
    let status = match verdict {
        Verdict::Healthy => ResourceSignalStatus::Success,
        Verdict::Unhealthy(_) => ResourceSignalStatus::Failure,
    };
    let sending = client
        .signal_resource()
        .stack_name(stack)
        .logical_resource_id(logical_id)
        .unique_id(&sender.instance)
        .status(status.clone())
        .send();
    let sent = interrupt.race(sending).await.map_err(|signal| {
        Failure::interrupted(
            signal,
            format!("stopped while signalling {status} to {resource}"),
        )
        .hint("the stack may have received it; running again signals again, and CloudFormation counts an instance once")
    })?;
    let Err(error) = sent else {
        tracing::info!("signalled {status} for {} to {resource}", sender.instance);
        return Ok(Told::Heard);
    };
    let error = AwsError::of(&error);
    if nobody_waits(&error) {
        tracing::info!(
            "the stack {stack} waits for no signal, so {status} was not needed: {error}"
        );
        return Ok(Told::NobodyWaits);
    }
    if hook_took_it && error.is("ValidationError") {
        tracing::warn!(
            "the stack {stack} refused the signal; the lifecycle hook was told: {error}"
        );
        return Ok(Told::NobodyWaits);
    }
    Err(error.failure(
        format!(
            "cannot signal {status} for {} to {resource} in {}",
            sender.instance,
            sender.region()
        ),
        "cloudformation:SignalResource",
    ))
}

/// What CloudFormation says of a signal to a stack that is at rest: "Stack … is in UPDATE_COMPLETE state and cannot be
/// signaled" (<https://github.com/zalando-incubator/kubernetes-on-aws/issues/538>).
///
/// The code is that of every bad request, and the model of SignalResource has no error of its own. The state of the stack
/// would tell as well, but to look at it the role of every instance would need cloudformation:DescribeStacks. So the text
/// decides; one that reads otherwise is a failure.
const AT_REST: [&str; 2] = ["_COMPLETE state", "be signaled"];

fn nobody_waits(error: &AwsError) -> bool {
    let text = error.to_string();
    error.is("ValidationError") && AT_REST.iter().all(|part| text.contains(part))
}
