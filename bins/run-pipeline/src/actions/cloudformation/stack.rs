//! Create or update a stack, tell its events, wait for its end.

use std::collections::BTreeSet;
use std::time::Duration;

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use action::interrupt::Interrupt;
use aws::error::AwsError;
use aws::wait::{self, Ended, Look, Pace};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack, StackEvent, Tag};
use tokio::time::Instant;

use super::request::Request;

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(10),
};

/// Stacks of one region.
pub(super) struct Stacks {
    pub(super) client: Client,
    pub(super) region: String,
    pub(super) interrupt: Interrupt,
    pub(super) deadline: Instant,
}

/// What CREATE_UPDATE does to a stack in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Create,
    Update,
    /// It must be deleted by hand first.
    Delete,
    /// Somebody else works on it.
    Busy,
}

fn next_move(status: Option<&str>) -> Move {
    match status {
        None | Some("DELETE_COMPLETE") => Move::Create,
        // An update of these is refused by CloudFormation; CREATE_UPDATE does not recreate.
        Some(
            "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" | "DELETE_FAILED"
            | "REVIEW_IN_PROGRESS",
        ) => Move::Delete,
        Some(status) if status.ends_with("_IN_PROGRESS") => Move::Busy,
        Some(_) => Move::Update,
    }
}

/// Whether a state ends the wait, and how.
fn verdict(status: &str) -> Option<bool> {
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" => Some(true),
        status if status.ends_with("_IN_PROGRESS") => None,
        _ => Some(false),
    }
}

impl Stacks {
    pub(super) async fn deploy(&self, request: &Request) -> Result<Vec<(String, String)>, Failure> {
        let name = &request.stack;
        let found = self.find(name).await?;
        let status = found.as_ref().map(status_of);
        // What has happened before is not told again.
        let mut told: BTreeSet<String> = BTreeSet::new();
        if found.is_some() {
            told.extend(
                self.events(name)
                    .await?
                    .iter()
                    .filter_map(|one| one.event_id.clone()),
            );
        }
        match next_move(status.as_deref()) {
            Move::Create => {
                self.create(request).await?;
                tracing::info!("creating the stack {name} in {}", self.region);
            }
            Move::Update => {
                if !self.update(request).await? {
                    tracing::info!(
                        "the stack {name} is up to date: no updates are to be performed"
                    );
                    return Ok(found.as_ref().map(outputs).unwrap_or_default());
                }
                tracing::info!("updating the stack {name} in {}", self.region);
            }
            Move::Delete => {
                let status = status.unwrap_or_default();
                return Err(Failure::refused(format!(
                    "the stack {name} in {} is {status} and cannot be updated",
                    self.region
                ))
                .hint(format!(
                    "look at its events, then: aws cloudformation delete-stack --stack-name {name}"
                )));
            }
            Move::Busy => {
                let status = status.unwrap_or_default();
                return Err(Failure::new(
                    Exit::Lost,
                    format!(
                        "the stack {name} in {} is {status}: another deployment works on it",
                        self.region
                    ),
                )
                .hint(format!(
                    "wait for it: aws cloudformation describe-stacks --stack-name {name}"
                )));
            }
        }
        self.wait(name, told).await
    }

    /// The stack of that name, if there is one.
    async fn find(&self, name: &str) -> Result<Option<Stack>, Failure> {
        let call = self.client.describe_stacks().stack_name(name).send();
        match self.race(name, call).await? {
            Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
            Err(error) => {
                let error = AwsError::of(&error);
                if error.is("ValidationError") && error.to_string().contains("does not exist") {
                    return Ok(None);
                }
                Err(error.failure(self.deed("look at", name), "cloudformation:DescribeStacks"))
            }
        }
    }

    async fn create(&self, request: &Request) -> Result<(), Failure> {
        let call = self
            .client
            .create_stack()
            .stack_name(&request.stack)
            .template_body(&request.body)
            .set_parameters(Some(parameters(request)))
            .set_tags(Some(tags(request)))
            .set_capabilities(Some(capabilities(request)))
            .set_stack_policy_body(request.policy.clone())
            .set_role_arn(request.role.clone())
            .send();
        self.race(&request.stack, call)
            .await?
            .map(drop)
            .map_err(|error| {
                AwsError::of(&error).failure(
                    self.deed("create", &request.stack),
                    "cloudformation:CreateStack",
                )
            })
    }

    /// Gives whether there was anything to update.
    async fn update(&self, request: &Request) -> Result<bool, Failure> {
        let call = self
            .client
            .update_stack()
            .stack_name(&request.stack)
            .template_body(&request.body)
            .set_parameters(Some(parameters(request)))
            .set_tags(Some(tags(request)))
            .set_capabilities(Some(capabilities(request)))
            .set_stack_policy_body(request.policy.clone())
            .set_role_arn(request.role.clone())
            .send();
        match self.race(&request.stack, call).await? {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = AwsError::of(&error);
                // CloudFormation has no code of its own for this.
                if error.is("ValidationError")
                    && error.to_string().contains("No updates are to be performed")
                {
                    return Ok(false);
                }
                Err(error.failure(
                    self.deed("update", &request.stack),
                    "cloudformation:UpdateStack",
                ))
            }
        }
    }

    /// Waits for a terminal state, telling each event once.
    async fn wait(
        &self,
        name: &str,
        mut told: BTreeSet<String>,
    ) -> Result<Vec<(String, String)>, Failure> {
        let mut failed = Vec::new();
        let what = format!("the stack {name}");
        let look = async || {
            for event in self.events(name).await? {
                let Some(id) = &event.event_id else { continue };
                if told.insert(id.clone()) {
                    let line = event_line(&event);
                    tracing::info!("{line}");
                    if event
                        .resource_status
                        .as_ref()
                        .is_some_and(|one| one.as_str().ends_with("_FAILED"))
                    {
                        failed.push(line);
                    }
                }
            }
            let stack = self.find(name).await?.ok_or_else(|| {
                Failure::failed(format!("the stack {name} in {} is gone", self.region))
            })?;
            let status = status_of(&stack);
            match verdict(&status) {
                None => Ok(Look::NotYet(status)),
                Some(true) => Ok(Look::There(stack)),
                Some(false) => {
                    let reason = stack.stack_status_reason().unwrap_or("no reason given");
                    let deed = format!(
                        "the deployment of the stack {name} in {} ended in {status}",
                        self.region
                    );
                    let failure = Failure::failed(deed).cause(reason);
                    Err(failed.drain(..).fold(failure, Failure::detail))
                }
            }
        };
        let ended = wait::until(&what, self.deadline, &self.interrupt, PACE, look).await;
        match ended {
            Ok(stack) => Ok(outputs(&stack)),
            Err(Ended::Failed(failure)) => Err(failure),
            Err(ended) => Err(ended.into_failure(&format!("{what} was deployed")).remains(
                Resource::new(ResourceKind::Stack, name, &self.region),
                format!("the deployment of {what} in {} goes on", self.region),
                format!("aws cloudformation cancel-update-stack --stack-name {name}"),
            )),
        }
    }

    /// The newest events, oldest first.
    async fn events(&self, name: &str) -> Result<Vec<StackEvent>, Failure> {
        let call = self.client.describe_stack_events().stack_name(name).send();
        let answer = self.race(name, call).await?.map_err(|error| {
            AwsError::of(&error).failure(
                self.deed("read the events of", name),
                "cloudformation:DescribeStackEvents",
            )
        })?;
        let mut events = answer.stack_events.unwrap_or_default();
        events.reverse();
        Ok(events)
    }

    async fn race<T>(&self, name: &str, call: impl Future<Output = T>) -> Result<T, Failure> {
        self.interrupt
            .race(call)
            .await
            .map_err(|signal| Failure::interrupted(signal, format!("stopped at the stack {name}")))
    }

    fn deed(&self, verb: &str, name: &str) -> String {
        format!("cannot {verb} the stack {name} in {}", self.region)
    }
}

fn status_of(stack: &Stack) -> String {
    stack.stack_status.as_ref().map_or_else(
        || "in an unknown state".to_owned(),
        |one| one.as_str().to_owned(),
    )
}

fn outputs(stack: &Stack) -> Vec<(String, String)> {
    stack
        .outputs()
        .iter()
        .filter_map(|one| Some((one.output_key.clone()?, one.output_value.clone()?)))
        .collect()
}

fn event_line(event: &StackEvent) -> String {
    let text = |value: Option<&str>| value.unwrap_or("?").to_owned();
    let status = event.resource_status.as_ref().map(|one| one.as_str());
    let reason = event
        .resource_status_reason()
        .map_or_else(String::new, |reason| format!(": {reason}"));
    format!(
        "{} {} ({}){reason}",
        text(status),
        text(event.logical_resource_id()),
        text(event.resource_type()),
    )
}

fn parameters(request: &Request) -> Vec<Parameter> {
    let one = |(key, value): &(String, String)| {
        Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    };
    request.parameters.iter().map(one).collect()
}

fn tags(request: &Request) -> Vec<Tag> {
    let one = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
    request.tags.iter().map(one).collect()
}

fn capabilities(request: &Request) -> Vec<Capability> {
    request
        .capabilities
        .iter()
        .map(|one| Capability::from(one.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_decides_what_is_done() {
        for (status, expected) in [
            (None, Move::Create),
            (Some("CREATE_COMPLETE"), Move::Update),
            (Some("UPDATE_COMPLETE"), Move::Update),
            (Some("UPDATE_ROLLBACK_COMPLETE"), Move::Update),
            (Some("ROLLBACK_COMPLETE"), Move::Delete),
            (Some("REVIEW_IN_PROGRESS"), Move::Delete),
            (Some("UPDATE_IN_PROGRESS"), Move::Busy),
            (Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Move::Busy),
        ] {
            assert_eq!(next_move(status), expected, "{status:?}");
        }
    }

    #[test]
    fn only_two_states_are_success() {
        assert_eq!(verdict("CREATE_COMPLETE"), Some(true));
        assert_eq!(verdict("UPDATE_COMPLETE"), Some(true));
        for going in [
            "CREATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
        ] {
            assert_eq!(verdict(going), None);
        }
        for bad in [
            "ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "CREATE_FAILED",
            "DELETE_COMPLETE",
        ] {
            assert_eq!(verdict(bad), Some(false));
        }
    }
}
