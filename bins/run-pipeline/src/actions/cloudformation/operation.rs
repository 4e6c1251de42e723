//! One create or update of a stack, told apart from all others by its client request token.
//!
//! "All events initiated by a given stack operation are assigned the same client request token"
//! (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_StackEvent.html>), so that the
//! events say whose operation is under way, also when the answer to its call was lost.

use std::collections::BTreeSet;

use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{DetailedStatus, StackEvent};

use crate::stack_events;

/// A create or update, as its events show it.
#[derive(Debug, Default)]
pub(super) struct Operation {
    /// Sent with each try of it.
    pub(super) token: String,
    /// The newest event of before; it and older ones belong to others.
    before: Option<Newest>,
    seen: BTreeSet<String>,
    /// Whether an event bears the token: CloudFormation carries it out.
    pub(super) begun: bool,
    /// The state of the stack itself, as its newest event says.
    pub(super) state: Option<String>,
    /// The lines of events that failed, the oldest first.
    pub(super) failed: Vec<String>,
    /// Whether CloudFormation refused it in its validation, before it touched a resource.
    pub(super) is_invalid: bool,
}

/// The newest event of a stack.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    pub(super) id: String,
    pub(super) time: Option<DateTime>,
}

impl Operation {
    pub(super) fn new(token: String) -> Self {
        Self {
            token,
            ..Self::default()
        }
    }

    /// The same operation, of which nothing is known to have happened until this event.
    pub(super) fn after(self, newest: Option<Newest>) -> Self {
        Self {
            before: newest,
            ..Self::new(self.token)
        }
    }

    /// The time of the newest event of before.
    pub(super) fn began_after(&self) -> Option<DateTime> {
        self.before.as_ref()?.time
    }

    /// What failed by itself first.
    pub(super) fn root_cause(&self) -> Option<&String> {
        stack_events::root_cause(&self.failed)
    }

    /// Whether anything happened since, by whomever.
    pub(super) fn something_happened(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Adds the new events of a page, newest first as CloudFormation gives them; says whether older
    /// pages may hold more.
    pub(super) fn unread(&self, page: Vec<StackEvent>, unread: &mut Vec<StackEvent>) -> bool {
        let had = unread.len();
        let is_empty = page.is_empty();
        for event in page {
            let Some(id) = event.event_id() else { continue };
            if self.before.as_ref().is_some_and(|newest| newest.id == id) {
                return false;
            }
            if !self.seen.contains(id) {
                unread.push(event);
            }
        }
        is_empty || unread.len() > had
    }

    /// Takes in an event, the oldest first; gives its line when it belongs to this operation.
    pub(super) fn take(&mut self, event: &StackEvent) -> Option<String> {
        self.seen.insert(event.event_id()?.to_owned());
        match event.client_request_token() {
            Some(token) if token == self.token => self.begun = true,
            // Another's, that ended before this one began. What comes after may be whoever cancels it.
            Some(_) if !self.begun => return None,
            _ => {}
        }
        let status = event.resource_status().map_or("?", |one| one.as_str());
        if is_of_the_stack(event) {
            self.state = Some(status.to_owned());
        }
        if event.detailed_status() == Some(&DetailedStatus::ValidationFailed) {
            self.is_invalid = true;
        }
        let (line, has_failed) = stack_events::line(event);
        if has_failed {
            self.failed.push(line.clone());
        }
        Some(line)
    }
}

/// Nested stacks are resources of the same type, with ids of their own.
fn is_of_the_stack(event: &StackEvent) -> bool {
    event.resource_type() == Some("AWS::CloudFormation::Stack")
        && event.stack_id().is_some()
        && event.physical_resource_id() == event.stack_id()
}

#[cfg(test)]
mod tests {
    use super::{Newest, Operation};
    use aws_sdk_cloudformation::types::{ResourceStatus, StackEvent};

    fn event(id: &str, token: Option<&str>, resource: &str, status: &str) -> StackEvent {
        let stack = resource == "app";
        StackEvent::builder()
            .event_id(id)
            .stack_id("arn:app")
            .logical_resource_id(resource)
            .physical_resource_id(if stack { "arn:app" } else { "other" })
            .resource_type(if stack || resource == "Nested" {
                "AWS::CloudFormation::Stack"
            } else {
                "AWS::SNS::Topic"
            })
            .set_client_request_token(token.map(str::to_owned))
            .resource_status(ResourceStatus::from(status))
            .build()
    }

    #[test]
    fn events_of_others_are_not_its_own() {
        let before = Newest {
            id: "e1".to_owned(),
            time: None,
        };
        let mut ours = Operation::new("ours".to_owned()).after(Some(before));
        // Newest first, over two pages: of before, of another one in between, of its own.
        let newest = vec![
            event("e6", Some("ours"), "Topic", "CREATE_FAILED"),
            event("e5", Some("ours"), "Nested", "UPDATE_COMPLETE"),
            event("e4", Some("ours"), "app", "UPDATE_IN_PROGRESS"),
        ];
        let older = vec![
            event("e3", Some("theirs"), "app", "UPDATE_COMPLETE"),
            event("e2", Some("theirs"), "Topic", "UPDATE_FAILED"),
            event("e1", None, "app", "CREATE_COMPLETE"),
            event("e0", None, "Topic", "CREATE_FAILED"),
        ];
        let mut unread = Vec::new();
        assert!(ours.unread(newest.clone(), &mut unread), "more may follow");
        assert!(!ours.unread(older, &mut unread), "the newest earlier one");
        let lines: Vec<_> = unread
            .iter()
            .rev()
            .filter_map(|one| ours.take(one))
            .collect();
        assert_eq!(
            lines,
            [
                "UPDATE_IN_PROGRESS app (AWS::CloudFormation::Stack)",
                "UPDATE_COMPLETE Nested (AWS::CloudFormation::Stack)",
                "CREATE_FAILED Topic (AWS::SNS::Topic)",
            ]
        );
        assert_eq!(ours.failed, lines[2..]);
        assert_eq!(ours.state.as_deref(), Some("UPDATE_IN_PROGRESS"));
        assert!(ours.begun);

        // Nothing is told twice, and what was read is not read on from.
        let mut again = Vec::new();
        assert!(!ours.unread(newest, &mut again));
        assert!(again.is_empty());
        // Whoever cancels it has another token, and ends it all the same.
        let cancelled = event("e7", Some("theirs"), "app", "UPDATE_ROLLBACK_COMPLETE");
        assert!(ours.take(&cancelled).is_some());
        assert_eq!(ours.state.as_deref(), Some("UPDATE_ROLLBACK_COMPLETE"));
    }

    #[test]
    fn a_service_that_hands_no_tokens_back_is_read_all_the_same() {
        let mut ours = Operation::new("ours".to_owned()).after(None);
        let one = event("e1", None, "app", "UPDATE_COMPLETE");
        assert!(ours.take(&one).is_some());
        assert!(!ours.begun && ours.something_happened());
        assert_eq!(ours.state.as_deref(), Some("UPDATE_COMPLETE"));
    }
}
