//! What an ssh_config adds to the settings about the connection. What a setting says wins.

use std::path::{Path, PathBuf};

use action::settings::faults::Faults;
use ssh::{Address, HostConfig, Jump, SshConfig, known_hosts};

use super::checked::{Hop, InstanceSelector};
use super::key_source::{self, KeySource};
use super::values::{KnownHosts, local_path};

/// How long a way through jump hosts may be.
const MOST_HOPS: usize = 8;

/// What is known about the connection.
#[derive(Debug, Default)]
pub(super) struct Connection {
    pub(super) address: Option<Address>,
    pub(super) user: Option<String>,
    pub(super) ssh_key: Option<KeySource>,
    pub(super) known_hosts: Option<KnownHosts>,
    pub(super) jumps: Option<Vec<Jump>>,
    pub(super) host_key_alias: Option<String>,
}

impl Connection {
    /// Completes it by a file, where one is given; and finds the way through the jump hosts.
    pub(super) fn complete(
        &mut self,
        faults: &mut Faults,
        file: Option<&Path>,
        instance: Option<&InstanceSelector>,
    ) -> Vec<Hop> {
        let hops = match file {
            None => self.hops(&SshConfig::default()),
            Some(file) => self
                .read(file, instance)
                .map_err(|fault| format!("{}: {fault}", file.display())),
        };
        hops.unwrap_or_else(|fault| {
            let field = if file.is_some() { "ssh_config" } else { "jump" };
            faults.of(field, fault);
            Vec::new()
        })
    }

    fn read(
        &mut self,
        file: &Path,
        instance: Option<&InstanceSelector>,
    ) -> Result<Vec<Hop>, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let config = SshConfig::parse(&text).map_err(|fault| fault.to_string())?;
        let name = match (&self.address, instance) {
            (Some(address), _) => address.host.clone(),
            (None, Some(InstanceSelector::Id(id))) => id.clone(),
            (None, _) => {
                return Err(
                    "it is looked up by DEPLOY_APP_ADDRESS or INSTANCE_ID, and neither is set"
                        .to_owned(),
                );
            }
        };
        let host = config.host(&name).map_err(|fault| fault.to_string())?;
        self.add(&name, host)?;
        self.hops(&config)
    }

    /// Adds what an ssh_config says about the host of this name.
    fn add(&mut self, name: &str, host: HostConfig) -> Result<(), String> {
        let port = self.address.as_ref().map(|address| address.port);
        // A port that is written in the setting differs from the usual one.
        let port = port.filter(|port| *port != 22).or(host.port);
        match (&mut self.address, host.host_name) {
            (Some(address), host_name) => {
                address.host = host_name.unwrap_or_else(|| address.host.clone());
                address.port = port.unwrap_or(22);
            }
            (None, Some(host)) => {
                let port = port.unwrap_or(22);
                self.address = Some(Address { host, port });
            }
            (None, None) if port.is_some() => {
                return Err(format!(
                    "it gives {name} a Port and no HostName; set DEPLOY_APP_ADDRESS"
                ));
            }
            (None, None) => {}
        }
        self.user = self.user.take().or(host.user);
        self.jumps = self.jumps.take().or(host.jumps);
        self.host_key_alias = host.host_key_alias;
        if self.known_hosts.is_none()
            && let Some(files) = &host.known_hosts_files
        {
            self.known_hosts = Some(KnownHosts::Files(self.all_expanded(files, name)?));
        }
        if self.ssh_key.is_none() && !host.identity_files.is_empty() {
            let files = self.all_expanded(&host.identity_files, name)?;
            let file = files.iter().find(|file| file.exists()).ok_or_else(|| {
                let shown = host.identity_files.join(", ");
                format!("there is no file of its IdentityFile for {name}: {shown}")
            })?;
            self.ssh_key = Some(key_source::file(&file.to_string_lossy())?);
        }
        Ok(())
    }

    fn all_expanded(&self, paths: &[String], name: &str) -> Result<Vec<PathBuf>, String> {
        paths.iter().map(|path| self.expanded(path, name)).collect()
    }

    /// A path of an ssh_config with what stands for others in it.
    fn expanded(&self, path: &str, name: &str) -> Result<PathBuf, String> {
        let home = std::env::home_dir().unwrap_or_default();
        let host = self.address.as_ref().map_or(name, |address| &address.host);
        let user = self.user.as_deref().unwrap_or_default();
        let mut text = String::new();
        let mut chars = path.chars();
        while let Some(c) = chars.next() {
            match c {
                '%' => match chars.next() {
                    Some('%') => text.push('%'),
                    Some('d') => text.push_str(&home.to_string_lossy()),
                    Some('h') => text.push_str(host),
                    Some('n') => text.push_str(name),
                    Some('r') => text.push_str(user),
                    _ => {
                        return Err(format!(
                            "`{path}` has a token that is not read here (%d, %h, %n and %r are)"
                        ));
                    }
                },
                c => text.push(c),
            }
        }
        Ok(local_path(&text))
    }

    /// The way through the jump hosts. As in OpenSSH the first of them may have jump hosts of its own in the ssh_config, and
    /// so on; for the others the one before is the way.
    fn hops(&self, config: &SshConfig) -> Result<Vec<Hop>, String> {
        let mut jumps = self.jumps.clone().unwrap_or_default();
        while let Some(first) = jumps.first() {
            let host = config
                .host(&first.host)
                .map_err(|fault| fault.to_string())?;
            let before = host.jumps.unwrap_or_default();
            if before.is_empty() {
                break;
            }
            jumps.splice(0..0, before);
            if jumps.len() > MOST_HOPS {
                return Err(format!("a way has more than {MOST_HOPS} jump hosts"));
            }
        }
        let hop = |jump: Jump| {
            let host = config.host(&jump.host).map_err(|fault| fault.to_string())?;
            Ok(hop(jump, host))
        };
        jumps.into_iter().map(hop).collect()
    }
}

/// A jump host with what an ssh_config says about it. Its key is the one of the host itself.
fn hop(jump: Jump, host: HostConfig) -> Hop {
    let address = Address {
        host: host.host_name.unwrap_or(jump.host),
        port: jump.port.or(host.port).unwrap_or(22),
    };
    let name = host
        .host_key_alias
        .unwrap_or_else(|| known_hosts::entry_name(&address.host, address.port));
    Hop {
        user: jump.user.or(host.user),
        address,
        names: vec![name],
    }
}
