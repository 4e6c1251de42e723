//! The events of the stacks that an execution deploys, and what each failed of first.

use std::collections::{BTreeMap, BTreeSet};

use action::failure::Failure;
use action::program::Context;
use aws::error::AwsError;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::StackEvent;

use crate::account::ActionSeen;
use crate::aws_access;
use crate::settings::Checked;
use crate::{stack_events, stack_failures};

pub(super) struct StackLogs<'a> {
    settings: &'a Checked,
    context: &'a Context,
    /// By the id of the action's execution.
    stacks: BTreeMap<String, Stack>,
}

struct Stack {
    client: Client,
    /// Its name or ARN.
    name: String,
    action: String,
    /// The change set that the action makes, in place of a deployment.
    change_set: Option<String>,
    told: BTreeSet<String>,
    failed: Vec<String>,
    /// What failed by itself, as DescribeEvents says.
    causes: Vec<String>,
    /// Whether its action was over when it was read last.
    is_read: bool,
}

impl<'a> StackLogs<'a> {
    pub(super) fn new(settings: &'a Checked, context: &'a Context) -> Self {
        Self {
            settings,
            context,
            stacks: BTreeMap::new(),
        }
    }

    /// Tells the new events of an action that deploys a stack.
    pub(super) async fn tell(&mut self, action: &ActionSeen) -> Result<(), Failure> {
        if action.provider != "CloudFormation" {
            return Ok(());
        }
        let mode = action.configuration.get("ActionMode").map(String::as_str);
        let change_set = match mode {
            Some("CHANGE_SET_REPLACE") => action.configuration.get("ChangeSetName").cloned(),
            _ => None,
        };
        if !self.stacks.contains_key(&action.id) {
            let Some(name) = action.configuration.get("StackName") else {
                return Ok(());
            };
            let region = action.region.as_deref();
            let allow = self.settings.allow_aws;
            let session =
                aws_access::session(self.context, allow, "CloudFormation", region).await?;
            let stack = Stack {
                client: Client::new(&session.config),
                name: name.clone(),
                action: action.name(),
                change_set,
                told: BTreeSet::new(),
                failed: Vec::new(),
                causes: Vec::new(),
                is_read: false,
            };
            self.stacks.insert(action.id.clone(), stack);
        }
        match self.stacks.get_mut(&action.id) {
            Some(stack) if !stack.is_read => stack.tell(action).await,
            _ => Ok(()),
        }
    }

    /// What failed by itself, of each stack that did.
    pub(super) fn root_causes(&self) -> impl Iterator<Item = String> {
        self.stacks.values().flat_map(|stack| {
            let told = stack_events::root_cause(&stack.failed).into_iter();
            let causes: Vec<&String> = match stack.causes.as_slice() {
                [] => told.collect(),
                causes => causes.iter().collect(),
            };
            let line = |cause| format!("root cause of {}: {cause}", stack.action);
            causes.into_iter().map(line).collect::<Vec<String>>()
        })
    }
}

impl Stack {
    async fn tell(&mut self, action: &ActionSeen) -> Result<(), Failure> {
        let is_over = action.is_over();
        if let Some(change_set) = &self.change_set {
            if action.status == "Failed" {
                let found =
                    stack_failures::of_change_set(&self.client, &self.name, change_set).await;
                self.causes = found.causes;
            }
            self.is_read = is_over;
            return Ok(());
        }
        // A stack that was deleted is known by its ARN alone.
        let name = action.external.as_ref().filter(|id| id.starts_with("arn:"));
        let name = name.unwrap_or(&self.name);
        let call = self.client.describe_stack_events().stack_name(name);
        let mut pages = call.into_paginator().send();
        let mut unread: Vec<StackEvent> = Vec::new();
        'pages: while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page.stack_events.unwrap_or_default(),
                Err(error) => {
                    let error = AwsError::of(&error);
                    // It is not made yet, or gone; what was told of it stays true.
                    if stack_events::is_absent(&error) {
                        break;
                    }
                    let deed = format!("cannot read the events of the stack {}", self.name);
                    return Err(error.failure(deed, "cloudformation:DescribeStackEvents"));
                }
            };
            for event in page {
                let is_before = match (event.timestamp(), &action.started) {
                    (Some(event), Some(began)) => event.secs() < began.secs(),
                    _ => false,
                };
                let is_told = event.event_id().is_some_and(|id| self.told.contains(id));
                if is_before || is_told {
                    break 'pages;
                }
                unread.push(event);
            }
        }
        for event in unread.iter().rev() {
            self.told.extend(event.event_id().map(str::to_owned));
            let (line, has_failed) = stack_events::line(event);
            tracing::info!("{} | {line}", action.action);
            if has_failed {
                self.failed.push(line);
            }
        }
        if action.status == "Failed" {
            // Of the second in which it began nothing has failed yet.
            let began = action.started.map(|time| DateTime::from_secs(time.secs()));
            let found = stack_failures::of_stack(&self.client, name, began).await;
            self.causes = found.causes;
        }
        self.is_read = is_over;
        Ok(())
    }
}
