//! The logs of builds and of Commands actions, out of CloudWatch Logs.

use std::collections::BTreeMap;

use action::failure::Failure;
use action::program::Context;
use aws::error::AwsError;
use aws_sdk_cloudwatchlogs::Client;

use crate::account::ActionSeen;
use crate::aws_access;
use crate::settings::Checked;

/// The logs of all actions of an execution.
pub(super) struct BuildLogs<'a> {
    settings: &'a Checked,
    context: &'a Context,
    /// By the id of the action's execution.
    tails: BTreeMap<String, Tail>,
}

/// The log of one action.
enum Tail {
    Stream(Box<Stream>),
    /// There is none to be read.
    Nothing,
}

struct Stream {
    client: Client,
    group: String,
    stream: String,
    /// Where the next read goes on.
    token: Option<String>,
    /// What its lines begin with.
    prefix: String,
}

impl<'a> BuildLogs<'a> {
    pub(super) fn new(settings: &'a Checked, context: &'a Context) -> Self {
        Self {
            settings,
            context,
            tails: BTreeMap::new(),
        }
    }

    /// Tells the new lines of an action that has a log.
    pub(super) async fn tell(&mut self, action: &ActionSeen) -> Result<(), Failure> {
        if !self.tails.contains_key(&action.id) {
            let Some(tail) = self.find(action).await? else {
                return Ok(());
            };
            self.tails.insert(action.id.clone(), tail);
        }
        if let Some(Tail::Stream(stream)) = self.tails.get_mut(&action.id) {
            stream.tell().await?;
        }
        Ok(())
    }

    /// Tells the new lines of all; gives how many there were.
    pub(super) async fn drain(&mut self) -> Result<usize, Failure> {
        let mut count = 0;
        for tail in self.tails.values_mut() {
            if let Tail::Stream(stream) = tail {
                count += stream.tell().await?;
            }
        }
        Ok(count)
    }

    /// Finds the log of an action; nothing while it is not known yet.
    async fn find(&self, action: &ActionSeen) -> Result<Option<Tail>, Failure> {
        let place = match (&action.log_stream, &action.external) {
            (Some(arn), _) => of_arn(arn),
            (None, Some(id)) if action.provider == "CodeBuild" => {
                if action.configuration.get("BatchEnabled").map(String::as_str) == Some("true") {
                    tracing::warn!("{}: the logs of a batch are not read here", action.action);
                    return Ok(Some(Tail::Nothing));
                }
                match self.of_build(action, id).await? {
                    Some(place) => Some(place),
                    None if !action.is_over() => return Ok(None),
                    None => {
                        tracing::warn!(
                            "{}: its build has no log in CloudWatch Logs",
                            action.action
                        );
                        return Ok(Some(Tail::Nothing));
                    }
                }
            }
            _ => return Ok(None),
        };
        let Some((group, stream)) = place else {
            return Ok(Some(Tail::Nothing));
        };
        let region = action.region.as_deref();
        let allow = self.settings.allow_aws;
        let session = aws_access::session(self.context, allow, "CloudWatch Logs", region).await?;
        Ok(Some(Tail::Stream(Box::new(Stream {
            client: Client::new(&session.config),
            group,
            stream,
            token: None,
            prefix: action.action.clone(),
        }))))
    }

    /// The group and the stream of a build's log.
    async fn of_build(
        &self,
        action: &ActionSeen,
        id: &str,
    ) -> Result<Option<(String, String)>, Failure> {
        let region = action.region.as_deref();
        let allow = self.settings.allow_aws;
        let session = aws_access::session(self.context, allow, "CodeBuild", region).await?;
        let client = aws_sdk_codebuild::Client::new(&session.config);
        let answer = client.batch_get_builds().ids(id).send().await;
        let answer = answer.map_err(|error| {
            let deed = format!("cannot look up the build {id} in {}", session.region);
            AwsError::of(&error).failure(deed, "codebuild:BatchGetBuilds")
        })?;
        let logs = answer.builds().first().and_then(|build| build.logs());
        Ok(logs.and_then(|logs| {
            let (group, stream) = (logs.group_name()?, logs.stream_name()?);
            Some((group.to_owned(), stream.to_owned()))
        }))
    }
}

impl Stream {
    /// Tells the lines that are new; gives how many there were.
    async fn tell(&mut self) -> Result<usize, Failure> {
        let mut count = 0;
        loop {
            let call = self
                .client
                .get_log_events()
                .log_group_name(&self.group)
                .log_stream_name(&self.stream)
                .start_from_head(true)
                .set_next_token(self.token.clone());
            let answer = match call.send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let error = AwsError::of(&error);
                    // It is made with its first line.
                    if error.is("ResourceNotFoundException") {
                        return Ok(count);
                    }
                    let deed = format!("cannot read the log {} {}", self.group, self.stream);
                    return Err(error.failure(deed, "logs:GetLogEvents"));
                }
            };
            for event in answer.events() {
                count += 1;
                let text = event.message().unwrap_or_default();
                for line in text.trim_end().lines() {
                    tracing::info!("{} | {line}", self.prefix);
                }
            }
            // The end is where the token stays the same.
            let next = answer.next_forward_token;
            if next.is_none() || next == self.token {
                return Ok(count);
            }
            self.token = next;
        }
    }
}

/// Group and stream out of `arn:aws:logs:REGION:ACCOUNT:log-group:GROUP:log-stream:STREAM`.
fn of_arn(arn: &str) -> Option<(String, String)> {
    let (_, rest) = arn.split_once(":log-group:")?;
    let (group, stream) = rest.split_once(":log-stream:")?;
    Some((group.to_owned(), stream.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::of_arn;

    #[test]
    fn a_stream_is_found_by_its_arn() {
        let arn =
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/codepipeline/shop:log-stream:5a6b";
        let found = Some(("/aws/codepipeline/shop".to_owned(), "5a6b".to_owned()));
        assert_eq!(of_arn(arn), found);
        assert_eq!(of_arn("arn:aws:logs:eu-west-1:1:log-group:x"), None);
    }
}
