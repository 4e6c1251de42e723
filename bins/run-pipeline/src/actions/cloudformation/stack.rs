//! Create, update or delete a stack, tell its events, wait for its end.

use std::time::Duration;

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use action::wait::{self, Ended, Look, Pace};
use aws::error::AwsError;
use aws_sdk_cloudformation::primitives::DateTime;
use aws_sdk_cloudformation::types::{DeploymentConfigMode, Stack};
use tokio::time::{Instant, sleep, sleep_until};

use super::deployment::Deployment;
use super::operation::{Newest, Operation};
use super::send::Sent;
use super::state::{Kind, Move, advice, move_of, next_move, way_out};
use crate::stack_events;
use crate::stack_failures::{self, VALIDATION_HINT};

pub(super) const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(10),
};

/// What a call may still take after a signal or the deadline, where dropping it would leave open what
/// it did.
const LAST_WORD: Duration = Duration::from_secs(5);

/// How long a stack may be seen in a final state before the event of that state is there, and how long a
/// new one may not be seen at all: what CloudFormation shows may be older than what it has answered.
const STALE: Duration = Duration::from_secs(120);

/// The outputs of a stack.
type Outputs = Vec<(String, String)>;

/// What is there before anything is sent.
struct Seen {
    /// What is to be done with it.
    next: Move,
    /// When it was last updated.
    updated: Option<DateTime>,
    /// Its newest event.
    newest: Option<Newest>,
}

/// What a stack that was waited for has come to.
enum End {
    Good(Stack),
    Bad(Stack),
    Gone,
}

impl Deployment {
    /// Does what is asked with the stack and waits for it. `token` is of this operation alone.
    pub(super) async fn run(&self, kind: &Kind, token: String) -> Result<Outputs, Failure> {
        let what = self.what();
        let mut operation = Operation::new(token);
        let mut is_second = false;
        loop {
            let Seen {
                next,
                updated,
                newest,
            } = self.unless_stopped(self.look(kind)).await??;
            if next == Move::Nothing {
                tracing::info!("{what} is not there; there is nothing to do");
                return Ok(Outputs::new());
            }
            operation = operation.after(newest);
            let sent = self.send(kind, next, &operation.token).await;
            if matches!(sent, Sent::Accepted) {
                tracing::info!("{} {what}", next.going());
                return self.wait(next, updated, operation).await;
            }
            // The newest events say what became of it.
            let traced = self.last_word(self.tell(&mut operation)).await.flatten();
            if operation.begun {
                tracing::info!("{what} has taken this deployment, although the answer was lost");
                return self.wait(next, updated, operation).await;
            }
            let Sent::Failed { failure, answered } = sent else {
                traced?;
                return self.unless_stopped(self.up_to_date()).await?;
            };
            match traced {
                Err(_) if answered => return Err(failure),
                Err(blind) => return Err(self.unknown(failure.and(blind))),
                Ok(()) if is_stop(&failure) => return Err(self.unknown(failure)),
                // A service that hands no tokens back may have carried it out: then this changes nothing.
                Ok(()) if operation.something_happened() && !is_second => is_second = true,
                Ok(()) => return Err(self.unless_busy(failure).await),
            }
        }
    }

    /// The failure of a call that was refused; another deployment that came in between is told as what it is.
    async fn unless_busy(&self, refused: Failure) -> Failure {
        if refused.exit() != Exit::Failed {
            return refused;
        }
        match self.unless_stopped(self.find()).await.flatten() {
            Ok(Some(stack)) if status_of(&stack).ends_with("_IN_PROGRESS") => {
                self.busy(&status_of(&stack)).and(refused)
            }
            _ => refused,
        }
    }

    /// Looks at the stack before anything is sent.
    async fn look(&self, kind: &Kind) -> Result<Seen, Failure> {
        let without = |next| Seen {
            next,
            updated: None,
            newest: None,
        };
        let Some(stack) = self.find().await? else {
            return match move_of(kind, None) {
                Move::Stuck => Err(Failure::refused(format!("{} is not there", self.what()))
                    .hint("CHANGE_SET_REPLACE makes it together with the change set")),
                next => Ok(without(next)),
            };
        };
        let status = status_of(&stack);
        match move_of(kind, Some(&status)) {
            next @ (Move::Create | Move::Nothing) => Ok(without(next)),
            next @ (Move::Update | Move::Delete | Move::Execute { .. }) => {
                let events = self.client.describe_stack_events();
                let page = events.stack_name(&self.request.stack).send().await;
                let page = page.map_err(|error| self.no_events(&AwsError::of(&error)))?;
                let newest = page.stack_events().first();
                Ok(Seen {
                    next,
                    updated: stack.last_updated_time,
                    newest: newest.and_then(|event| {
                        let id = event.event_id.clone()?;
                        let time = event.timestamp;
                        Some(Newest { id, time })
                    }),
                })
            }
            Move::Stuck => {
                let refused =
                    Failure::refused(format!("{} is {status} and cannot be updated", self.what()));
                Err(match way_out(&status) {
                    None => refused,
                    Some(way_out) => {
                        let advice = advice(&status).map(|advice| format!(" ({advice})"));
                        refused.hint(format!(
                            "look at its events, then: {}{}",
                            self.command(way_out),
                            advice.unwrap_or_default()
                        ))
                    }
                })
            }
            Move::Busy => Err(self.busy(&status)),
        }
    }

    /// The stack, if there is one.
    pub(super) async fn find(&self) -> Result<Option<Stack>, Failure> {
        let stacks = self.client.describe_stacks();
        match stacks.stack_name(&self.request.stack).send().await {
            Ok(answer) => Ok(answer.stacks.unwrap_or_default().into_iter().next()),
            Err(error) => {
                let error = AwsError::of(&error);
                if stack_events::is_absent(&error) {
                    return Ok(None);
                }
                let deed = format!("cannot look up {}", self.what());
                Err(error.failure(deed, "cloudformation:DescribeStacks"))
            }
        }
    }

    /// The outputs of a stack that has nothing to update.
    pub(super) async fn up_to_date(&self) -> Result<Outputs, Failure> {
        let stack = self.find().await?.ok_or_else(|| self.gone())?;
        let status = status_of(&stack);
        if next_move(Some(&status)) != Move::Update {
            return Err(self.busy(&status));
        }
        tracing::info!(
            "{} is up to date: no updates are to be performed",
            self.what()
        );
        Ok(outputs(&stack))
    }

    /// Waits for the end of what CloudFormation has taken; `updated` is when the stack was updated before.
    async fn wait(
        &self,
        next: Move,
        updated: Option<DateTime>,
        mut operation: Operation,
    ) -> Result<Outputs, Failure> {
        let what = self.what();
        let mut status = next.first_state().to_owned();
        let mut is_seen = false;
        let mut stale_since = None;
        let look = async || {
            let found = self.find().await?;
            // Before anything else is asked: a signal may end this look, and the state is told then.
            if let Some(seen) = found.as_ref().map(status_of)
                && next.verdict(&seen).is_none()
            {
                status = seen;
            }
            self.tell(&mut operation).await?;
            let Some(stack) = found else {
                let is_gone = is_seen || next == Move::Delete || is_stale(&mut stale_since);
                return Ok(if is_gone {
                    Look::There(End::Gone)
                } else {
                    Look::NotYet("not there yet".to_owned())
                });
            };
            is_seen = true;
            let seen = status_of(&stack);
            let Some(is_good) = next.verdict(&seen) else {
                stale_since = None;
                return Ok(Look::NotYet(seen));
            };
            // It may be shown as it was before: its own event of that state is of this deployment.
            if operation.state.as_ref() != Some(&seen) {
                if is_stale(&mut stale_since) {
                    let deed = format!("{what} is {seen}, and no event says so");
                    status = seen;
                    return Err(self.unknown(Failure::new(Exit::Unavailable, deed)));
                }
                return Ok(Look::NotYet(format!("{seen}, and no event says so yet")));
            }
            // Its outputs may be those of before, although that event is there.
            let is_of_before = next.is_update() && stack.last_updated_time == updated;
            if is_of_before && operation.begun && !is_stale(&mut stale_since) {
                return Ok(Look::NotYet(format!("{seen}, as it was before")));
            }
            status = seen;
            Ok(Look::There(if is_good {
                End::Good(stack)
            } else {
                End::Bad(stack)
            }))
        };
        let ended = wait::until(
            &what,
            self.limits.deadline,
            &self.limits.interrupt,
            PACE,
            look,
        )
        .await;
        let left = |failure: Failure| match way_out(&status) {
            None => failure,
            Some(way_out) => {
                let failure = advice(&status).into_iter().fold(failure, Failure::hint);
                self.listed(failure, format!("{what}, {status}"), way_out)
            }
        };
        match ended {
            Ok(End::Good(stack)) => {
                warn_of(&what, &status, &operation.failed);
                warn_of_express_mode(&what, &stack);
                Ok(outputs(&stack))
            }
            Ok(End::Bad(stack)) => {
                let reason = stack.stack_status_reason().unwrap_or("no reason given");
                let deed = format!("the deployment of {what} ended in {status}");
                let failure = Failure::failed(deed).cause(reason);
                Err(left(self.explained(failure, &stack, operation).await))
            }
            Ok(End::Gone) if next == Move::Delete => {
                tracing::info!("{what} is deleted");
                Ok(Outputs::new())
            }
            Ok(End::Gone) => Err(self.gone()),
            Err(Ended::Failed(failure)) => Err(left(failure)),
            Err(ended) => Err(left(
                ended
                    .into_failure(&format!("{what} was deployed"))
                    .hint("its deployment goes on; run again when it has ended"),
            )),
        }
    }

    /// A failure with every event that failed, and what failed by itself.
    async fn explained(&self, failure: Failure, stack: &Stack, operation: Operation) -> Failure {
        let name = stack.stack_id().unwrap_or(&self.request.stack);
        let asked = stack_failures::of_stack(&self.client, name, operation.began_after());
        let found = self.unless_stopped(asked).await.unwrap_or_default();
        let told = operation.root_cause().cloned();
        let causes = if found.causes.is_empty() {
            told.into_iter().collect()
        } else {
            found.causes
        };
        let causes = causes
            .into_iter()
            .map(|cause| format!("root cause: {cause}"));
        let failed = operation.failed.into_iter().chain(causes);
        let failure = failed.fold(failure, Failure::detail);
        if found.are_validations {
            failure.hint(VALIDATION_HINT)
        } else if operation.is_invalid {
            let look = self.command("describe-events --filters FailedEvents=true");
            failure.hint(format!(
                "a validation of CloudFormation failed before it touched a resource; which one says {look}"
            ))
        } else {
            failure
        }
    }

    /// Tells the events of an operation that were not told yet, the oldest first.
    async fn tell(&self, operation: &mut Operation) -> Result<(), Failure> {
        let events = self.client.describe_stack_events();
        let events = events.stack_name(&self.request.stack).into_paginator();
        let mut pages = events.send();
        let mut unread = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page {
                Ok(page) => page.stack_events.unwrap_or_default(),
                Err(error) => {
                    let error = AwsError::of(&error);
                    if stack_events::is_absent(&error) {
                        break;
                    }
                    return Err(self.no_events(&error));
                }
            };
            if !operation.unread(page, &mut unread) {
                break;
            }
        }
        for event in unread.iter().rev() {
            if let Some(line) = operation.take(event) {
                tracing::info!("{line}");
            }
        }
        Ok(())
    }

    /// Ends a call that changes nothing with a signal or the deadline.
    pub(super) async fn unless_stopped<T>(
        &self,
        call: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            failure = self.stopped() => Err(failure),
            done = call => Ok(done),
        }
    }

    /// Lets a call come to its end after a signal or the deadline too, though not for long.
    pub(super) async fn last_word<T>(&self, call: impl Future<Output = T>) -> Result<T, Failure> {
        let patience = async {
            let failure = self.stopped().await;
            sleep(LAST_WORD).await;
            failure
        };
        tokio::select! {
            biased;
            done = call => Ok(done),
            failure = patience => Err(failure),
        }
    }

    async fn stopped(&self) -> Failure {
        tokio::select! {
            signal = self.limits.interrupt.signalled() => {
                Failure::interrupted(signal, format!("stopped at {}", self.what()))
            }
            () = sleep_until(self.limits.deadline) => {
                Failure::new(Exit::Deadline, format!("the deadline passed at {}", self.what()))
                    .hint("running again looks first at what is there")
            }
        }
    }

    pub(super) fn what(&self) -> String {
        format!("the stack {} in {}", self.request.stack, self.region)
    }

    pub(super) fn command(&self, command: &str) -> String {
        format!(
            "aws cloudformation {command} --stack-name {} --region {}",
            self.request.stack, self.region
        )
    }

    pub(super) fn busy(&self, status: &str) -> Failure {
        let deed = format!(
            "{} is {status}: another deployment works on it",
            self.what()
        );
        let look = self.command("describe-stacks");
        Failure::new(Exit::Lost, deed).hint(format!("wait for it: {look}"))
    }

    fn gone(&self) -> Failure {
        Failure::failed(format!("{} is gone", self.what()))
    }

    fn no_events(&self, error: &AwsError) -> Failure {
        let deed = format!("cannot read the events of {}", self.what());
        error.failure(deed, "cloudformation:DescribeStackEvents")
    }

    /// A failure that leaves the stack behind. The exit of a signal would say that nothing is left.
    fn listed(&self, failure: Failure, what: String, command: &str) -> Failure {
        let stack = Resource::new(ResourceKind::Stack, &self.request.stack, &self.region);
        let failure = failure.remains(stack, what, self.command(command));
        match failure.exit() {
            Exit::Interrupted | Exit::Terminated => failure.with_exit(Exit::Remains),
            _ => failure,
        }
    }

    /// A failure after which nobody knows whether the stack is being deployed.
    fn unknown(&self, failure: Failure) -> Failure {
        let what = format!(
            "perhaps a deployment of {}: whether it began is not known",
            self.what()
        );
        self.listed(failure, what, "describe-stacks")
    }
}

fn is_stop(failure: &Failure) -> bool {
    matches!(
        failure.exit(),
        Exit::Deadline | Exit::Interrupted | Exit::Terminated
    )
}

fn is_stale(since: &mut Option<Instant>) -> bool {
    since.get_or_insert_with(Instant::now).elapsed() >= STALE
}

/// What could not be deleted in the end is no longer part of a stack that is green.
fn warn_of(what: &str, status: &str, failed: &[String]) {
    if failed.is_empty() {
        return;
    }
    tracing::warn!(
        "{what} is {status}, but not all went well; what could not be deleted stays, outside of the stack"
    );
    for line in failed {
        tracing::warn!("{line}");
    }
}

/// A deployment in express mode ends when the settings of its resources are taken. Whether signals are waited for
/// then is unproven: deploy an Auto Scaling group with a creation policy by a change set with
/// `--deployment-config Mode=EXPRESS`, and see whether it ends before its signal.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-express-mode.html>
fn warn_of_express_mode(what: &str, stack: &Stack) {
    let mode = stack.deployment_config().and_then(|config| config.mode());
    if mode == Some(&DeploymentConfigMode::Express) {
        tracing::warn!(
            "{what} was deployed in express mode: CloudFormation did not wait until its resources are ready, so nothing says \
             that the application answers"
        );
    }
}

pub(super) fn status_of(stack: &Stack) -> String {
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
