//! One way to a host.

use tunnel::eic::Choice;

use crate::settings::Transport;

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// A TCP connection from this machine.
    Direct,
    /// Through an Instance Connect Endpoint.
    Endpoint(Choice),
    /// Through a session of Session Manager.
    Session,
}

impl Route {
    /// The word of the setting for it.
    pub(super) fn transport(&self) -> Transport {
        match self {
            Self::Direct => Transport::Direct,
            Self::Endpoint(_) => Transport::Eic,
            Self::Session => Transport::Ssm,
        }
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct => f.write_str("a direct connection"),
            Self::Endpoint(choice) => write!(f, "the Instance Connect Endpoint {}", choice.id),
            Self::Session => f.write_str("Session Manager"),
        }
    }
}
