//! Where a tunnel leads.

use std::net::{Ipv4Addr, Ipv6Addr};

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
