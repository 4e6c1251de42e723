//! Why an operation on a stack failed, as DescribeEvents tells it.
//!
//! The events of DescribeStackEvents say that a validation failed, but not which. DescribeEvents says it, and of the rest it
//! gives what failed only. It is there since November 2025. A role may not allow it and an emulator may not know it:
//! then nothing is found here, and the events that were told have to do.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html>
//!
//! Nobody here has seen its answers on an account: their order, and whether the filter passes warnings. So all pages are
//! read, and sorted by their times. `aws cloudformation describe-events --stack-name … --filters FailedEvents=true` after
//! a failed deployment settles both.

use aws::error::{AwsError, Kind};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::operation::describe_events::builders::DescribeEventsFluentBuilder;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{
    EventFilter, EventType, HookFailureMode, HookStatus, OperationEvent, OperationType,
    ValidationStatus,
};

use crate::stack_texts;

/// How deep nested stacks are looked into.
const NESTED_DEPTH: usize = 8;

/// What a person can do about a validation that failed.
pub(crate) const VALIDATION_HINT: &str = "CloudFormation found it before it touched a resource: mend the template or its parameters. \
     A check that is wrong is left out by `--disable-validation` of `aws cloudformation create-stack`, update-stack and \
     create-change-set; the action of CodePipeline has no setting for it";

/// What failed, in words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    /// What failed by itself: every validation, or else the first resource or hook. Empty where nothing is known.
    pub(crate) causes: Vec<String>,
    /// Whether they are validations of before the deployment.
    pub(crate) are_validations: bool,
    /// What a validation found that stops nothing.
    pub(crate) warnings: Vec<String>,
    /// The nested stack that failed, where it was the first.
    nested: Option<String>,
}

/// Of the operations on a stack, by its name or ARN, that began after a time.
pub(crate) async fn of_stack(client: &Client, name: &str, after: Option<DateTime>) -> Failures {
    let mut found = Failures::default();
    let mut stack = name.to_owned();
    for _ in 0..NESTED_DEPTH {
        let events = read(client.describe_events().stack_name(&stack)).await;
        let deeper = judge(&events, after);
        if deeper.causes.is_empty() {
            break;
        }
        let nested = deeper.nested.clone();
        found = deeper;
        match nested {
            Some(id) => stack = id,
            None => break,
        }
    }
    found
}

/// Of the making of a change set.
pub(crate) async fn of_change_set(client: &Client, stack: &str, name: &str) -> Failures {
    let call = client.describe_events().stack_name(stack);
    judge(&read(call.change_set_name(name)).await, None)
}

/// All failed events; none where they cannot be had, which a failure of its own must not hide.
async fn read(call: DescribeEventsFluentBuilder) -> Vec<OperationEvent> {
    let failed = EventFilter::builder().failed_events(true).build();
    let mut pages = call.filters(failed).into_paginator().send();
    let mut events = Vec::new();
    while let Some(page) = pages.next().await {
        match page {
            Ok(page) => events.extend(page.operation_events.unwrap_or_default()),
            Err(error) => {
                explain(&AwsError::of(&error));
                return Vec::new();
            }
        }
    }
    events
}

fn explain(error: &AwsError) {
    match error.kind {
        Kind::NotPermitted => tracing::warn!(
            "cloudformation:DescribeEvents is not allowed, so which validation failed is not known: {error}"
        ),
        // An emulator, or a Region, that does not know it.
        _ if error.is("InvalidAction") || error.status == Some(501) => {
            tracing::debug!("DescribeEvents is not known: {error}");
        }
        _ => tracing::warn!("DescribeEvents did not say why it failed: {error}"),
    }
}

fn judge(events: &[OperationEvent], after: Option<DateTime>) -> Failures {
    // The newest stand first, as in DescribeStackEvents; the sort keeps that order where times are the same.
    let mut events: Vec<&OperationEvent> = events.iter().rev().collect();
    events.retain(|event| is_later(event, after));
    events.sort_by_key(|event| event.timestamp);

    let mut found = Failures::default();
    let validations = events.iter().filter(|event| {
        event.event_type == Some(EventType::ValidationError)
            && event.validation_status != Some(ValidationStatus::Skipped)
    });
    for event in validations {
        if event.validation_failure_mode == Some(HookFailureMode::Warn) {
            found.warnings.push(validation(event));
        } else {
            found.causes.push(validation(event));
        }
    }
    found.are_validations = !found.causes.is_empty();
    if found.are_validations {
        return found;
    }
    let Some(first) = events.iter().find(|event| failed_by_itself(event)) else {
        return found;
    };
    found.causes.push(match first.event_type {
        Some(EventType::HookInvocationError) => hook(first),
        _ => resource(first),
    });
    if first.resource_type() == Some("AWS::CloudFormation::Stack") {
        let id = first.physical_resource_id();
        found.nested = id.filter(|id| id.starts_with("arn:")).map(str::to_owned);
    }
    found
}

/// Change sets of a stack have operations of their own.
fn is_later(event: &OperationEvent, after: Option<DateTime>) -> bool {
    let is_change_set = event.operation_type == Some(OperationType::CreateChangeset);
    match (event.timestamp, after) {
        (Some(time), Some(after)) => time > after && !is_change_set,
        _ => true,
    }
}

/// Whether this is neither the stack, which fails because of a resource, nor a resource that was cancelled.
fn failed_by_itself(event: &OperationEvent) -> bool {
    match event.event_type {
        Some(EventType::HookInvocationError) => {
            let has_failed = matches!(
                event.hook_status,
                None | Some(HookStatus::HookFailed | HookStatus::HookCompleteFailed)
            );
            has_failed && event.hook_failure_mode != Some(HookFailureMode::Warn)
        }
        Some(EventType::ProvisioningError) => {
            let status = event.resource_status.as_ref();
            let is_the_stack =
                event.stack_id.is_some() && event.physical_resource_id == event.stack_id;
            status.is_none_or(|status| status.as_str().ends_with("_FAILED"))
                && !is_the_stack
                && !stack_texts::is_cancelled(event.resource_status_reason().unwrap_or_default())
        }
        _ => false,
    }
}

fn validation(event: &OperationEvent) -> String {
    let reason = event.validation_status_reason();
    let place = event.validation_path().filter(|path| !path.is_empty());
    let name = event.validation_name().unwrap_or("validation");
    format!(
        "{}: {} ({name}{})",
        who(event),
        reason.unwrap_or("no reason given"),
        place.map_or_else(String::new, |path| format!(" at {path}"))
    )
}

fn hook(event: &OperationEvent) -> String {
    format!(
        "the hook {} refused {}: {}",
        event.hook_type().unwrap_or("?"),
        who(event),
        event.hook_status_reason().unwrap_or("no reason given")
    )
}

fn resource(event: &OperationEvent) -> String {
    let status = event.resource_status.as_ref();
    format!(
        "{} {}: {}",
        status.map_or("failed", |status| status.as_str()),
        who(event),
        event.resource_status_reason().unwrap_or("no reason given")
    )
}

fn who(event: &OperationEvent) -> String {
    match (event.logical_resource_id(), event.resource_type()) {
        (Some(id), Some(kind)) => format!("{id} ({kind})"),
        (Some(id), None) => id.to_owned(),
        (None, _) => "the stack".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Failures, judge};
    use aws_sdk_cloudformation::primitives::DateTime;
    use aws_sdk_cloudformation::types::builders::OperationEventBuilder;
    use aws_sdk_cloudformation::types::{
        EventType, HookFailureMode, OperationEvent, OperationType, ResourceStatus,
    };

    fn event(at: i64, kind: EventType, id: &str) -> OperationEventBuilder {
        OperationEvent::builder()
            .timestamp(DateTime::from_secs(at))
            .event_type(kind)
            .stack_id("arn:stack")
            .operation_type(OperationType::UpdateStack)
            .logical_resource_id(id)
            .resource_type("AWS::SNS::Topic")
    }

    fn failed(at: i64, id: &str, reason: &str) -> OperationEventBuilder {
        event(at, EventType::ProvisioningError, id)
            .resource_status(ResourceStatus::UpdateFailed)
            .resource_status_reason(reason)
    }

    fn invalid(at: i64, id: &str, mode: HookFailureMode) -> OperationEventBuilder {
        event(at, EventType::ValidationError, id)
            .validation_name("NAME_CONFLICT_VALIDATION")
            .validation_failure_mode(mode)
            .validation_status_reason("it is there already")
            .validation_path(format!("/Resources/{id}"))
    }

    fn causes(events: &[OperationEvent]) -> Vec<String> {
        judge(events, Some(DateTime::from_secs(10))).causes
    }

    #[test]
    fn what_failed_by_itself_first_is_the_cause() {
        let stack = failed(14, "app", "The following resource(s) failed: [B]")
            .physical_resource_id("arn:stack");
        let events = [
            stack.build(),
            failed(13, "C", "quota").build(),
            failed(12, "B", "no such image").build(),
            failed(12, "A", "Resource update cancelled").build(),
            failed(10, "Z", "of an earlier deployment").build(),
        ];
        assert_eq!(
            causes(&events),
            ["UPDATE_FAILED B (AWS::SNS::Topic): no such image"]
        );
        // In whatever order they come.
        let mut turned = events.clone();
        turned.reverse();
        assert_eq!(causes(&turned), causes(&events));
        assert!(causes(&events[3..]).is_empty());
    }

    #[test]
    fn every_validation_is_a_cause_and_a_warning_is_none() {
        let events = [
            failed(13, "app", "Validation failed with 2 error(s).").build(),
            invalid(12, "B", HookFailureMode::Fail).build(),
            invalid(12, "A", HookFailureMode::Fail).build(),
            invalid(12, "W", HookFailureMode::Warn).build(),
        ];
        let found = judge(&events, None);
        let line = |id: &str| {
            format!(
                "{id} (AWS::SNS::Topic): it is there already (NAME_CONFLICT_VALIDATION at /Resources/{id})"
            )
        };
        assert_eq!(found.causes, [line("A"), line("B")]);
        assert!(found.are_validations);
        assert_eq!(found.warnings, [line("W")]);

        let warned = judge(&events[3..], None);
        assert!(warned.causes.is_empty() && !warned.are_validations);
    }

    #[test]
    fn a_hook_that_only_warns_is_no_cause() {
        let hook = |mode| {
            event(12, EventType::HookInvocationError, "Bucket")
                .hook_type("My::Hook")
                .hook_failure_mode(mode)
                .hook_status_reason("no encryption")
                .build()
        };
        assert_eq!(
            causes(&[hook(HookFailureMode::Fail)]),
            ["the hook My::Hook refused Bucket (AWS::SNS::Topic): no encryption"]
        );
        assert!(causes(&[hook(HookFailureMode::Warn)]).is_empty());
    }

    #[test]
    fn a_nested_stack_is_looked_into_and_a_change_set_is_not_the_deployment() {
        let nested = failed(12, "Inner", "Embedded stack was not updated")
            .resource_type("AWS::CloudFormation::Stack")
            .physical_resource_id("arn:inner");
        let found = judge(&[nested.build()], None);
        assert_eq!(found.nested.as_deref(), Some("arn:inner"));
        let other = invalid(12, "A", HookFailureMode::Fail)
            .operation_type(OperationType::CreateChangeset)
            .build();
        assert!(causes(&[other]).is_empty());
        assert_eq!(judge(&[], None), Failures::default());
    }
}
