//! Session Manager: a session with the SSM agent of an instance, through which the agent leads to a port of its host.

mod session;

pub use session::{Ping, Ssm};
pub use tunnel_protocol::ssm::channel::End;
