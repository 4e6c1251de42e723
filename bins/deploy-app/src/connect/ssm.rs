//! AWS Systems Manager as this program uses it: a parameter with a host's keys, and a command that
//! reads them on the host.

use std::time::Duration;

use action::wait::Limits;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ssm::Client;
use aws_sdk_ssm::types::ParameterType;
use ec2::{CommandError, Finished, ShellCommand};

/// How long a command may take to be delivered and to end.
const COMMAND_LIMIT: Duration = Duration::from_secs(60);
/// The client.
#[derive(Debug, Clone)]
pub(crate) struct Ssm {
    client: Client,
}

impl Ssm {
    /// A client of a session.
    pub(crate) fn new(session: &Session) -> Self {
        Self {
            client: Client::new(&session.config),
        }
    }

    /// The text of a parameter; none when there is no such parameter.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<String>, AwsError> {
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
    pub(crate) async fn store(&self, name: &str, text: &str) -> Result<(), AwsError> {
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

    /// Runs a shell command on the instance through its SSM agent, for no longer than a minute.
    pub(crate) async fn run(
        &self,
        instance: &str,
        script: &str,
        limits: &Limits,
    ) -> Result<Finished, CommandError> {
        let command = ShellCommand {
            instance,
            script,
            comment: "deploy-app reads the host keys",
            deliver_within: COMMAND_LIMIT,
            run_within: Some(COMMAND_LIMIT),
        };
        ec2::run_command(&self.client, &command, &limits.within(COMMAND_LIMIT)).await
    }
}
