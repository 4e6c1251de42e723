//! Change sets: made anew under their name, and shown.

use action::failure::Failure;
use action::wait::{self, Look};
use aws::error::AwsError;
use aws_sdk_cloudformation::types::{Change, ChangeSetType};

use super::deployment::Deployment;
use super::send::{capabilities, parameters, tags};
use super::stack::{PACE, status_of};
use crate::stack_failures::{self, VALIDATION_HINT};
use crate::stack_texts;

/// What became of a change set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Ready,
    /// CloudFormation made none, since nothing would change.
    Empty,
    /// It may not be read yet.
    Going,
    Absent,
}

impl Deployment {
    /// Deletes the change set of that name, makes it anew, waits for it, and shows its changes.
    pub(super) async fn replace_change_set(&self, name: &str) -> Result<(), Failure> {
        let kind = match self.unless_stopped(self.find()).await?? {
            None => ChangeSetType::Create,
            Some(stack) => match status_of(&stack).as_str() {
                "REVIEW_IN_PROGRESS" => ChangeSetType::Create,
                status if status.ends_with("_IN_PROGRESS") => return Err(self.busy(status)),
                _ => ChangeSetType::Update,
            },
        };
        let what = format!("the change set {name} of {}", self.what());
        if self.unless_stopped(self.change_set(name)).await??.0 != Found::Absent {
            let call = self.client.delete_change_set().change_set_name(name);
            let call = call.stack_name(&self.request.stack).send();
            self.last_word(call).await?.map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot delete {what}"),
                    "cloudformation:DeleteChangeSet",
                )
            })?;
            tracing::info!("deleted the earlier {what}");
        }
        let request = &self.request;
        let call = self
            .client
            .create_change_set()
            .stack_name(&request.stack)
            .change_set_name(name)
            .change_set_type(kind)
            .set_template_body(request.template.body.clone())
            .set_template_url(request.template.url.clone())
            .set_parameters(Some(parameters(request)))
            .set_tags(Some(tags(request)))
            .set_capabilities(Some(capabilities(request)))
            .set_role_arn(request.role.clone());
        self.last_word(call.send()).await?.map_err(|error| {
            AwsError::of(&error).failure(
                format!("cannot create {what}"),
                "cloudformation:CreateChangeSet",
            )
        })?;
        let look = async || match self.change_set(name).await? {
            (Found::Going | Found::Absent, _) => Ok(Look::NotYet("being made".to_owned())),
            found => Ok(Look::There(found)),
        };
        let limits = &self.limits;
        let made = wait::until(&what, limits.deadline, &limits.interrupt, PACE, look).await;
        let (found, changes) =
            made.map_err(|ended| ended.into_failure(&format!("{what} was made")))?;
        match found {
            Found::Empty => tracing::info!("{what} is empty: nothing would change"),
            _ => {
                tracing::info!("{what} is ready:");
                for change in changes {
                    tracing::info!("  {change}");
                }
                let stack = &request.stack;
                let found = stack_failures::of_change_set(&self.client, stack, name);
                for warning in self.unless_stopped(found).await?.warnings {
                    tracing::warn!("CloudFormation warns: {warning}");
                }
            }
        }
        Ok(())
    }

    /// Why CloudFormation did not make a change set.
    async fn failed_change_set(&self, name: &str, reason: &str) -> Failure {
        let deed = format!("the change set {name} of {} failed", self.what());
        let failure = Failure::failed(deed).cause(reason);
        let stack = &self.request.stack;
        let found = stack_failures::of_change_set(&self.client, stack, name).await;
        let causes = found.causes.iter();
        let failure = causes.fold(failure, |failure, cause| {
            failure.detail(format!("root cause: {cause}"))
        });
        if found.are_validations {
            failure.hint(VALIDATION_HINT)
        } else {
            failure
        }
    }

    /// Looks at a change set and its changes.
    pub(super) async fn change_set(&self, name: &str) -> Result<(Found, Vec<String>), Failure> {
        let mut changes = Vec::new();
        let mut next = None;
        loop {
            let call = self.client.describe_change_set();
            let call = call.stack_name(&self.request.stack).change_set_name(name);
            let answer = match call.set_next_token(next).send().await {
                Ok(answer) => answer,
                Err(error) => {
                    let error = AwsError::of(&error);
                    // Of a stack that is not there yet, CloudFormation knows no change sets either.
                    if error.is("ChangeSetNotFound")
                        || error.is("ChangeSetNotFoundException")
                        || error.is("ValidationError")
                    {
                        return Ok((Found::Absent, changes));
                    }
                    let deed = format!("cannot look up the change set {name} of {}", self.what());
                    return Err(error.failure(deed, "cloudformation:DescribeChangeSet"));
                }
            };
            changes.extend(answer.changes().iter().map(line));
            let status = answer.status().map_or("", |status| status.as_str());
            let reason = answer.status_reason().unwrap_or_default();
            match status {
                "CREATE_COMPLETE" if answer.next_token.is_some() => next = answer.next_token,
                "CREATE_COMPLETE" => return Ok((Found::Ready, changes)),
                "FAILED" if stack_texts::is_empty_change_set(reason) => {
                    return Ok((Found::Empty, changes));
                }
                "FAILED" => return Err(self.failed_change_set(name, reason).await),
                _ => return Ok((Found::Going, changes)),
            }
        }
    }
}

fn line(change: &Change) -> String {
    let Some(resource) = change.resource_change() else {
        return "a change that is not of a resource".to_owned();
    };
    let text = |value: Option<&str>| value.unwrap_or("?").to_owned();
    let replaced = match resource.replacement().map(|one| one.as_str()) {
        Some("True") => ", replaced",
        Some("Conditional") => ", perhaps replaced",
        _ => "",
    };
    format!(
        "{} {} ({}){replaced}",
        text(resource.action().map(|one| one.as_str())),
        text(resource.logical_resource_id()),
        text(resource.resource_type())
    )
}
