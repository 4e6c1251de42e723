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

mod instance;
mod no_keys;

use std::path::{Path, PathBuf};

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;

use self::no_keys::{NoKeys, graver};
use super::ssh_target::SshTarget;
use super::ssm::Ssm;
use crate::settings::{Checked, Hop, INSTANCE, KnownHosts};
use ssh::{HostKey, HostKeyLines, HostKeyPolicy, KnownHostKeys, Session, known_hosts};

/// What a host is believed by, and whether it is to be stored once it has proven itself.
#[derive(Debug, Clone)]
pub(crate) struct HostKeyTrust {
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
    ssh_target: &SshTarget<'_>,
    looks_only: bool,
    limits: &Limits,
) -> Result<HostKeyTrust, Failure> {
    let known = |known: KnownHostKeys, source: String, store: Option<Store>| HostKeyTrust {
        policy: HostKeyPolicy::Pinned(KnownHostKeys {
            names: ssh_target.names(settings),
            source,
            ..known
        }),
        store,
    };
    let names = ssh_target.listed_names(settings);
    let pinned = settings.pinned.about(&names);
    if !pinned.is_empty() {
        return Ok(known(pinned, "DEPLOY_APP_HOST_KEY".to_owned(), None));
    }
    let mut missing = NoKeys::default();
    if !settings.pinned.is_empty() {
        missing.nothing(format!(
            "DEPLOY_APP_HOST_KEY names only other hosts, not {}",
            names.join(" or ")
        ));
    }
    if let Some((found, source)) = listed(settings, &names)? {
        return Ok(known(found, source, None));
    }
    let parameter = ssh_target.instance.as_ref().and_then(|(_, seen)| {
        let name = settings.host_key_parameter.as_ref()?;
        Some(name.replace(INSTANCE, &seen.id))
    });
    if let Some((cloud, _)) = ssh_target.instance {
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
                Ok(None) => missing.nothing(format!("{source} does not exist")),
                Err(error) => missing.met(&error, format!("{source} cannot be read: {error}")),
            }
        }
        let from = |keys: Vec<HostKey>| KnownHostKeys {
            keys,
            ..KnownHostKeys::default()
        };
        match instance::keys(settings, ssh_target, looks_only, limits).await? {
            Ok((source, keys)) => return Ok(known(from(keys), source, store(false))),
            Err(why) => missing.and(why),
        }
    }
    if settings.trust_on_first_use {
        let store = if let Some(KnownHosts::Files(_)) = settings.known_hosts {
            Some(Store::KnownHosts)
        } else {
            parameter.map(|name| Store::Parameter { name, must: true })
        };
        return Ok(HostKeyTrust {
            policy: HostKeyPolicy::FirstUse,
            store,
        });
    }
    Err(missing.into_failure(&ssh_target.shown()))
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
pub(crate) fn of_hop(settings: &Checked, hop: &Hop) -> Result<HostKeyTrust, Failure> {
    let known = |known: KnownHostKeys, source: String| HostKeyTrust {
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
        return Ok(HostKeyTrust {
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

fn unusable(source: &str, fault: &str) -> Failure {
    Failure::refused(format!("{source} cannot be used; nothing was connected to"))
        .cause(fault)
        .hint("it holds `TYPE BASE64` lines as ssh_host_*_key.pub does; correct it, or remove it, and it is stored again")
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
    ssh_target: &SshTarget<'_>,
    trust: &HostKeyTrust,
    session: &Session,
) -> Result<(), Failure> {
    for (hop, key) in settings.jumps.iter().zip(session.hop_keys()) {
        if of_hop(settings, hop)?.store.is_some() {
            let address = &hop.address;
            tracing::warn!("trusted the host key {key} of {address} on first use");
            pin(settings, &hop.names, key)?;
        }
    }
    let presented = session.host_key();
    let believed = match &trust.policy {
        HostKeyPolicy::FirstUse => vec![presented.line()],
        HostKeyPolicy::Pinned(known) => known.keys.iter().map(HostKey::line).collect(),
    };
    if trust.policy == HostKeyPolicy::FirstUse {
        tracing::warn!(
            "trusted the host key {presented} of {} on first use",
            ssh_target.shown()
        );
    }
    match &trust.store {
        None => Ok(()),
        Some(Store::KnownHosts) => pin(settings, &ssh_target.listed_names(settings), presented),
        Some(Store::Parameter { name, must }) => {
            let Some((cloud, _)) = ssh_target.instance else {
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
