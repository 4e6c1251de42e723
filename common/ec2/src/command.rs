use std::time::Duration;

use action::exit::Exit;
use action::wait::{self, Ended, Limits, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::CommandInvocationStatus;

/// How often a command is looked at: most end within a second.
const PACE: Pace = Pace {
    first: Duration::from_millis(300),
    longest: Duration::from_secs(2),
};

/// A shell command for an instance.
#[derive(Debug, Clone)]
pub struct ShellCommand<'a> {
    /// The instance's id.
    pub instance: &'a str,
    /// The script.
    pub script: &'a str,
    /// What the account's list of commands says about it.
    pub comment: &'a str,
    /// How long it may take to be delivered: SSM's least is 30 s.
    pub deliver_within: Duration,
    /// How long it may run; without it SSM's own hour.
    pub run_within: Option<Duration>,
}

/// What a command ended with. Of its output SSM keeps the first 24,000 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its exit status.
    pub exit: i32,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub errors: String,
}

/// Why it is not known what a command ended with.
#[derive(Debug)]
pub enum CommandError {
    /// SSM does not know the instance: no agent has registered, or one is still starting
    /// (`InvalidInstanceId` of <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>).
    Unregistered(AwsError),
    /// The call of `ssm:SendCommand` failed.
    Send(AwsError),
    /// The command got no id.
    NoId,
    /// The call of `ssm:GetCommandInvocation` failed.
    Look(AwsError),
    /// It was cancelled, or SSM's own time for it was up: its state, with details.
    NotRun(String),
    /// The deadline or a signal came first.
    Ended {
        /// The command, in words, with its id once it has one.
        what: String,
        /// Which of the two.
        ended: Ended,
    },
}

/// Runs a command on an instance through its SSM agent, and waits for its end.
///
/// # Errors
/// [`CommandError`]. A command that ends with another status than 0 is no error.
pub async fn run_command(
    client: &Client,
    command: &ShellCommand<'_>,
    limits: &Limits,
) -> Result<Finished, CommandError> {
    let lines = command.script.lines().map(str::to_owned).collect();
    let seconds = |limit: Duration| limit.as_secs();
    let mut call = client
        .send_command()
        .document_name("AWS-RunShellScript")
        .instance_ids(command.instance)
        .comment(command.comment)
        .timeout_seconds(i32::try_from(seconds(command.deliver_within)).unwrap_or(i32::MAX))
        .parameters("commands", lines);
    if let Some(limit) = command.run_within {
        call = call.parameters("executionTimeout", vec![seconds(limit).to_string()]);
    }
    let sent = limits.interrupt.race(call.send()).await;
    let sent = sent.map_err(|signal| CommandError::Ended {
        what: format!("a command on {}", command.instance),
        ended: Ended::Signal(signal),
    })?;
    let sent = sent.map_err(|error| match AwsError::of(&error) {
        error if error.is("InvalidInstanceId") => CommandError::Unregistered(error),
        error => CommandError::Send(error),
    })?;
    let id = sent.command().and_then(|command| command.command_id());
    let id = id.ok_or(CommandError::NoId)?;
    let what = format!("command {id} on {}", command.instance);
    let look = async || match look(client, command.instance, id).await {
        // It tells the wait that the deadline has come, and what was met.
        Look::There(Err(CommandError::Look(error))) if error.exit() == Exit::Deadline => {
            Err(error.failure(format!("cannot look up {what}"), "ssm:GetCommandInvocation"))
        }
        looked => Ok(looked),
    };
    wait::until(&what, limits.deadline, &limits.interrupt, PACE, look)
        .await
        .unwrap_or_else(|ended| Err(CommandError::Ended { what, ended }))
}

async fn look(client: &Client, instance: &str, id: &str) -> Look<Result<Finished, CommandError>> {
    let call = client.get_command_invocation();
    let reply = match call.command_id(id).instance_id(instance).send().await {
        Ok(reply) => reply,
        Err(error) => {
            return match AwsError::of(&error) {
                // The command and its place on the instance are not made in one step.
                error if error.is("InvocationDoesNotExist") => {
                    Look::NotYet("not delivered yet".to_owned())
                }
                error => Look::There(Err(CommandError::Look(error))),
            };
        }
    };
    let details = reply.status_details().unwrap_or("no details");
    match reply.status() {
        // It failed without a status of its own.
        Some(CommandInvocationStatus::Failed) if reply.response_code() == 0 => {
            Look::There(Err(CommandError::NotRun(format!("Failed ({details})"))))
        }
        Some(CommandInvocationStatus::Success | CommandInvocationStatus::Failed) => {
            let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
            Look::There(Ok(Finished {
                exit: reply.response_code(),
                output: text(reply.standard_output_content()),
                errors: text(reply.standard_error_content()),
            }))
        }
        Some(ended @ (CommandInvocationStatus::Cancelled | CommandInvocationStatus::TimedOut)) => {
            Look::There(Err(CommandError::NotRun(format!("{ended} ({details})"))))
        }
        Some(state) => Look::NotYet(state.to_string()),
        None => Look::NotYet("in no state".to_owned()),
    }
}
