//! AWS Systems Manager as this program uses it: a parameter with a host's keys, and a command that
//! reads them on the host.

use std::time::Duration;

use action::interrupt::{Interrupt, Signal};
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::{CommandInvocationStatus, ParameterType};
use tokio::time::{Instant, sleep};

/// How long a command may take to be delivered and to end.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a command.
const PAUSE: Duration = Duration::from_secs(2);

/// Why a command has no output.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A call failed.
    #[error("{0}")]
    Aws(AwsError),
    /// It was sent, and did not end well, or not in time.
    #[error("{0}")]
    Command(String),
    /// A signal came.
    #[error("{0} received")]
    Signal(Signal),
}

impl RunError {
    /// Whether SSM has not heard of the instance's agent: also of one that is still starting.
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html>
    #[must_use]
    pub fn is_unregistered(&self) -> bool {
        matches!(self, Self::Aws(error) if error.is("InvalidInstanceId"))
    }
}

/// The client.
#[derive(Debug, Clone)]
pub struct Ssm {
    client: Client,
}

impl Ssm {
    /// A client of a session.
    #[must_use]
    pub fn new(session: &Session) -> Self {
        Self {
            client: Client::new(&session.config),
        }
    }

    /// The text of a parameter; none when there is no such parameter.
    ///
    /// # Errors
    /// What the call met.
    pub async fn read(&self, name: &str) -> Result<Option<String>, AwsError> {
        let answer = self
            .client
            .get_parameter()
            .name(name)
            .with_decryption(true)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer
                .parameter()
                .and_then(|parameter| parameter.value())
                .map(str::to_owned)),
            Err(error) => match AwsError::of(&error) {
                error if error.is("ParameterNotFound") => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Makes a parameter; one that is there already stays as it is, and is an error unless it holds
    /// the same: an answer may have been lost, and the call was made again.
    ///
    /// # Errors
    /// What the call met.
    pub async fn store(&self, name: &str, text: &str) -> Result<(), AwsError> {
        let stored = self
            .client
            .put_parameter()
            .name(name)
            .value(text)
            .r#type(ParameterType::String)
            .overwrite(false)
            .description("SSH host keys, written by deploy-app")
            .send()
            .await;
        let Err(error) = stored else { return Ok(()) };
        let error = AwsError::of(&error);
        if error.is("ParameterAlreadyExists")
            && self.read(name).await.ok().flatten().as_deref() == Some(text)
        {
            return Ok(());
        }
        Err(error)
    }

    /// Runs a shell command on the instance through its SSM agent, and gives its output. Of the output
    /// SSM keeps the first 24,000 characters.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn run(
        &self,
        instance: &str,
        command: &str,
        deadline: Instant,
        interrupt: &Interrupt,
    ) -> Result<String, RunError> {
        let deadline = deadline.min(Instant::now() + COMMAND_LIMIT);
        let sending = self
            .client
            .send_command()
            .document_name("AWS-RunShellScript")
            .instance_ids(instance)
            .parameters("commands", vec![command.to_owned()])
            .parameters("executionTimeout", vec!["60".to_owned()])
            .timeout_seconds(60)
            .comment("deploy-app reads the host keys")
            .send();
        let sent = interrupt.race(sending).await.map_err(RunError::Signal)?;
        let sent = sent.map_err(|error| RunError::Aws(AwsError::of(&error)))?;
        let id = sent
            .command()
            .and_then(|command| command.command_id())
            .ok_or_else(|| RunError::Command("the command got no id".to_owned()))?
            .to_owned();
        let mut seen = "it was sent".to_owned();
        while Instant::now() < deadline {
            interrupt
                .race(sleep(PAUSE))
                .await
                .map_err(RunError::Signal)?;
            let asking = self
                .client
                .get_command_invocation()
                .command_id(&id)
                .instance_id(instance)
                .send();
            let answer = match interrupt.race(asking).await.map_err(RunError::Signal)? {
                Ok(answer) => answer,
                // The command and its place on the instance are not made in one step.
                Err(error) => match AwsError::of(&error) {
                    error if error.is("InvocationDoesNotExist") => continue,
                    error => return Err(RunError::Aws(error)),
                },
            };
            match answer.status() {
                Some(CommandInvocationStatus::Success) => {
                    return Ok(answer
                        .standard_output_content()
                        .unwrap_or_default()
                        .to_owned());
                }
                Some(
                    CommandInvocationStatus::Pending
                    | CommandInvocationStatus::InProgress
                    | CommandInvocationStatus::Delayed,
                )
                | None => {
                    seen = answer.status_details().unwrap_or("pending").to_owned();
                }
                Some(ended) => {
                    let said = answer.standard_error_content().unwrap_or_default();
                    let text = format!("the command ended as {ended}: {}", said.trim());
                    return Err(RunError::Command(text));
                }
            }
        }
        Err(RunError::Command(format!(
            "the command did not end in time (last seen: {seen})"
        )))
    }
}
