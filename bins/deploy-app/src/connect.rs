//! Reaching the host: TCP, SSH banner and authentication under one deadline.
//!
//! `cloud` has the clients of AWS, `instance` the instance behind the host, and `transport` the ways that lead to it.
//! `private_key` fetches the key, `host_keys` learns what the host is believed by, also over `ssm`; `diagnose` says why it cannot be reached.

pub(crate) mod bucket;
pub(crate) mod cloud;
pub(crate) mod diagnose;
pub(crate) mod host_keys;
pub(crate) mod instance;
pub(crate) mod needs;
pub(crate) mod private_key;
pub(crate) mod ssh_target;
pub(crate) mod ssm;
pub(crate) mod transport;

use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::Limits;
use tokio::time::{Instant, sleep};

use self::cloud::Cloud;
use self::host_keys::HostKeyTrust;
use self::instance::InstanceInfo;
use self::ssh_target::SshTarget;
use self::transport::{Main, Pushing, To, Tried};
use crate::settings::Checked;
use ssh::{Address, ConnectError, ExecError, Identity, PrivateKey, Session};

/// One try may take this long, so that a lost packet does not use up the whole time.
const TRY_LIMIT: Duration = Duration::from_secs(20);
/// No try is begun with less time than this: it would end by our own clock, and say nothing of the host.
const TRY_LEAST: Duration = Duration::from_secs(1);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(1);
/// After a first refusal of the key; the pauses after further ones are longer. OpenSSH from 9.8 on counts five seconds
/// against an address for each refusal, and shuts it out, with everybody there, once more than fifteen are left
/// (`PerSourcePenalties`).
const REFUSED_PAUSE: Duration = Duration::from_secs(6);
/// The longest of these pauses, and the one after the server turned us away.
const LONG_PAUSE: Duration = Duration::from_secs(15);
/// A waiting line is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Connects, trying again while a starting host may still come up.
pub(crate) async fn connect(
    settings: &Checked,
    ssh_target: &SshTarget<'_>,
    trust: &HostKeyTrust,
    limits: &Limits,
) -> Result<Session, Failure> {
    let (deadline, interrupt) = (limits.deadline, &limits.interrupt);
    let made = PrivateKey::ephemeral()
        .map_err(|error| Failure::failed("cannot make a key").cause(error))?;
    let keys = Keys {
        identity: ssh_target
            .key
            .clone()
            .unwrap_or_else(|| Identity::Key(made.clone())),
        pushed: ssh_target.key.is_none().then_some(made),
    };
    let started = Instant::now();
    let limit = deadline.min(started + settings.ssh_timeout);
    let mut said = started;
    let mut came_up = false;
    let mut refused: Option<Instant> = None;
    let mut refusals = 0;
    let mut before: Option<Met> = None;
    loop {
        let until = limit.min(Instant::now() + TRY_LIMIT);
        let one = attempt(settings, ssh_target, trust, &keys, until);
        let met = match interrupt.race(one).await {
            Ok(Ok(session)) => {
                tracing::info!(
                    "connected to {} as {}, host key {}",
                    ssh_target.shown(),
                    settings.user,
                    session.host_key()
                );
                return Ok(session);
            }
            Ok(Err(Attempt::Ssh(met))) => met,
            Ok(Err(Attempt::Final(failure))) => return Err(*failure),
            Err(signal) => {
                return Err(Failure::interrupted(
                    signal,
                    format!("stopped connecting to {}", ssh_target.shown()),
                ));
            }
        };
        let now = Instant::now();
        let is_borne = match &met.error {
            ConnectError::Authentication { .. } => {
                refusals += 1;
                let bears = ssh_target.bears_refusals(settings.ssh_timeout, came_up);
                now < *refused.get_or_insert(now) + bears
            }
            _ => met.is_passing(ssh_target),
        };
        came_up |= matches!(&met.error, ConnectError::Tcp(_) | ConnectError::Banner(_));
        let left = limit.saturating_duration_since(now + TRY_LEAST);
        if !is_borne || left.is_zero() {
            // A try that the limit cut short saw less than the one before it.
            let is_cut = now >= limit && met.is_passing(ssh_target);
            let met = before.filter(|_| is_cut).unwrap_or(met);
            return Err(failure(settings, ssh_target, &met, limit == deadline, interrupt).await);
        }
        if now > said + HEARTBEAT || said == started {
            tracing::info!(
                "waiting for SSH on {}: {} ({} s so far)",
                met.host,
                met.error,
                (now - started).as_secs()
            );
            said = now;
        }
        let rest = pause(&met.error, refusals).min(left);
        before = Some(met);
        interrupt.race(sleep(rest)).await.map_err(|signal| {
            Failure::interrupted(
                signal,
                format!("stopped connecting to {}", ssh_target.shown()),
            )
        })?;
    }
}

/// How long to rest before the next try.
fn pause(error: &ConnectError, refusals: u32) -> Duration {
    match error {
        ConnectError::Authentication { .. } => {
            let longer = REFUSED_PAUSE.saturating_mul(1 << refusals.saturating_sub(1).min(4));
            longer.min(LONG_PAUSE)
        }
        ConnectError::TurnedAway(_) => LONG_PAUSE,
        _ => PAUSE,
    }
}

/// What this side proves itself with.
struct Keys {
    identity: Identity,
    /// The key that is pushed with Instance Connect.
    pushed: Option<PrivateKey>,
}

/// What a try met, and where: at the host, or at one on the way.
struct Met {
    host: String,
    error: ConnectError,
    /// What each of several ways met, or the one that is a tunnel.
    ways: Option<Tried>,
}

impl Met {
    /// Whether another try may find it otherwise.
    fn is_passing(&self, ssh_target: &SshTarget<'_>) -> bool {
        match &self.ways {
            Some(tried) => tried.is_passing(ssh_target.is_young()),
            None => self.error.is_passing(),
        }
    }
}

enum Attempt {
    Ssh(Met),
    Final(Box<Failure>),
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Final(Box::new(failure))
    }
}

async fn attempt(
    settings: &Checked,
    ssh_target: &SshTarget<'_>,
    trust: &HostKeyTrust,
    keys: &Keys,
    deadline: Instant,
) -> Result<Session, Attempt> {
    if ssh_target.routes.has_tunnel() {
        return over_routes(settings, ssh_target, trust, keys, deadline).await;
    }
    let mut through: Option<Session> = None;
    for hop in &settings.jumps {
        let trust = host_keys::of_hop(settings, hop)?;
        let shown = format!("the jump host {}", hop.address);
        let login = Login {
            host: &shown,
            address: &hop.address,
            user: hop.user.as_ref().unwrap_or(&settings.user),
            trust: &trust,
        };
        through = Some(log_in(&login, keys, None, through, deadline).await?);
    }
    let login = Login {
        host: &ssh_target.shown(),
        address: &ssh_target.address,
        user: &settings.user,
        trust,
    };
    let pushed = keys.pushed.as_ref().zip(ssh_target.instance);
    log_in(&login, keys, pushed, through, deadline).await
}

/// Over every way at once; no jump host stands between.
async fn over_routes(
    settings: &Checked,
    ssh_target: &SshTarget<'_>,
    trust: &HostKeyTrust,
    keys: &Keys,
    deadline: Instant,
) -> Result<Session, Attempt> {
    let pushed = keys.pushed.as_ref().zip(ssh_target.instance);
    let push = || -> Pushing<'_> {
        Box::pin(async move {
            match pushed {
                Some((key, (cloud, seen))) => cloud.ec2.push_key(seen, &settings.user, key).await,
                None => Ok(()),
            }
        })
    };
    let to = To {
        address: &ssh_target.address,
        user: &settings.user,
        identity: &keys.identity,
        policy: &trust.policy,
        deadline,
        push: &push,
    };
    match ssh_target.routes.connect(&to).await {
        Ok(session) => {
            if let Some(told) = ssh_target.routes.way() {
                tracing::info!("{} was reached {told}", ssh_target.shown());
            }
            Ok(session)
        }
        Err(tried) => match tried.main() {
            Some(Main::Final(failure)) => Err(failure.clone().into()),
            Some(Main::Ssh(error)) => {
                let (host, error) = (ssh_target.shown(), error.clone());
                let ways = Some(tried);
                Err(Attempt::Ssh(Met { host, error, ways }))
            }
            other => {
                let why = match other {
                    Some(Main::Tunnel(error)) => error.to_string(),
                    _ => "no way was tried".to_owned(),
                };
                let (host, error) = (ssh_target.shown(), ConnectError::Tcp(why));
                let ways = Some(tried);
                Err(Attempt::Ssh(Met { host, error, ways }))
            }
        },
    }
}

/// Where to log in, and as whom.
struct Login<'a> {
    host: &'a str,
    address: &'a Address,
    user: &'a str,
    trust: &'a HostKeyTrust,
}

async fn log_in(
    login: &Login<'_>,
    keys: &Keys,
    pushed: Option<(&PrivateKey, (&Cloud, &InstanceInfo))>,
    through: Option<Session>,
    deadline: Instant,
) -> Result<Session, Attempt> {
    let Login {
        address,
        user,
        trust,
        ..
    } = login;
    let met = |error| {
        Attempt::Ssh(Met {
            host: login.host.to_owned(),
            error,
            ways: None,
        })
    };
    let identity = &keys.identity;
    let connected = match through {
        None => {
            let stream = address.connect(deadline).await.map_err(met)?;
            // The pushed key is good for 60 seconds, so it goes just before each connection.
            if let Some((key, (cloud, seen))) = pushed {
                cloud.ec2.push_key(seen, user, key).await?;
            }
            Session::connect(stream, user, identity, &trust.policy, deadline).await
        }
        Some(hop) => {
            let opened = hop.forward(&address.host, address.port, deadline).await;
            let stream = opened.map_err(|error| met(not_forwarded(error)))?;
            Session::connect(stream, user, identity, &trust.policy, deadline)
                .await
                .map(|session| session.through(hop))
        }
    };
    connected.map_err(met)
}

/// Why a jump host did not connect on.
fn not_forwarded(error: ExecError) -> ConnectError {
    match error {
        ExecError::ForwardingProhibited(_) => ConnectError::Forwarding(error.to_string()),
        error => ConnectError::Tcp(format!("through the jump host: {error}")),
    }
}

/// `is_deadline`: the limit was the whole run's, not that of SSH alone.
async fn failure(
    settings: &Checked,
    ssh_target: &SshTarget<'_>,
    Met { host, error, ways }: &Met,
    is_deadline: bool,
    interrupt: &Interrupt,
) -> Failure {
    let others = |failure: Failure| {
        let tried = ways.iter().flat_map(Tried::lines);
        tried
            .chain(ssh_target.routes.lines())
            .fold(failure, Failure::detail)
    };
    if let Some(Main::Tunnel(error)) = ways.as_ref().and_then(Tried::main) {
        let exit = match is_deadline {
            true => Exit::Deadline,
            false => Exit::Unavailable,
        };
        let failure = Failure::new(exit, format!("cannot reach {host} over SSH"));
        return others(failure.cause(error)).hint(transport::hint(error));
    }
    match error {
        ConnectError::HostKey { .. } | ConnectError::HostKeyTypes { .. } => {
            Failure::refused(format!("the host key of {host} is not the known one; nothing was sent")).cause(error).hint(
                "if the host was rebuilt, put its new key where the old one is; if not, someone may intercept the connection",
            )
        }
        ConnectError::Authentication { .. } => {
            let hint = match &settings.ssh_key {
                Some(source) => format!("check DEPLOY_APP_USER, and that the public half of {} is in its authorized_keys", source.shown()),
                None => "check DEPLOY_APP_USER, and that the instance has the package ec2-instance-connect".to_owned(),
            };
            Failure::new(Exit::NotPermitted, format!("cannot log in to {host}")).cause(error).hint(hint)
        }
        ConnectError::TurnedAway(_) => {
            let deed = format!("cannot reach {host} over SSH");
            Failure::new(Exit::Unavailable, deed).cause(error).hint(
                "the server has shut this address out for a while, or is full: see PerSourcePenalties and MaxStartups in its \
                 sshd_config, and whether others log in from this address with wrong keys",
            )
        }
        ConnectError::Agent(_) => Failure::refused(format!("cannot log in to {host}"))
            .cause(error)
            .hint("check SSH_AUTH_SOCK, and DEPLOY_APP_SSH_KEY=agent or agent:FINGERPRINT (`ssh-add -l` lists the keys)"),
        ConnectError::Forwarding(_) => {
            let deed = format!("cannot reach {} through its jump host", ssh_target.shown());
            Failure::new(Exit::NotPermitted, deed)
                .cause(error)
                .hint("the jump host must allow it: AllowTcpForwarding and PermitOpen in its sshd_config, options in authorized_keys")
        }
        ConnectError::Tcp(_) | ConnectError::Banner(_) | ConnectError::KeyExchange(_) => {
            let (exit, hint) = match ssh_target.instance {
                _ if is_deadline => (Exit::Deadline, "--timeout (DEPLOY_APP_TIMEOUT) was over before the host answered; run it again with more time, and it goes on from there"),
                Some(_) => (Exit::Unavailable, "check that a security group lets this machine reach the port, and that sshd runs; DEPLOY_APP_SSH_TIMEOUT gives it more time"),
                None => (Exit::Unavailable, "check DEPLOY_APP_ADDRESS and that sshd runs there; DEPLOY_APP_SSH_TIMEOUT gives it more time"),
            };
            let failure = Failure::new(exit, format!("cannot reach {host} over SSH")).cause(error);
            let why = match ssh_target.instance {
                Some((cloud, seen)) if *host == ssh_target.shown() && ssh_target.routes.has_direct() => {
                    diagnose::lines(cloud, seen, ssh_target.address.port, interrupt).await
                }
                _ => Vec::new(),
            };
            why.into_iter()
                .fold(others(failure), Failure::detail)
                .hint(hint)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ssh::ConnectError;

    use super::pause;

    /// `authfail:5s` and `min:15s`, as sshd_config(5) has them.
    #[test]
    fn refused_keys_never_add_up_to_a_penalty() {
        let refused = ConnectError::Authentication {
            user: "ubuntu".to_owned(),
            offered: Vec::new(),
            methods: "publickey".to_owned(),
            said: Vec::new(),
        };
        let mut penalty = Duration::ZERO;
        for refusals in 1..50 {
            penalty += Duration::from_secs(5);
            assert!(penalty < Duration::from_secs(15), "{refusals}");
            penalty = penalty.saturating_sub(pause(&refused, refusals));
        }
        assert_eq!(pause(&refused, 50), Duration::from_secs(15));
        let turned_away = ConnectError::TurnedAway("Not allowed at this time".to_owned());
        assert_eq!(pause(&turned_away, 0), Duration::from_secs(15));
        assert_eq!(
            pause(&ConnectError::Tcp(String::new()), 9),
            Duration::from_secs(1)
        );
    }
}
