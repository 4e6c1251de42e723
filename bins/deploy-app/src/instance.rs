//! The EC2 instance: looked up in any state, started when it does not run, with its address.

mod inspect;

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use action::interrupt::Interrupt;
use action::wait::{self, Look, Pace};
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName};
use std::time::Duration;
use tokio::time::Instant;

use crate::settings::Tag;
use ssh::PrivateKey as Key;

/// How often the state is looked at: starting takes from ten seconds to some minutes.
const PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(15),
};

/// What is known about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: State,
    /// AWS's reason for the state, where there is one.
    pub reason: Option<String>,
    /// The public address, where it has one.
    pub public_ip: Option<String>,
    /// The private address.
    pub private_ip: Option<String>,
    /// The first IPv6 address.
    pub ipv6: Option<String>,
    /// The VPC.
    pub vpc: Option<String>,
    /// The subnet.
    pub subnet: Option<String>,
    /// The availability zone, which Instance Connect likes to know.
    pub zone: Option<String>,
    /// Ids of its security groups.
    pub groups: Vec<String>,
    /// When it was started last, in seconds since 1970.
    pub launched: Option<i64>,
}

/// So long after its start an instance may still be on its way: cloud-init writes host keys and
/// `authorized_keys`, agents come up. Nobody promises a number; minutes are what people report.
const YOUNG: Duration = Duration::from_secs(600);

/// An instance's state: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On its way to running.
    Pending,
    /// It runs.
    Running,
    /// On its way to stopped.
    Stopping,
    /// It can be started.
    Stopped,
    /// On its way to terminated: no way back.
    ShuttingDown,
    /// Gone.
    Terminated,
    /// A state that this program does not know.
    Unknown,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Unknown => "in an unknown state",
        })
    }
}

/// What is to be done about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it runs.
    Go,
    /// Start it.
    Start,
    /// Look again later.
    Wait,
    /// There is no way to running.
    GiveUp,
}

impl State {
    /// The way to a running instance.
    #[must_use]
    pub fn next(self) -> Next {
        match self {
            Self::Running => Next::Go,
            Self::Stopped => Next::Start,
            Self::Pending | Self::Stopping | Self::Unknown => Next::Wait,
            Self::ShuttingDown | Self::Terminated => Next::GiveUp,
        }
    }
}

impl Seen {
    fn of(instance: &Instance) -> Self {
        let state = match instance.state().and_then(|state| state.name()) {
            Some(InstanceStateName::Pending) => State::Pending,
            Some(InstanceStateName::Running) => State::Running,
            Some(InstanceStateName::Stopping) => State::Stopping,
            Some(InstanceStateName::Stopped) => State::Stopped,
            Some(InstanceStateName::ShuttingDown) => State::ShuttingDown,
            Some(InstanceStateName::Terminated) => State::Terminated,
            _ => State::Unknown,
        };
        let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let reason = instance.state_reason().and_then(|reason| reason.message());
        Self {
            id: instance.instance_id().unwrap_or_default().to_owned(),
            state,
            reason: filled(reason.or(instance.state_transition_reason())),
            public_ip: filled(instance.public_ip_address()),
            private_ip: filled(instance.private_ip_address()),
            ipv6: filled(instance.ipv6_address()),
            vpc: filled(instance.vpc_id()),
            subnet: filled(instance.subnet_id()),
            zone: filled(
                instance
                    .placement()
                    .and_then(|placement| placement.availability_zone()),
            ),
            groups: instance
                .security_groups()
                .iter()
                .filter_map(|group| group.group_id().map(str::to_owned))
                .collect(),
            launched: instance.launch_time().map(|time| time.secs()),
        }
    }

    /// Whether it was started so recently that what is missing on it may still come; `now` in seconds
    /// since 1970.
    #[must_use]
    pub fn is_young(&self, now: i64) -> bool {
        let young = i64::try_from(YOUNG.as_secs()).unwrap_or(i64::MAX);
        self.launched
            .is_some_and(|launched| now.saturating_sub(launched) < young)
    }
}

/// EC2 as this program uses it.
#[derive(Debug, Clone)]
pub struct Ec2 {
    client: Client,
    connect: aws_sdk_ec2instanceconnect::Client,
    region: String,
}

impl Ec2 {
    /// Clients of a session.
    #[must_use]
    pub fn new(session: &Session) -> Self {
        Self {
            client: Client::new(&session.config),
            connect: aws_sdk_ec2instanceconnect::Client::new(&session.config),
            region: session.region.clone(),
        }
    }

    /// Looks an instance up.
    ///
    /// # Errors
    /// A refusal when there is no such instance; otherwise what the call met.
    pub async fn look(&self, id: &str) -> Result<Seen, Failure> {
        let deed = || format!("cannot look up instance {id} in {}", self.region);
        let not_found = || {
            Failure::refused(format!("there is no instance {id} in {}", self.region)).hint(
                "check INSTANCE_ID, AWS_REGION and the account that the credentials belong to",
            )
        };
        let answer = self
            .client
            .describe_instances()
            .instance_ids(id)
            .send()
            .await
            .map_err(|error| {
                let error = AwsError::of(&error);
                if error.is("InvalidInstanceID.NotFound") || error.is("InvalidInstanceID.Malformed")
                {
                    not_found().cause(error)
                } else {
                    error.failure(deed(), "ec2:DescribeInstances")
                }
            })?;
        let instance = answer
            .reservations()
            .iter()
            .flat_map(|reservation| reservation.instances())
            .next();
        instance.map(Seen::of).ok_or_else(not_found)
    }

    /// Finds the one instance that has a tag and is not on its way out.
    ///
    /// # Errors
    /// A refusal when there is none, or more than one, which are listed; otherwise what the call met.
    pub async fn find(&self, tag: &Tag) -> Result<Seen, Failure> {
        let filter = |name: String, values: &[&str]| {
            Filter::builder()
                .name(name)
                .set_values(Some(values.iter().map(ToString::to_string).collect()))
                .build()
        };
        let mut pages = self
            .client
            .describe_instances()
            .filters(filter(
                format!("tag:{}", tag.key),
                &[&filter_value(&tag.value)],
            ))
            .filters(filter(
                "instance-state-name".to_owned(),
                &["pending", "running", "stopping", "stopped"],
            ))
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                AwsError::of(&error).failure(
                    format!(
                        "cannot look for the instance with tag {tag} in {}",
                        self.region
                    ),
                    "ec2:DescribeInstances",
                )
            })?;
            let instances = page
                .reservations()
                .iter()
                .flat_map(|reservation| reservation.instances());
            found.extend(instances.map(Seen::of));
        }
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => Err(Failure::refused(format!("no instance has the tag {tag} in {}", self.region))
                .hint("check DEPLOY_APP_INSTANCE_TAG, AWS_REGION and the account that the credentials belong to")),
            n => Err(found
                .iter()
                .fold(
                    Failure::refused(format!("{n} instances have the tag {tag} in {}", self.region)),
                    |failure, seen| failure.detail(format!("{} is {}", seen.id, seen.state)),
                )
                .hint("choose one with INSTANCE_ID, or give it a tag of its own")),
        }
    }

    /// Brings the instance to running, from whatever state, and reads its addresses then.
    ///
    /// # Errors
    /// A refusal for a terminated instance; the deadline; a signal; what a call met.
    pub async fn run(
        &self,
        id: &str,
        deadline: Instant,
        interrupt: &Interrupt,
    ) -> Result<(Seen, bool), Failure> {
        let mut started = false;
        // What EC2 said before the start, as long as it shows what was before the start.
        let mut stale = None;
        let what = format!("instance {id} to run");
        let seen = wait::until(&what, deadline, interrupt, PACE, async || {
            let seen = self.look(id).await?;
            match seen.state.next() {
                Next::Go => return Ok(Look::There(seen)),
                Next::GiveUp if started => {
                    return Err(self.gone(&seen).with_exit(Exit::Failed));
                }
                Next::GiveUp => return Err(self.gone(&seen)),
                Next::Wait => stale = None,
                Next::Start if started => {
                    // Eventual consistency may show the old state for a moment; a reason tells a failed start.
                    if let Some(reason) = seen.reason.as_deref().filter(|reason| is_failure(reason))
                        && seen.reason != stale
                    {
                        return Err(Failure::failed(format!(
                            "instance {id} in {} did not start",
                            self.region
                        ))
                        .cause(reason));
                    }
                }
                Next::Start => {
                    // Somebody else changed its state since we looked, or EC2 is not ready: look again.
                    if !self.start(id).await? {
                        return Ok(Look::NotYet(
                            "it is stopped, and EC2 does not start it yet".to_owned(),
                        ));
                    }
                    started = true;
                    stale = seen.reason;
                    return Ok(Look::NotYet("was stopped, starting it".to_owned()));
                }
            }
            Ok(Look::NotYet(format!("it is {}", seen.state)))
        })
        .await
        .map_err(|ended| {
            let failure = ended.into_failure(&what);
            let failure = match started {
                true => self.started(failure, id),
                false => failure,
            };
            if failure.exit() == Exit::Deadline {
                failure.hint("running again goes on from here; give it more time with --timeout")
            } else {
                failure
            }
        })?;
        Ok((seen, started))
    }

    /// A failure after this run had started the instance, which stays so. It cannot be a refusal any
    /// more, for that promises that nothing was touched.
    pub fn started(&self, failure: Failure, id: &str) -> Failure {
        let failure = failure.changed(format!("instance {id} was started and stays so"));
        match failure.exit() {
            Exit::Refused => failure.remains(
                Resource::new(ResourceKind::Instance, id, &self.region),
                format!("instance {id} in {}, which was stopped before", self.region),
                format!(
                    "aws ec2 stop-instances --region {} --instance-ids {id}",
                    self.region
                ),
            ),
            _ => failure,
        }
    }

    /// The refusal for an instance that will never run again.
    pub fn gone(&self, seen: &Seen) -> Failure {
        let failure = Failure::refused(format!(
            "instance {} in {} is {}",
            seen.id, self.region, seen.state
        ));
        let failure = match &seen.reason {
            Some(reason) => failure.cause(reason),
            None => failure,
        };
        failure.hint(
            "a terminated instance cannot be started; launch another one and set its INSTANCE_ID",
        )
    }

    /// Asks for a start; false when EC2 finds the instance in a state in which it starts none.
    async fn start(&self, id: &str) -> Result<bool, Failure> {
        match self.client.start_instances().instance_ids(id).send().await {
            Ok(_) => {
                tracing::info!("started instance {id}");
                Ok(true)
            }
            Err(error) => {
                let error = AwsError::of(&error);
                if error.is("IncorrectInstanceState") {
                    return Ok(false);
                }
                Err(error.failure(
                    format!("cannot start instance {id} in {}", self.region),
                    "ec2:StartInstances",
                ))
            }
        }
    }

    /// Whether starting would be permitted, asked with EC2's own dry run.
    ///
    /// # Errors
    /// What the call met, when it is anything but "would have succeeded". An endpoint that starts the instance
    /// all the same: then the instance remains.
    pub async fn check_start(&self, id: &str) -> Result<(), Failure> {
        match self
            .client
            .start_instances()
            .instance_ids(id)
            .dry_run(true)
            .send()
            .await
        {
            Ok(_) => Err(Failure::failed(format!(
                "this endpoint carries dry runs out: it started instance {id} in {}",
                self.region
            ))
            .remains(
                Resource::new(ResourceKind::Instance, id, &self.region),
                format!("instance {id}, which was stopped and runs now"),
                format!(
                    "aws ec2 stop-instances --region {} --instance-ids {id}",
                    self.region
                ),
            )
            .hint("AWS never carries a DryRun out: check AWS_ENDPOINT_URL")),
            Err(error) => {
                let error = AwsError::of(&error);
                if error.is("DryRunOperation") {
                    return Ok(());
                }
                Err(error.failure(
                    format!(
                        "would not be able to start instance {id} in {}",
                        self.region
                    ),
                    "ec2:StartInstances",
                ))
            }
        }
    }

    /// Lets the key in for the next 60 seconds.
    ///
    /// # Errors
    /// What the call met.
    pub async fn push_key(&self, seen: &Seen, user: &str, key: &Key) -> Result<(), Failure> {
        let deed = format!(
            "cannot push a key for user `{user}` to {} with EC2 Instance Connect",
            seen.id
        );
        let line = key
            .public_line()
            .map_err(|error| Failure::failed(deed.clone()).cause(error))?;
        self.connect
            .send_ssh_public_key()
            .instance_id(&seen.id)
            .instance_os_user(user)
            .ssh_public_key(line)
            .set_availability_zone(seen.zone.clone())
            .send()
            .await
            .map(drop)
            .map_err(|error| {
                AwsError::of(&error).failure(deed, "ec2-instance-connect:SendSSHPublicKey")
            })
    }
}

/// A value as a filter takes it literally: `*` and `?` stand for more otherwise.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
fn filter_value(value: &str) -> String {
    value
        .replace('\\', r"\\")
        .replace('*', r"\*")
        .replace('?', r"\?")
}

/// Whether a state reason tells of a failure, and not of a person's stop.
fn is_failure(reason: &str) -> bool {
    reason.contains("Server.")
        || reason.contains("Client.InternalError")
        || reason.contains("Client.InvalidSnapshot")
        || reason.contains("VolumeLimit")
}

#[cfg(test)]
mod tests {
    use super::{Next, State, is_failure};

    #[test]
    fn every_state_has_its_way() {
        for (state, next) in [
            (State::Running, Next::Go),
            (State::Stopped, Next::Start),
            (State::Pending, Next::Wait),
            (State::Stopping, Next::Wait),
            (State::Unknown, Next::Wait),
            (State::ShuttingDown, Next::GiveUp),
            (State::Terminated, Next::GiveUp),
        ] {
            assert_eq!(state.next(), next);
        }
    }

    #[test]
    fn a_stop_by_a_person_is_no_failure() {
        assert!(!is_failure("User initiated (2026-11-23 09:00:00 GMT)"));
        assert!(!is_failure(
            "Client.UserInitiatedShutdown: User initiated shutdown"
        ));
        assert!(is_failure(
            "Server.InsufficientInstanceCapacity: no capacity"
        ));
        assert!(is_failure("Client.InternalError: Client error on launch"));
    }
}
