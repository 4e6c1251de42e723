//! Which keys a host is believed by, and where they were learnt: a ladder, whose every rung is as good as
//! the way that it was reached by. Unknown never means accepted.
//!
//! 1. `DEPLOY_APP_HOST_KEY`, then the known_hosts file, authorities included.
//! 2. The SSM parameter of the instance, where an earlier deployment or a person put them.
//! 3. The instance's console, as cloud-init prints them at first boot.
//! 4. SSM RunCommand, which reads them on the instance under IAM's eyes.
//! 5. First use, only when asked for.
//!
//! What 3, 4 and 5 found is stored by instance id once the host has proven that it holds the key: an
//! address that another instance has next is then no false alarm, and a console that is gone no loss.

use std::path::{Path, PathBuf};
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Signal;
use action::wait::{self, Ended, Limits, Look, Pace};
use aws::error::AwsError;
use ec2::CommandError;

use super::endpoint::Way;
use super::ssm::Ssm;
use crate::settings::{Checked, Hop, INSTANCE, KnownHosts};
use ssh::{HostKey, HostKeyLines, HostKeyPolicy, KnownHostKeys, Session, known_hosts};

/// What RunCommand runs.
const READ_KEYS: &str = "cat /etc/ssh/ssh_host_*_key.pub";

/// Between two questions for the keys of an instance that is starting.
const PACE: Pace = Pace {
    first: Duration::from_secs(3),
    longest: Duration::from_secs(3),
};

/// What a host is believed by, and whether it is to be stored once it has proven itself.
#[derive(Debug, Clone)]
pub(crate) struct Belief {
    /// What decides about the presented key.
    pub policy: HostKeyPolicy,
    /// Where it is to be written; nothing when it was written down already.
    pub store: Option<Store>,
}

/// A place that host keys are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// The known_hosts file of the settings.
    KnownHosts,
    /// An SSM parameter of this name; `must` when the user relies on it.
    Parameter {
        name: String,
        /// Whether failing to write it fails the run.
        must: bool,
    },
}

/// Climbs the ladder. With `looks_only` nothing is run on the instance to learn its keys.
pub(crate) async fn learn(
    settings: &Checked,
    way: &Way<'_>,
    looks_only: bool,
    limits: &Limits,
) -> Result<Belief, Failure> {
    let known = |known: KnownHostKeys, source: String, store: Option<Store>| Belief {
        policy: HostKeyPolicy::Pinned(KnownHostKeys {
            names: way.names(settings),
            source,
            ..known
        }),
        store,
    };
    let names = way.listed_names(settings);
    let pinned = settings.pinned.about(&names);
    if !pinned.is_empty() {
        return Ok(known(pinned, "DEPLOY_APP_HOST_KEY".to_owned(), None));
    }
    let mut said = Said::default();
    if !settings.pinned.is_empty() {
        said.nothing(format!(
            "DEPLOY_APP_HOST_KEY names other hosts only, and not {}",
            names.join(" or ")
        ));
    }
    if let Some((found, source)) = listed(settings, &names)? {
        return Ok(known(found, source, None));
    }
    let parameter = way.instance.as_ref().and_then(|(_, seen)| {
        let name = settings.host_key_parameter.as_ref()?;
        Some(name.replace(INSTANCE, &seen.id))
    });
    if let Some((cloud, _)) = way.instance {
        let ssm = Ssm::new(&cloud.session);
        let store = |must| {
            parameter
                .clone()
                .map(|name| Store::Parameter { name, must })
        };
        if let Some(name) = &parameter {
            let source = format!("the SSM parameter {name}");
            match ssm.read(name).await {
                Ok(Some(text)) => match HostKeyLines::parse(&text).map(|lines| lines.about(&names))
                {
                    Ok(found) if !found.is_empty() => return Ok(known(found, source, None)),
                    Ok(_) => return Err(unusable(&source, "it holds no key of this host")),
                    // It was written to be believed; going on without it would be believing less.
                    Err(fault) => return Err(unusable(&source, &fault.to_string())),
                },
                Ok(None) => said.nothing(format!("{source} does not exist")),
                Err(error) => said.met(&error, format!("{source} cannot be read: {error}")),
            }
        }
        let from = |keys: Vec<HostKey>| KnownHostKeys {
            keys,
            ..KnownHostKeys::default()
        };
        match ask_instance(settings, way, looks_only, limits).await? {
            Ok((source, keys)) => return Ok(known(from(keys), source, store(false))),
            Err(why) => said.and(why),
        }
    }
    if settings.trust_on_first_use {
        let store = if let Some(KnownHosts::Files(_)) = settings.known_hosts {
            Some(Store::KnownHosts)
        } else {
            parameter.map(|name| Store::Parameter { name, must: true })
        };
        return Ok(Belief {
            policy: HostKeyPolicy::FirstUse,
            store,
        });
    }
    Err(said.into_failure(&way.shown()))
}

/// What the known_hosts files say about a host, and where.
fn listed(
    settings: &Checked,
    names: &[String],
) -> Result<Option<(KnownHostKeys, String)>, Failure> {
    let (text, source) = match &settings.known_hosts {
        None => return Ok(None),
        Some(KnownHosts::Text(text)) => (text.clone(), "DEPLOY_APP_KNOWN_HOSTS".to_owned()),
        Some(KnownHosts::Files(paths)) => {
            // Of several, as an ssh_config names them, one may be missing.
            let may_be_missing = settings.trust_on_first_use || paths.len() > 1;
            let read = |path: &PathBuf| read_known_hosts(path, may_be_missing);
            let texts: Vec<String> = paths.iter().map(read).collect::<Result<_, _>>()?;
            let shown: Vec<String> = paths
                .iter()
                .map(|path| path.display().to_string())
                .collect();
            (texts.join("\n"), shown.join(", "))
        }
    };
    let found = known_hosts::parse(&text, names);
    Ok((!found.is_empty()).then_some((found, source)))
}

/// What a host on the way is believed by: the lines of `DEPLOY_APP_HOST_KEY` that name it, the known_hosts files, or first
/// use.
pub(crate) fn of_hop(settings: &Checked, hop: &Hop) -> Result<Belief, Failure> {
    let known = |known: KnownHostKeys, source: String| Belief {
        policy: HostKeyPolicy::Pinned(KnownHostKeys {
            names: vec![hop.address.host.clone()],
            source,
            ..known
        }),
        store: None,
    };
    let pinned = settings.pinned.naming(&hop.names);
    if !pinned.is_empty() {
        return Ok(known(pinned, "DEPLOY_APP_HOST_KEY".to_owned()));
    }
    if let Some((found, source)) = listed(settings, &hop.names)? {
        return Ok(known(found, source));
    }
    if settings.trust_on_first_use && matches!(settings.known_hosts, Some(KnownHosts::Files(_))) {
        return Ok(Belief {
            policy: HostKeyPolicy::FirstUse,
            store: Some(Store::KnownHosts),
        });
    }
    let deed = format!(
        "nothing is known about the host key of the jump host {}; it was not connected to",
        hop.address
    );
    Err(Failure::refused(deed).hint(format!(
        "list it in DEPLOY_APP_KNOWN_HOSTS, or give DEPLOY_APP_HOST_KEY a line `{} TYPE BASE64`, as ssh-keyscan prints it",
        hop.names.join(",")
    )))
}

/// What the rungs said instead of keys, and the gravest thing that they met.
#[derive(Debug)]
struct Said {
    lines: Vec<String>,
    exit: Exit,
    /// Whether SSM has not heard of the instance yet.
    is_unregistered: bool,
}

impl Default for Said {
    fn default() -> Self {
        Self {
            lines: Vec::new(),
            exit: Exit::Refused,
            is_unregistered: false,
        }
    }
}

impl Said {
    /// A rung that holds no keys.
    fn nothing(&mut self, line: impl Into<String>) {
        self.lines.push(line.into());
    }

    /// A rung that AWS did not let us look at.
    fn met(&mut self, error: &AwsError, line: String) {
        self.lines.push(line);
        self.exit = graver(self.exit, error.exit());
    }

    fn and(&mut self, later: Self) {
        self.lines.extend(later.lines);
        self.exit = graver(self.exit, later.exit);
    }

    fn into_failure(self, host: &str) -> Failure {
        let own = "set DEPLOY_APP_HOST_KEY to the lines of /etc/ssh/ssh_host_*_key.pub of the host, or DEPLOY_APP_KNOWN_HOSTS to a \
                   known_hosts file that lists it";
        let hint = match self.exit {
            Exit::Deadline => format!("run it again with more time (--timeout), or {own}"),
            Exit::Unavailable => format!("run it again when the service answers, or {own}"),
            Exit::NotPermitted => format!("allow what was denied, or {own}"),
            _ => format!(
                "{own}; DEPLOY_APP_TRUST_ON_FIRST_USE=yes believes it once and writes it down"
            ),
        };
        let deed =
            format!("nothing is known about the host key of {host}; it was not connected to");
        let failure = Failure::new(self.exit, deed);
        self.lines
            .into_iter()
            .fold(failure, Failure::detail)
            .hint(hint)
    }
}

/// Of two exits the one to end with. What may pass by itself comes first: the other rungs may then
/// say something else.
fn graver(one: Exit, other: Exit) -> Exit {
    let order = [Exit::Deadline, Exit::Unavailable, Exit::NotPermitted];
    let rank = |exit: &Exit| order.iter().position(|known| known == exit);
    let known = [one, other].into_iter().filter(|exit| rank(exit).is_some());
    known.min_by_key(rank).unwrap_or(Exit::Refused)
}

/// The keys and where they were learnt, or what each place said instead.
type Told = Result<(String, Vec<HostKey>), Said>;

/// Asks the console and then the instance itself; one that was just started is asked until it may have come
/// up, since its console is still empty and its agent not known to SSM.
async fn ask_instance(
    settings: &Checked,
    way: &Way<'_>,
    looks_only: bool,
    limits: &Limits,
) -> Result<Told, Failure> {
    let mut last = Said::default();
    last.nothing("neither its console nor its SSM agent answered in time");
    let look = async || {
        let said = match ask_once(way, looks_only, limits).await? {
            Ok(told) => return Ok(Look::There(Ok(told))),
            Err(said) => said,
        };
        let may_come = looks_only || said.is_unregistered;
        // Who believes a first use does not wait for anything better.
        if !may_come || !way.is_young() || settings.trust_on_first_use {
            return Ok(Look::There(Err(said)));
        }
        let seen = said.lines.join("; ");
        last = said;
        Ok(Look::NotYet(seen))
    };
    let what = format!("the host keys of {}, which was just started", way.shown());
    let limit = limits.within(settings.ssh_timeout).deadline;
    match wait::until(&what, limit, &limits.interrupt, PACE, look).await {
        Ok(told) => Ok(told),
        Err(Ended::Deadline(_)) => Ok(Err(last)),
        Err(Ended::Signal(signal)) => Err(stopped(way, signal)),
        Err(Ended::Failed(failure)) => Err(failure),
    }
}

fn stopped(way: &Way<'_>, signal: Signal) -> Failure {
    let deed = format!("stopped waiting for the host keys of {}", way.shown());
    Failure::interrupted(signal, deed)
}

async fn ask_once(way: &Way<'_>, looks_only: bool, limits: &Limits) -> Result<Told, Failure> {
    let mut said = Said::default();
    let Some((cloud, seen)) = way.instance else {
        return Ok(Err(said));
    };
    match ec2::console(&cloud.ec2.client, &seen.id).await {
        Ok(console) => {
            let keys = console_keys(&console);
            if !keys.is_empty() {
                return Ok(Ok((format!("the console of {}", seen.id), keys)));
            }
            said.nothing(format!("the console of {} shows no host keys (they are printed at first boot, and kept for about an hour)", seen.id));
        }
        Err(error) => said.met(
            &error,
            format!("the console of {} cannot be read: {error}", seen.id),
        ),
    }
    if looks_only {
        said.nothing(
            "SSM RunCommand, which runs a command on the instance, is not used by a dry run",
        );
        return Ok(Err(said));
    }
    let output = Ssm::new(&cloud.session)
        .run(&seen.id, READ_KEYS, limits)
        .await;
    match output {
        Ok(finished) if finished.exit != 0 => {
            let (exit, errors) = (finished.exit, finished.errors.trim());
            said.nothing(format!(
                "SSM RunCommand cannot read them: exit status {exit}: {errors}"
            ));
        }
        Ok(finished) => {
            let keys: Vec<HostKey> = finished.output.lines().filter_map(HostKey::parse).collect();
            if !keys.is_empty() {
                return Ok(Ok((format!("SSM RunCommand on {}", seen.id), keys)));
            }
            said.nothing("SSM RunCommand found no /etc/ssh/ssh_host_*_key.pub");
        }
        Err(CommandError::Ended {
            ended: Ended::Signal(signal),
            ..
        }) => return Err(stopped(way, signal)),
        Err(error) => {
            const DEED: &str = "SSM RunCommand cannot read them";
            said.is_unregistered = matches!(error, CommandError::Unregistered(_));
            match error {
                CommandError::Unregistered(error)
                | CommandError::Send(error)
                | CommandError::Look(error) => said.met(&error, format!("{DEED}: {error}")),
                CommandError::NoId => said.nothing(format!("{DEED}: the command got no id")),
                CommandError::NotRun(state) => said.nothing(format!("{DEED}: {state}")),
                CommandError::Ended { what, ended } => {
                    let failure = ended.into_failure(&what);
                    said.nothing(format!("{DEED}: {}", failure.deed()));
                }
            }
        }
    }
    Ok(Err(said))
}

fn unusable(source: &str, fault: &str) -> Failure {
    Failure::refused(format!("{source} cannot be used; nothing was connected to"))
        .cause(fault)
        .hint("it holds `TYPE BASE64` lines as ssh_host_*_key.pub does; correct it, or remove it and it is learnt anew")
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

/// Writes down what a host was believed by, and those on the way to it, now that they have proven that they hold the keys.
/// Fails when first use was asked for and cannot be written down: the next one would be a first use again.
pub(crate) async fn store(
    settings: &Checked,
    way: &Way<'_>,
    belief: &Belief,
    session: &Session,
) -> Result<(), Failure> {
    for (hop, key) in settings.jumps.iter().zip(session.hop_keys()) {
        if of_hop(settings, hop)?.store.is_some() {
            let address = &hop.address;
            tracing::warn!("believed the host key {key} of {address} on first use");
            pin(settings, &hop.names, key)?;
        }
    }
    let presented = session.host_key();
    let believed = match &belief.policy {
        HostKeyPolicy::FirstUse => vec![presented.line()],
        HostKeyPolicy::Pinned(known) => known.keys.iter().map(HostKey::line).collect(),
    };
    if belief.policy == HostKeyPolicy::FirstUse {
        tracing::warn!(
            "believed the host key {presented} of {} on first use",
            way.shown()
        );
    }
    match &belief.store {
        None => Ok(()),
        Some(Store::KnownHosts) => pin(settings, &way.listed_names(settings), presented),
        Some(Store::Parameter { name, must }) => {
            let Some((cloud, _)) = way.instance else {
                return Ok(());
            };
            match Ssm::new(&cloud.session)
                .store(name, &believed.join("\n"))
                .await
            {
                Ok(()) => {
                    tracing::info!("stored the host keys in the SSM parameter {name}");
                    Ok(())
                }
                Err(error) if *must => {
                    let deed = format!("cannot store the host key in the SSM parameter {name}");
                    let exit = graver(Exit::Refused, error.exit());
                    Err(Failure::new(exit, deed).cause(error).hint(
                        "allow ssm:PutParameter, or set DEPLOY_APP_KNOWN_HOSTS to a file that is kept",
                    ))
                }
                Err(error) => {
                    tracing::info!(
                        "the host keys are not stored in the SSM parameter {name}: {error}"
                    );
                    Ok(())
                }
            }
        }
    }
}

/// Writes the key to the known_hosts file.
fn pin(settings: &Checked, names: &[String], key: &HostKey) -> Result<(), Failure> {
    use std::io::Write as _;
    let (Some(KnownHosts::Files(paths)), Some(name)) = (&settings.known_hosts, names.first())
    else {
        return Ok(());
    };
    let Some(path) = paths.first() else {
        return Ok(());
    };
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
    tracing::info!("wrote the host key of {name} to {}", path.display());
    Ok(())
}

/// The public keys in an instance's console output, as cloud-init prints them on first boot:
/// the first `BEGIN SSH HOST KEY KEYS` block. Later blocks could have been written by anything
/// that can reach the serial console.
fn console_keys(console: &str) -> Vec<HostKey> {
    let mut lines = console.lines();
    if !lines.any(|line| line.contains("-----BEGIN SSH HOST KEY KEYS-----")) {
        return Vec::new();
    }
    lines
        .take_while(|line| !line.contains("-----END SSH HOST KEY KEYS-----"))
        .filter_map(|line| {
            // Some images prefix each line with a time or `ec2:`.
            let at = ["ssh-", "ecdsa-sha2-"]
                .iter()
                .filter_map(|kind| line.find(kind))
                .min()?;
            HostKey::parse(&line[at..])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{HostKey, console_keys};

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";

    #[test]
    fn the_first_block_of_the_console_counts() {
        let console = format!(
            "[   12.0] cloud-init\r\n-----BEGIN SSH HOST KEY KEYS-----\r\nec2: {ONE} root@ip\r\n\
             -----END SSH HOST KEY KEYS-----\r\nlogin:\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{TWO}\r\n"
        );
        let found: Vec<String> = console_keys(&console).iter().map(HostKey::line).collect();
        assert_eq!(found, [ONE]);
        assert!(console_keys(&format!("{ONE}\n")).is_empty());
        assert!(console_keys("").is_empty());
    }
}
