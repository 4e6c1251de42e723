//! Stopping the instance for its image, and starting it again.
//!
//! A tag on the instance says that we stopped it, so that a run which follows a killed one starts it.

use crate::cleanup::undo;
use crate::instance::{Source, not_found};
use crate::job::Job;
use crate::plan::{Plan, STOPPED_TAG};
use action::export::quote::posix;
use action::failure::{Failure, ResourceKind};
use action::interrupt::Interrupt;
use action::wait::{self, Limits, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::Tag;
use ec2::{FindError, Selector, StartFault, Starting, State};
use std::time::Duration;
use tokio::time::Instant;

const PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// How long a start may take when the deadline is over: the instance must not stay down.
const START_WITHIN: Duration = Duration::from_secs(300);
/// How long taking the mark away may take after that.
const UNMARK_WITHIN: Duration = Duration::from_secs(30);

/// Stops the instance where it runs. Gives whether this run has stopped it.
pub(crate) async fn acquire(job: &Job, plan: &Plan, source: &Source) -> Result<bool, Failure> {
    let id = &source.id;
    if !source.running {
        let ours = source.stopped_by.as_deref() == Some(plan.run.as_str());
        if let Some(other) = source.stopped_by.as_deref().filter(|_| !ours) {
            tracing::warn!(
                "{id} was stopped by run {other}, which has not started it again; `make-ami clean --image {}` does",
                posix(other)
            );
        }
        return Ok(ours);
    }
    let marked = job
        .home
        .ec2
        .create_tags()
        .resources(id)
        .tags(Tag::builder().key(STOPPED_TAG).value(&plan.run).build());
    marked.send().await.map_err(|error| {
        let operation = format!("cannot tag instance {id} in {}", job.home.region);
        AwsError::of(&error).failure(operation, "ec2:CreateTags on the instance")
    })?;
    tracing::info!("stopping {id} for its image");
    let asked = job.home.ec2.stop_instances().instance_ids(id).send().await;
    let stopped = match asked {
        Ok(_) => until_stopped(job, id, &job.context.interrupt).await,
        Err(error) => {
            let operation = format!("cannot stop instance {id} in {}", job.home.region);
            let error = AwsError::of(&error);
            let failure = error.failure(operation, "ec2:StopInstances");
            Err(if error.is("UnsupportedOperation") {
                failure.hint(
                    "EC2 does not stop every instance, such as most Spot Instances: use reboot, no-reboot or quiesce",
                )
            } else {
                failure
            })
        }
    };
    match stopped {
        Ok(()) => Ok(true),
        Err(failure) => Err(match start(job, id).await {
            Ok(()) => failure,
            Err(worse) => undo::with_remains_exit(failure.and(worse)),
        }),
    }
}

async fn until_stopped(job: &Job, id: &str, interrupt: &Interrupt) -> Result<(), Failure> {
    let what = format!("instance {id} in {} to stop", job.home.region);
    let selector = Selector::Id(id.to_owned());
    let look = async || match ec2::find(&job.home.ec2, &selector).await {
        Ok(instance) => match ec2::state(&instance) {
            State::Stopped => Ok(Look::There(())),
            state if state.is_final() => Err(Failure::failed(format!(
                "instance {id} is {state} and never stops"
            ))),
            state => Ok(Look::NotYet(format!("it is {state}"))),
        },
        Err(FindError::Absent(None)) => Ok(Look::NotYet("it is not listed".to_owned())),
        Err(error) => Err(not_found(&job.home.region, &selector, error)),
    };
    let waited = wait::until(&what, job.context.deadline, interrupt, PACE, look).await;
    waited.map_err(|ended| ended.into_failure(&what))
}

/// Starts the instance and waits until it runs, signals and deadline or not.
pub(crate) async fn start(job: &Job, id: &str) -> Result<(), Failure> {
    tracing::info!("starting {id} again");
    let region = &job.home.region;
    let lost = |failure: Failure| {
        failure.remains(
            job.home.resource(ResourceKind::Instance, id),
            format!("instance {id}, which is not running again"),
            format!("aws ec2 start-instances --region {region} --instance-ids {id}"),
        )
    };
    // A run that was told to stop does not hold its build up for the rest of its deadline.
    let at_least = Instant::now() + START_WITHIN;
    let deadline = match job.context.interrupt.pending() {
        Some(_) => at_least,
        None => job.context.deadline.max(at_least),
    };
    job.session.limit.extend(deadline + UNMARK_WITHIN);
    let limits = Limits {
        deadline,
        interrupt: Interrupt::never(),
    };
    let started = ec2::start(&job.home.ec2, id, Starting::AfterStop, &limits).await;
    started.map_err(|error| lost(not_started(region, id, error.fault)))?;
    let unmark = job.home.ec2.delete_tags().resources(id);
    let unmark = unmark.tags(Tag::builder().key(STOPPED_TAG).build());
    if let Err(error) = unmark.send().await {
        // It runs; a mark that stays makes a later run start what runs.
        tracing::warn!(
            "cannot remove the tag {STOPPED_TAG} of {id}: {}",
            AwsError::of(&error)
        );
    }
    Ok(())
}

fn not_started(region: &str, id: &str, fault: StartFault) -> Failure {
    match fault {
        StartFault::Find(error) => not_found(region, &Selector::Id(id.to_owned()), error),
        StartFault::Gone(instance) => Failure::failed(format!(
            "instance {id} is {} and never starts",
            ec2::state(&instance)
        )),
        StartFault::Stopped(reason) => {
            Failure::failed(format!("instance {id} in {region} did not start")).cause(reason)
        }
        StartFault::Aws(error) => {
            let operation = format!("cannot start instance {id} in {region}");
            error.failure(operation, "ec2:StartInstances")
        }
        StartFault::Ended(ended) => {
            ended.into_failure(&format!("instance {id} in {region} to run again"))
        }
    }
}
