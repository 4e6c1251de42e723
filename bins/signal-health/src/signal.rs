//! Telling the stack.

use action::failure::Failure;
use action::interrupt::Interrupt;
use aws::error::AwsError;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::ResourceSignalStatus;

use crate::identity::Sender;
use crate::settings::Checked;

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The application answers.
    Success,
    /// It does not.
    Failure,
}

/// What became of the signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// The stack took it.
    Heard,
    /// No create or update waits for it, as when the group scales out by itself.
    NobodyWaits,
}

/// Sends the signal; the instance's id is its unique id, as CloudFormation asks of a group.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html>
pub(crate) async fn send(
    sender: &Sender,
    settings: &Checked,
    status: Status,
    interrupt: &Interrupt,
) -> Result<Told, Failure> {
    let Checked {
        stack, resource, ..
    } = settings;
    let status = match status {
        Status::Success => ResourceSignalStatus::Success,
        Status::Failure => ResourceSignalStatus::Failure,
    };
    let sending = Client::new(&sender.session.config)
        .signal_resource()
        .stack_name(stack)
        .logical_resource_id(resource)
        .unique_id(&sender.instance)
        .status(status.clone())
        .send();
    let sent = interrupt.race(sending).await.map_err(|signal| {
        Failure::interrupted(
            signal,
            format!("stopped while signalling {status} to {resource} of the stack {stack}"),
        )
        .hint("the stack may have heard it; running again signals once more, and CloudFormation counts an instance once")
    })?;
    let Err(error) = sent else {
        tracing::info!(
            "signalled {status} for {} to {resource} of the stack {stack}",
            sender.instance
        );
        return Ok(Told::Heard);
    };
    let error = AwsError::of(&error);
    if nobody_waits(&error) {
        tracing::info!(
            "the stack {stack} waits for no signal, so {status} was not needed: {error}"
        );
        return Ok(Told::NobodyWaits);
    }
    Err(error.failure(
        format!(
            "cannot signal {status} for {} to {resource} of the stack {stack} in {}",
            sender.instance,
            sender.region()
        ),
        "cloudformation:SignalResource",
    ))
}

/// A stack that is at rest refuses a signal: "Stack … is in UPDATE_COMPLETE state and cannot be
/// signaled" (<https://github.com/zalando-incubator/kubernetes-on-aws/issues/538>). The code is the
/// one of every bad request, so the text decides; one that reads otherwise would be a failure.
fn nobody_waits(error: &AwsError) -> bool {
    let text = error.to_string();
    error.is("ValidationError") && text.contains("_COMPLETE state") && text.contains("be signaled")
}
