use action::exit::Exit;
use action::wait::{self, Ended, Limits, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Instance;
use std::time::Duration;

use crate::find::{FindError, Selector, find};
use crate::instance::{State, state};

/// How often the state is looked at: starting takes from ten seconds to some minutes.
const PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// What is known of the instance before it is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starting {
    /// It may run already. One start is asked for at most.
    IfStopped,
    /// A stop was asked for, which EC2 may not show yet: a start is asked for in any case, and again when it stops
    /// once more.
    AfterStop,
}

/// Why an instance does not run, and whether its start was asked for.
#[derive(Debug)]
pub struct StartError {
    /// Whether EC2 took the request to start it.
    pub is_started: bool,
    /// Why it does not run.
    pub fault: StartFault,
}

/// Why an instance does not run.
#[derive(Debug)]
pub enum StartFault {
    /// It cannot be looked at.
    Find(FindError),
    /// It is terminated, or on its way there.
    Gone(Box<Instance>),
    /// It stopped again, with EC2's reason.
    Stopped(String),
    /// The call of `ec2:StartInstances` failed.
    Aws(AwsError),
    /// The deadline or a signal came first.
    Ended(Ended),
}

/// Brings an instance to running from whatever state, and gives it as it is then; also whether a start was needed.
///
/// # Errors
/// [`StartError`].
pub async fn start(
    client: &Client,
    id: &str,
    starting: Starting,
    limits: &Limits,
) -> Result<(Instance, bool), StartError> {
    let selector = Selector::Id(id.to_owned());
    let mut is_started = false;
    // EC2's reason for the stop before the start, as long as it shows what was before the start.
    let mut stale = None;
    let look = async || {
        let instance = match find(client, &selector).await {
            Ok(instance) => instance,
            // It tells the wait that the deadline has come, and what was met.
            Err(FindError::Aws(error)) if error.exit() == Exit::Deadline => {
                let deed = format!("cannot look up instance {id}");
                return Err(error.failure(deed, "ec2:DescribeInstances"));
            }
            Err(FindError::Absent(None)) => return Ok(not_yet("it is not listed")),
            Err(error) => return Ok(Look::There(Err(StartFault::Find(error)))),
        };
        let state = state(&instance);
        let reason = reason(&instance);
        let ask = match (state, starting) {
            (State::Running, Starting::IfStopped) => return Ok(Look::There(Ok(instance))),
            (State::Running, Starting::AfterStop) if is_started => {
                return Ok(Look::There(Ok(instance)));
            }
            (State::ShuttingDown | State::Terminated, _) => {
                return Ok(Look::There(Err(StartFault::Gone(Box::new(instance)))));
            }
            (State::Stopped, Starting::IfStopped) if is_started => {
                // What was before the start may be shown for a moment; a new reason tells of a failed start.
                if let Some(new) = reason.as_ref().filter(|reason| is_failure(&reason.code))
                    && reason != stale
                {
                    return Ok(Look::There(Err(StartFault::Stopped(new.message.clone()))));
                }
                false
            }
            (State::Stopped, _) => true,
            (State::Running | State::Pending, Starting::AfterStop) => !is_started,
            (State::Pending | State::Stopping | State::Unknown, _) => {
                stale = None;
                false
            }
        };
        if !ask {
            return Ok(Look::NotYet(format!("it is {state}")));
        }
        match client.start_instances().instance_ids(id).send().await {
            Ok(_) => {
                tracing::info!("started instance {id}");
                is_started = true;
                stale = reason;
                Ok(Look::NotYet(format!(
                    "it was {state}; its start is asked for"
                )))
            }
            Err(error) => match AwsError::of(&error) {
                // Somebody else changed its state since we looked, or EC2 is not ready: look again.
                error if error.is("IncorrectInstanceState") => Ok(Look::NotYet(format!(
                    "it is {state}, and EC2 does not start it yet"
                ))),
                error => Ok(Look::There(Err(StartFault::Aws(error)))),
            },
        }
    };
    let what = format!("instance {id} to run");
    let waited = wait::until(&what, limits.deadline, &limits.interrupt, PACE, look).await;
    match waited.unwrap_or_else(|ended| Err(StartFault::Ended(ended))) {
        Ok(instance) => Ok((instance, is_started)),
        Err(fault) => Err(StartError { is_started, fault }),
    }
}

fn not_yet<T>(seen: &str) -> Look<T> {
    Look::NotYet(seen.to_owned())
}

/// Why an instance is in its state.
#[derive(Clone, PartialEq, Eq)]
struct Reason {
    code: String,
    message: String,
}

fn reason(instance: &Instance) -> Option<Reason> {
    let reason = instance.state_reason()?;
    let code = reason.code()?.to_owned();
    let message = reason.message().unwrap_or(&code).to_owned();
    Some(Reason { code, message })
}

/// Whether it tells of a failed start, and not of a person's stop. The codes:
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_StateReason.html>.
fn is_failure(code: &str) -> bool {
    let of_the_start = [
        "Client.InternalError",
        "Client.InvalidSnapshot.NotFound",
        "Client.VolumeLimitExceeded",
    ];
    code.starts_with("Server.") || of_the_start.contains(&code)
}

#[cfg(test)]
mod tests {
    use super::is_failure;

    #[test]
    fn a_stop_by_a_person_is_no_failure() {
        for code in [
            "Client.UserInitiatedShutdown",
            "Client.InstanceInitiatedShutdown",
        ] {
            assert!(!is_failure(code));
        }
        for code in [
            "Server.InsufficientInstanceCapacity",
            "Client.InternalError",
        ] {
            assert!(is_failure(code));
        }
    }
}
