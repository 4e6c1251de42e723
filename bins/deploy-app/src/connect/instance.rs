//! The EC2 instance: looked up in any state, started when it does not run, with its address.

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use action::settings::tags::InstanceTags;
use action::wait::Limits;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Instance;
use ec2::{FindError, Selector, StartError, StartFault, Starting, State};
use std::time::Duration;

use ssh::PrivateKey as Key;

/// What is known about an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceInfo {
    pub id: String,
    pub state: State,
    /// AWS's reason for the state, where there is one.
    pub reason: Option<String>,
    /// The public address, where it has one.
    pub public_ip: Option<String>,
    /// The private address.
    pub private_ip: Option<String>,
    /// The first IPv6 address.
    pub ipv6: Option<String>,
    pub vpc: Option<String>,
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

/// What is to be done about a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: it runs.
    Go,
    Start,
    /// Look again later.
    Wait,
    /// There is no way to running.
    GiveUp,
}

/// The way from a state to a running instance.
pub(crate) fn next(state: State) -> Next {
    match state {
        State::Running => Next::Go,
        State::Stopped => Next::Start,
        State::Pending | State::Stopping | State::Unknown => Next::Wait,
        State::ShuttingDown | State::Terminated => Next::GiveUp,
    }
}

impl InstanceInfo {
    fn of(instance: &Instance) -> Self {
        let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let reason = instance.state_reason().and_then(|reason| reason.message());
        Self {
            id: instance.instance_id().unwrap_or_default().to_owned(),
            state: ec2::state(instance),
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
    pub(crate) fn is_young(&self, now: i64) -> bool {
        let young = i64::try_from(YOUNG.as_secs()).unwrap_or(i64::MAX);
        self.launched
            .is_some_and(|launched| now.saturating_sub(launched) < young)
    }
}

/// EC2 as this program uses it.
#[derive(Debug, Clone)]
pub(crate) struct Ec2 {
    /// What the crate `ec2` asks with.
    pub client: Client,
    connect: aws_sdk_ec2instanceconnect::Client,
    region: String,
}

impl Ec2 {
    /// Clients of a session.
    pub(crate) fn new(session: &Session) -> Self {
        Self {
            client: Client::new(&session.config),
            connect: aws_sdk_ec2instanceconnect::Client::new(&session.config),
            region: session.region.clone(),
        }
    }

    /// Looks an instance up.
    pub(crate) async fn look(&self, id: &str) -> Result<InstanceInfo, Failure> {
        let found = ec2::find(&self.client, &Selector::Id(id.to_owned())).await;
        found
            .map(|instance| InstanceInfo::of(&instance))
            .map_err(|error| self.not_found(id, error))
    }

    fn not_found(&self, id: &str, error: FindError) -> Failure {
        let absent = Failure::refused(format!("there is no instance {id} in {}", self.region))
            .hint("check INSTANCE_ID, AWS_REGION and the account that the credentials belong to");
        match error {
            FindError::Absent(Some(error)) => absent.cause(error),
            FindError::Absent(None) | FindError::Several(_) => absent,
            FindError::Aws(error) => error.failure(
                format!("cannot look up instance {id} in {}", self.region),
                "ec2:DescribeInstances",
            ),
        }
    }

    /// Finds the one instance that has these tags and is not on its way out.
    pub(crate) async fn find(&self, tags: &InstanceTags) -> Result<InstanceInfo, Failure> {
        let selector = Selector::Tags(tags.0.clone().into_iter().collect());
        let region = &self.region;
        match ec2::find(&self.client, &selector).await {
            Ok(instance) => Ok(InstanceInfo::of(&instance)),
            Err(FindError::Absent(_)) => Err(Failure::refused(format!("no instance has {tags} in {region}"))
                .hint("check DEPLOY_APP_INSTANCE_TAG, AWS_REGION and the account that the credentials belong to")),
            Err(FindError::Several(found)) => Err(found
                .iter()
                .map(InstanceInfo::of)
                .fold(
                    Failure::refused(format!("{} instances have {tags} in {region}", found.len())),
                    |failure, seen| failure.detail(format!("{} is {}", seen.id, seen.state)),
                )
                .hint("choose one with INSTANCE_ID, or name a tag that only one of them has")),
            Err(FindError::Aws(error)) => Err(error.failure(
                format!("cannot look for the instance with {tags} in {region}"),
                "ec2:DescribeInstances",
            )),
        }
    }

    /// Brings the instance to running, from whatever state, and reads its addresses then.
    pub(crate) async fn run(
        &self,
        id: &str,
        limits: &Limits,
    ) -> Result<(InstanceInfo, bool), Failure> {
        let started = ec2::start(&self.client, id, Starting::IfStopped, limits).await;
        let StartError { is_started, fault } = match started {
            Ok((instance, is_started)) => return Ok((InstanceInfo::of(&instance), is_started)),
            Err(error) => error,
        };
        let region = &self.region;
        let failure = match fault {
            StartFault::Find(error) => self.not_found(id, error),
            StartFault::Gone(instance) if is_started => self
                .gone(&InstanceInfo::of(&instance))
                .with_exit(Exit::Failed),
            StartFault::Gone(instance) => self.gone(&InstanceInfo::of(&instance)),
            StartFault::Stopped(reason) => {
                Failure::failed(format!("instance {id} in {region} did not start")).cause(reason)
            }
            StartFault::Aws(error) => error.failure(
                format!("cannot start instance {id} in {region}"),
                "ec2:StartInstances",
            ),
            StartFault::Ended(ended) => ended.into_failure(&format!("instance {id} to run")),
        };
        let failure = match is_started {
            true => self.started(failure, id),
            false => failure,
        };
        Err(match failure.exit() {
            Exit::Deadline => {
                failure.hint("running again goes on from here; give it more time with --timeout")
            }
            _ => failure,
        })
    }

    /// A failure after this run had started the instance, which stays so. It cannot be a refusal any
    /// more, for that promises that nothing was touched.
    pub(crate) fn started(&self, failure: Failure, id: &str) -> Failure {
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
    pub(crate) fn gone(&self, seen: &InstanceInfo) -> Failure {
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

    /// Whether starting would be permitted, asked with EC2's own dry run.
    /// An endpoint may start the instance all the same: the failure says then that it remains.
    pub(crate) async fn check_start(&self, id: &str) -> Result<(), Failure> {
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
    pub(crate) async fn push_key(
        &self,
        seen: &InstanceInfo,
        user: &str,
        key: &Key,
    ) -> Result<(), Failure> {
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

#[cfg(test)]
mod tests {
    use super::{Next, State, next};

    #[test]
    fn every_state_has_its_way() {
        for (state, way) in [
            (State::Running, Next::Go),
            (State::Stopped, Next::Start),
            (State::Pending, Next::Wait),
            (State::Stopping, Next::Wait),
            (State::Unknown, Next::Wait),
            (State::ShuttingDown, Next::GiveUp),
            (State::Terminated, Next::GiveUp),
        ] {
            assert_eq!(next(state), way);
        }
    }
}
