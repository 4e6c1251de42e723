//! Where the host is, and how to get in.

use std::time::Duration;

use ssh::{Address, Identity, known_hosts};

use super::cloud::Cloud;
use super::instance::InstanceInfo;
use super::transport::Routes;
use crate::settings::Checked;

/// On an instance what lets keys in may come up after sshd: refusals are borne for this long, or on one that
/// was just started for as long as it may take to answer at all.
const REFUSED_LIMIT: Duration = Duration::from_secs(30);

/// Where the host is and how to get in.
#[derive(Debug)]
pub(crate) struct SshTarget<'a> {
    /// Where the SSH server listens.
    pub address: Address,
    /// The ways that may lead there.
    pub routes: &'a Routes,
    /// The instance, when it is one, with AWS.
    pub instance: Option<(&'a Cloud, &'a InstanceInfo)>,
    /// The stored key; none means that one is made and pushed with Instance Connect.
    pub key: Option<Identity>,
}

impl SshTarget<'_> {
    /// The names that a host certificate may be for.
    pub(crate) fn names(&self, settings: &Checked) -> Vec<String> {
        if let Some(alias) = &settings.host_key_alias {
            return vec![alias.clone()];
        }
        let id = self.instance.map(|(_, seen)| seen.id.clone());
        id.into_iter().chain([self.address.host.clone()]).collect()
    }

    /// The names under which known_hosts files may list the host, the one to write first.
    pub(crate) fn listed_names(&self, settings: &Checked) -> Vec<String> {
        if let Some(alias) = &settings.host_key_alias {
            return vec![alias.clone()];
        }
        let id = self.instance.map(|(_, seen)| seen.id.clone());
        let address = &self.address;
        let address = known_hosts::entry_name(&address.host, address.port);
        id.into_iter().chain([address]).collect()
    }

    /// Whether it is an instance that may still be starting.
    pub(crate) fn is_young(&self) -> bool {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.instance.is_some_and(|(_, seen)| seen.is_young(now))
    }

    /// How long refusals of the key are borne, of the time that the host may take to answer at all.
    /// Elsewhere than on an instance a key that is refused stays refused; so it is with a stored one, but
    /// for a host whose cloud-init still has to write it down: a young instance, or one that was seen to come up.
    pub(super) fn bears_refusals(&self, whole: Duration, came_up: bool) -> Duration {
        match (&self.instance, &self.key) {
            _ if came_up => whole,
            (Some(_), _) if self.is_young() => whole,
            (Some(_), None) => REFUSED_LIMIT.min(whole),
            _ => Duration::ZERO,
        }
    }

    /// How messages name the host.
    pub(crate) fn shown(&self) -> String {
        match self.instance {
            Some((_, seen)) => format!("{} ({})", seen.id, self.address),
            None => self.address.to_string(),
        }
    }
}
