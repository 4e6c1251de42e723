//! Reaching the host: TCP, SSH banner and authentication under one deadline.

use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::Limits;
use tokio::time::{Instant, sleep};

use crate::cloud::Cloud;
use crate::explain;
use crate::host_keys::Belief;
use crate::instance::Seen;
use crate::settings::Checked;
use ssh::{Address, ConnectError, HostKeyPolicy, PrivateKey, Session, known_hosts};

/// One try may take this long, so that a lost packet does not use up the whole time.
const TRY_LIMIT: Duration = Duration::from_secs(20);
/// No try is begun with less time than this: it would end by our own clock, and say nothing of the host.
const TRY_LEAST: Duration = Duration::from_secs(1);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(1);
/// A waiting line is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// On an instance what lets keys in may come up after sshd: refusals are borne for this long, or on one that
/// was just started for as long as it may take to answer at all.
const REFUSED_LIMIT: Duration = Duration::from_secs(30);

/// Where the host is and how to get in.
#[derive(Debug)]
pub struct Way<'a> {
    /// Where the SSH server listens.
    pub address: Address,
    /// The instance, when it is one, with AWS.
    pub instance: Option<(&'a Cloud, &'a Seen)>,
    /// The stored key; none means that one is made and pushed with Instance Connect.
    pub key: Option<PrivateKey>,
}

impl Way<'_> {
    /// The names that a host certificate may be for.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let id = self.instance.map(|(_, seen)| seen.id.clone());
        id.into_iter().chain([self.address.host.clone()]).collect()
    }

    /// The names under which known_hosts files may list the host, the one to write first.
    #[must_use]
    pub fn listed_names(&self) -> Vec<String> {
        let id = self.instance.map(|(_, seen)| seen.id.clone());
        let address = &self.address;
        let address = known_hosts::entry_name(&address.host, address.port);
        id.into_iter().chain([address]).collect()
    }

    /// Whether it is an instance that may still be starting.
    #[must_use]
    pub fn is_young(&self) -> bool {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.instance.is_some_and(|(_, seen)| seen.is_young(now))
    }

    /// How long refusals of the key are borne, of the time that the host may take to answer at all.
    /// Elsewhere than on an instance a key that is refused stays refused; so it is with a stored one, but
    /// for an instance whose cloud-init still has to write it down.
    fn bears_refusals(&self, whole: Duration) -> Duration {
        match (&self.instance, &self.key) {
            (Some(_), _) if self.is_young() => whole,
            (Some(_), None) => REFUSED_LIMIT.min(whole),
            _ => Duration::ZERO,
        }
    }

    /// How messages name the host.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.instance {
            Some((_, seen)) => format!("{} ({})", seen.id, self.address),
            None => self.address.to_string(),
        }
    }
}

/// Connects, trying again while a starting host may still come up.
///
/// # Errors
/// A refusal when the host's key is not believed; otherwise which step failed, when time is up.
pub async fn connect(
    settings: &Checked,
    way: &Way<'_>,
    belief: &Belief,
    limits: &Limits,
) -> Result<Session, Failure> {
    let (deadline, interrupt) = (limits.deadline, &limits.interrupt);
    let key = match &way.key {
        Some(key) => key.clone(),
        None => PrivateKey::ephemeral()
            .map_err(|error| Failure::failed("cannot make a key").cause(error))?,
    };
    let started = Instant::now();
    let limit = deadline.min(started + settings.ssh_timeout);
    let mut said = started;
    let bears = way.bears_refusals(settings.ssh_timeout);
    let mut refused: Option<Instant> = None;
    let mut before: Option<ConnectError> = None;
    loop {
        let until = limit.min(Instant::now() + TRY_LIMIT);
        let one = attempt(settings, way, &belief.policy, &key, until);
        let error = match interrupt.race(one).await {
            Ok(Ok(session)) => {
                tracing::info!(
                    "connected to {} as {}, host key {}",
                    way.shown(),
                    settings.user,
                    session.host_key()
                );
                return Ok(session);
            }
            Ok(Err(Attempt::Ssh(error))) => error,
            Ok(Err(Attempt::Final(failure))) => return Err(*failure),
            Err(signal) => {
                return Err(Failure::interrupted(
                    signal,
                    format!("stopped connecting to {}", way.shown()),
                ));
            }
        };
        let now = Instant::now();
        let is_borne = match &error {
            ConnectError::Authentication { .. } => now < *refused.get_or_insert(now) + bears,
            other => other.is_passing(),
        };
        let left = limit.saturating_duration_since(now + TRY_LEAST);
        if !is_borne || left.is_zero() {
            // A try that the limit cut short saw less than the one before it.
            let is_cut = now >= limit && error.is_passing();
            let error = before.filter(|_| is_cut).unwrap_or(error);
            return Err(failure(settings, way, &error, limit == deadline, interrupt).await);
        }
        if now > said + HEARTBEAT || said == started {
            tracing::info!(
                "waiting for SSH on {}: {error} ({} s so far)",
                way.shown(),
                (now - started).as_secs()
            );
            said = now;
        }
        before = Some(error);
        interrupt
            .race(sleep(PAUSE.min(left)))
            .await
            .map_err(|signal| {
                Failure::interrupted(signal, format!("stopped connecting to {}", way.shown()))
            })?;
    }
}

enum Attempt {
    Ssh(ConnectError),
    Final(Box<Failure>),
}

async fn attempt(
    settings: &Checked,
    way: &Way<'_>,
    policy: &HostKeyPolicy,
    key: &PrivateKey,
    deadline: Instant,
) -> Result<Session, Attempt> {
    let stream = way.address.connect(deadline).await.map_err(Attempt::Ssh)?;
    // The pushed key is good for 60 seconds, so it goes just before each connection.
    if let (None, Some((cloud, seen))) = (&way.key, way.instance) {
        cloud
            .ec2
            .push_key(seen, &settings.user, key)
            .await
            .map_err(|failure| Attempt::Final(Box::new(failure)))?;
    }
    Session::connect(stream, &settings.user, key, policy, deadline)
        .await
        .map_err(Attempt::Ssh)
}

/// `is_deadline`: the limit was the whole run's, not that of SSH alone.
async fn failure(
    settings: &Checked,
    way: &Way<'_>,
    error: &ConnectError,
    is_deadline: bool,
    interrupt: &Interrupt,
) -> Failure {
    let host = way.shown();
    match error {
        ConnectError::HostKey { .. } | ConnectError::HostKeyTypes { .. } => {
            Failure::refused(format!("the host key of {host} is not the known one; nothing was sent")).cause(error).hint(
                "if the host was rebuilt, put its new key where the old one is; if not, somebody may be between you and it",
            )
        }
        ConnectError::Authentication { .. } => {
            let hint = match &settings.ssh_key {
                Some(source) => format!("check DEPLOY_APP_USER, and that the public half of {} is in its authorized_keys", source.shown()),
                None => "check DEPLOY_APP_USER, and that the instance has the package ec2-instance-connect".to_owned(),
            };
            Failure::new(Exit::NotPermitted, format!("cannot log in to {host}")).cause(error).hint(hint)
        }
        ConnectError::Tcp(_) | ConnectError::Banner(_) | ConnectError::KeyExchange(_) => {
            let (exit, hint) = match way.instance {
                _ if is_deadline => (Exit::Deadline, "--timeout (DEPLOY_APP_TIMEOUT) was over before the host answered; run it again with more time, and it goes on from there"),
                Some(_) => (Exit::Unavailable, "check that a security group lets this machine reach the port, and that sshd runs; DEPLOY_APP_SSH_TIMEOUT gives it more time"),
                None => (Exit::Unavailable, "check DEPLOY_APP_ADDRESS and that sshd runs there; DEPLOY_APP_SSH_TIMEOUT gives it more time"),
            };
            let failure = Failure::new(exit, format!("cannot reach {host} over SSH")).cause(error);
            let why = match way.instance {
                Some((cloud, seen)) => {
                    explain::lines(cloud, seen, way.address.port, interrupt).await
                }
                None => Vec::new(),
            };
            why.into_iter().fold(failure, Failure::detail).hint(hint)
        }
    }
}
