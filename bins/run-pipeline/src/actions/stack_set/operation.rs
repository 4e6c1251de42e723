//! The calls to a stack set, and the wait for what they begin.

use std::time::Duration;

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use action::wait::{self, Ended, Limits, Look, Pace};
use aws::error::AwsError;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{CallAs, Parameter, StackSetOperationPreferences};

use super::targets::Targets;

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(15),
};

/// A stack set, whether it is there or not.
pub(super) struct StackSet {
    pub(super) client: Client,
    pub(super) region: String,
    pub(super) name: String,
    pub(super) call_as: Option<CallAs>,
}

/// How an operation ended.
enum End {
    Good,
    Bad(String),
}

impl StackSet {
    pub(super) fn what(&self) -> String {
        format!("the stack set {} in {}", self.name, self.region)
    }

    /// Its id, if it is there.
    pub(super) async fn find(&self) -> Result<Option<String>, Failure> {
        let call = self.client.describe_stack_set().stack_set_name(&self.name);
        match call.set_call_as(self.call_as.clone()).send().await {
            Ok(answer) => {
                let set = answer.stack_set;
                let id = set.and_then(|set| set.stack_set_id);
                Ok(Some(id.unwrap_or_else(|| self.name.clone())))
            }
            Err(error) => {
                let error = AwsError::of(&error);
                if error.is("StackSetNotFoundException") || error.is("StackSetNotFound") {
                    return Ok(None);
                }
                let deed = format!("cannot look up {}", self.what());
                Err(error.failure(deed, "cloudformation:DescribeStackSet"))
            }
        }
    }

    /// Begins to make instances; gives the id of the operation.
    pub(super) async fn create_instances(
        &self,
        targets: &Targets,
        overrides: Vec<Parameter>,
        preferences: Option<StackSetOperationPreferences>,
        token: String,
    ) -> Result<String, Failure> {
        let overrides = (!overrides.is_empty()).then_some(overrides);
        let call = self
            .client
            .create_stack_instances()
            .stack_set_name(&self.name)
            .set_accounts(targets.plain_accounts())
            .set_deployment_targets(targets.of_organization())
            .set_regions(targets.regions())
            .set_parameter_overrides(overrides)
            .set_operation_preferences(preferences)
            .set_call_as(self.call_as.clone())
            .operation_id(&token);
        tracing::info!("making instances of {}", self.what());
        let sent = call.send().await.map(|answer| answer.operation_id);
        let sent = sent.map_err(|error| AwsError::of(&error));
        self.took(
            sent,
            token,
            "make instances of",
            "cloudformation:CreateStackInstances",
        )
    }

    /// Reads the answer to a call that begins the operation of this id; gives the id under which it goes on.
    pub(super) fn took(
        &self,
        sent: Result<Option<String>, AwsError>,
        token: String,
        verb: &str,
        action: &str,
    ) -> Result<String, Failure> {
        let error = match sent {
            Ok(id) => return Ok(id.unwrap_or(token)),
            Err(error) => error,
        };
        // Nobody else has this id: an earlier try of the same call was taken, and its answer was lost.
        if error.is("OperationIdAlreadyExistsException") {
            return Ok(token);
        }
        let failure = error.failure(format!("cannot {verb} {}", self.what()), action);
        if error.is("OperationInProgressException") {
            return Err(failure
                .with_exit(Exit::Lost)
                .hint("another operation works on it; run again when it has ended"));
        }
        if error.is("StackInstanceNotFoundException") {
            return Err(failure.hint("an action CloudFormationStackInstances makes new instances"));
        }
        Err(failure)
    }

    /// Waits for the end of an operation and tells what became of each instance.
    pub(super) async fn wait(&self, operation: &str, limits: &Limits) -> Result<(), Failure> {
        let what = format!("the operation {operation} of {}", self.what());
        let look = async || {
            let call = self
                .client
                .describe_stack_set_operation()
                .stack_set_name(&self.name)
                .set_call_as(self.call_as.clone())
                .operation_id(operation);
            let answer = call.send().await.map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot look up {what}"),
                    "cloudformation:DescribeStackSetOperation",
                )
            })?;
            let found = answer.stack_set_operation;
            let status = found.and_then(|one| one.status);
            let status = status.map_or_else(|| "?".to_owned(), |one| one.as_str().to_owned());
            Ok(match status.as_str() {
                "SUCCEEDED" => Look::There(End::Good),
                "FAILED" | "STOPPED" => Look::There(End::Bad(status)),
                _ => Look::NotYet(status),
            })
        };
        let ended = wait::until(&what, limits.deadline, &limits.interrupt, PACE, look).await;
        match ended {
            Ok(End::Good) => {
                for line in self.results(operation).await?.0 {
                    tracing::info!("{line}");
                }
                Ok(())
            }
            Ok(End::Bad(status)) => {
                let failure = Failure::failed(format!("{what} ended in {status}"));
                match self.results(operation).await {
                    Ok((_, failed)) => Err(failed.into_iter().fold(failure, Failure::cause)),
                    Err(blind) => Err(failure.and(blind)),
                }
            }
            Err(Ended::Failed(failure)) => Err(self.listed(failure, operation)),
            Err(ended) => {
                let failure = ended.into_failure(&format!("{what} ended"));
                Err(self.listed(failure, operation))
            }
        }
    }

    /// A line for each instance; those that failed by themselves.
    async fn results(&self, operation: &str) -> Result<(Vec<String>, Vec<String>), Failure> {
        let call = self
            .client
            .list_stack_set_operation_results()
            .stack_set_name(&self.name)
            .set_call_as(self.call_as.clone())
            .operation_id(operation);
        let mut pages = call.into_paginator().send();
        let (mut all, mut failed) = (Vec::new(), Vec::new());
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot read the results of the operation {operation}"),
                    "cloudformation:ListStackSetOperationResults",
                )
            })?;
            for one in page.summaries() {
                let status = one.status().map_or("?", |status| status.as_str());
                let reason = one.status_reason().filter(|text| !text.is_empty());
                let reason = reason.map_or_else(String::new, |text| format!(": {text}"));
                let (account, region) = (one.account(), one.region());
                let line = format!(
                    "{status} {} in {}{reason}",
                    account.unwrap_or("?"),
                    region.unwrap_or("?")
                );
                if status == "FAILED" {
                    failed.push(line.clone());
                }
                all.push(line);
            }
        }
        Ok((all, failed))
    }

    /// A failure that leaves a set which this action has made.
    pub(super) fn left_behind(&self, failure: Failure) -> Failure {
        let set = Resource::new(ResourceKind::Stack, &self.name, &self.region);
        let command = format!(
            "aws cloudformation delete-stack-set --stack-set-name {} --region {}",
            self.name, self.region
        );
        failure
            .remains(set, format!("{}, with what was made of it", self.what()), command)
            .hint("delete-stack-instances deletes its instances, which goes first; running again adopts the set")
    }

    /// A failure that leaves the operation running.
    fn listed(&self, failure: Failure, operation: &str) -> Failure {
        let set = Resource::new(ResourceKind::Stack, &self.name, &self.region);
        let command = format!(
            "aws cloudformation stop-stack-set-operation --stack-set-name {} --operation-id {operation} --region {}",
            self.name, self.region
        );
        let failure = failure.remains(set, format!("an operation of {}", self.what()), command);
        match failure.exit() {
            Exit::Interrupted | Exit::Terminated => failure.with_exit(Exit::Remains),
            _ => failure,
        }
    }
}
