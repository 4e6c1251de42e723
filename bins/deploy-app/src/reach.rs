//! Reaching the host: which keys to believe, then TCP, SSH banner and authentication under one deadline.

use std::path::Path;
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use tokio::time::{Instant, sleep};

use crate::host::key::Key;
use crate::host::ssh::{Bounds, ConnectError, Session};
use crate::host::transport::{self, Address};
use crate::host::trust::{self, HostKey, Trust};
use crate::instance::{Ec2, Seen};
use crate::settings::Checked;

/// One try may take this long, so that a lost packet does not use up the whole time.
const TRY_LIMIT: Duration = Duration::from_secs(20);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(1);
/// A waiting line is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// On an instance the agent that lets pushed keys in may come up after sshd: so many refusals are borne.
const REFUSALS: u32 = 3;

/// Where the host is and how to get in.
#[derive(Debug)]
pub struct Way<'a> {
    /// Where the SSH server listens.
    pub address: Address,
    /// The instance, when it is one, with EC2.
    pub instance: Option<(&'a Ec2, &'a Seen)>,
}

impl Way<'_> {
    /// The names under which known_hosts files may list the host, the one to write first.
    fn names(&self) -> Vec<String> {
        let id = self.instance.map(|(_, seen)| seen.id.clone());
        let address = trust::known_hosts_name(&self.address.host, self.address.port);
        id.into_iter().chain([address]).collect()
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

/// Which keys are believed: pinned ones, else those of the known_hosts file, else those that the
/// instance printed on its console, else none, unless first use was asked for.
///
/// # Errors
/// A refusal that says how to tell us the host's key.
pub async fn trust(settings: &Checked, way: &Way<'_>) -> Result<Trust, Failure> {
    if !settings.host_keys.is_empty() {
        let source = "DEPLOY_APP_HOST_KEY".to_owned();
        return Ok(Trust::Keys {
            keys: settings.host_keys.clone(),
            source,
        });
    }
    if let Some(path) = &settings.known_hosts {
        let keys = trust::known_hosts(
            &read_known_hosts(path, settings.trust_on_first_use)?,
            &way.names(),
        );
        if !keys.is_empty() {
            return Ok(Trust::Keys {
                keys,
                source: path.display().to_string(),
            });
        }
    }
    if let Some((ec2, seen)) = way.instance {
        let keys = ec2.console_keys(&seen.id).await;
        if !keys.is_empty() {
            return Ok(Trust::Keys {
                keys,
                source: format!("the console of {}", seen.id),
            });
        }
    }
    if settings.trust_on_first_use {
        return Ok(Trust::FirstUse);
    }
    Err(Failure::refused(format!("nothing is known about the host key of {}; it was not connected to", way.shown()))
        .hint(
            "set DEPLOY_APP_HOST_KEY to the lines of /etc/ssh/ssh_host_*_key.pub of the host, or DEPLOY_APP_KNOWN_HOSTS to a \
             known_hosts file that lists it; DEPLOY_APP_TRUST_ON_FIRST_USE=yes believes it once and writes it there",
        ))
}

fn read_known_hosts(path: &Path, may_be_missing: bool) -> Result<String, Failure> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if may_be_missing && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(String::new())
        }
        Err(error) => Err(Failure::refused(format!(
            "cannot read DEPLOY_APP_KNOWN_HOSTS {}",
            path.display()
        ))
        .cause(error)),
    }
}

/// Connects, trying again while a starting host may still come up.
///
/// # Errors
/// A refusal when the host's key is not believed; otherwise which step failed, when time is up.
pub async fn connect(
    settings: &Checked,
    way: &Way<'_>,
    trust: &Trust,
    bounds: &Bounds,
) -> Result<Session, Failure> {
    let (deadline, interrupt) = (bounds.deadline, &bounds.interrupt);
    let key = match &settings.ssh_key {
        Some((_, key)) => key.clone(),
        None => {
            Key::ephemeral().map_err(|error| Failure::failed("cannot make a key").cause(error))?
        }
    };
    let limit = deadline.min(Instant::now() + settings.ssh_timeout);
    let started = Instant::now();
    let mut said = started;
    let mut refusals = 0;
    loop {
        let one = attempt(
            settings,
            way,
            trust,
            &key,
            limit.min(Instant::now() + TRY_LIMIT),
        );
        let error = match interrupt.race(one).await {
            Ok(Ok(session)) => {
                if *trust == Trust::FirstUse {
                    pin(settings, way, session.host_key())?;
                }
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
        if matches!(error, ConnectError::Authentication { .. }) {
            refusals += 1;
        }
        let bears =
            error.is_passing() || (way.instance.is_some() && refusals < REFUSALS && refusals > 0);
        let now = Instant::now();
        if !bears || now >= limit {
            return Err(failure(settings, way, &error, deadline));
        }
        if now > said + HEARTBEAT || said == started {
            tracing::info!(
                "waiting for SSH on {}: {error} ({} s so far)",
                way.shown(),
                (now - started).as_secs()
            );
            said = now;
        }
        let rest = PAUSE.min(limit - now);
        interrupt.race(sleep(rest)).await.map_err(|signal| {
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
    trust: &Trust,
    key: &Key,
    deadline: Instant,
) -> Result<Session, Attempt> {
    let stream = transport::tcp(&way.address, deadline)
        .await
        .map_err(Attempt::Ssh)?;
    // The pushed key is good for 60 seconds, so it goes just before each connection.
    if let (None, Some((ec2, seen))) = (&settings.ssh_key, way.instance) {
        ec2.push_key(seen, &settings.user, key)
            .await
            .map_err(|failure| Attempt::Final(Box::new(failure)))?;
    }
    Session::connect(stream, &settings.user, key, trust, deadline)
        .await
        .map_err(Attempt::Ssh)
}

fn failure(settings: &Checked, way: &Way<'_>, error: &ConnectError, deadline: Instant) -> Failure {
    let host = way.shown();
    match error {
        ConnectError::HostKey { .. } | ConnectError::HostKeyTypes { .. } => {
            Failure::refused(format!("the host key of {host} is not the known one; nothing was sent")).cause(error).hint(
                "if the host was rebuilt, put its new key where the old one is; if not, somebody may be between you and it",
            )
        }
        ConnectError::Authentication { .. } => {
            let hint = match &settings.ssh_key {
                Some((path, _)) => format!("check DEPLOY_APP_USER, and that the public half of {} is in its authorized_keys", path.display()),
                None => "check DEPLOY_APP_USER, and that the instance has the package ec2-instance-connect".to_owned(),
            };
            Failure::new(Exit::NotPermitted, format!("cannot log in to {host}")).cause(error).hint(hint)
        }
        ConnectError::Tcp(_) | ConnectError::Banner(_) | ConnectError::KeyExchange(_) => {
            let exit = if Instant::now() >= deadline { Exit::Deadline } else { Exit::Unavailable };
            let hint = match way.instance {
                Some(_) => "check that a security group lets this machine reach the port, and that sshd runs; DEPLOY_APP_SSH_TIMEOUT gives it more time",
                None => "check DEPLOY_APP_ADDRESS and that sshd runs there; DEPLOY_APP_SSH_TIMEOUT gives it more time",
            };
            Failure::new(exit, format!("cannot reach {host} over SSH")).cause(error).hint(hint)
        }
    }
}

/// Writes the key of a host that was believed on first use.
fn pin(settings: &Checked, way: &Way<'_>, key: &HostKey) -> Result<(), Failure> {
    use std::io::Write as _;
    let Some(path) = &settings.known_hosts else {
        return Ok(());
    };
    let name = way.names().into_iter().next().unwrap_or_default();
    let written = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| {
            // A last line without its end would swallow ours; a blank line harms nobody.
            file.write_all(format!("\n{name} {}\n", key.line()).as_bytes())
        });
    written.map_err(|error| {
        Failure::refused(format!("cannot write the host key to {}", path.display())).cause(error)
    })?;
    tracing::warn!(
        "believed the host key {key} of {name} on first use and wrote it to {}",
        path.display()
    );
    Ok(())
}
