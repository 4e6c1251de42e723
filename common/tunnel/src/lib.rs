//! Streams of bytes to the SSH port of an instance that has no address which this machine could reach: over an EC2
//! Instance Connect Endpoint ([`eic`]) or a session of Session Manager ([`ssm`]). SSH runs inside, so that a tunnel
//! changes nothing of what is believed of the host.
//!
//! What the two protocols do is decided by the state machines of `tunnel_protocol`; around them a task carries frames and bytes. Both go to AWS as calls do, through `aws::dial`.

pub mod eic;
pub mod ssm;
pub mod stream;

mod signature;
mod websocket;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub use stream::{Tunnel, Tunnels};
pub use websocket::OpenError;

/// A silent connection is kept open by a ping so often.
const PING: Duration = Duration::from_secs(60);
/// So long the other side has to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where a tunnel leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// The instance's id.
    pub instance: String,
    /// Its VPC.
    pub vpc: String,
    /// Its subnet.
    pub subnet: String,
    /// Its private address.
    pub ipv4: Option<Ipv4Addr>,
    /// Its IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
}

impl Host {
    /// SSH's port on the host. An Instance Connect Endpoint leads to no other.
    pub const PORT: u16 = 22;
}

/// Why there is no tunnel, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TunnelError {
    /// The request for the websocket could not be signed.
    #[error("the request cannot be signed: {0}")]
    Unsigned(String),
    /// There is no websocket.
    #[error("{0}")]
    Open(OpenError),
    /// The Instance Connect Endpoint ended it.
    #[error("{0}")]
    Endpoint(eic::EndpointError),
    /// Session Manager gave no session, or ended it.
    #[error("{0}")]
    Ssm(ssm::SsmError),
}
