//! Streams of bytes to the SSH port of an instance that has no address which this machine could reach: over an EC2
//! Instance Connect Endpoint ([`eic`]) or a session of Session Manager ([`ssm`]). SSH runs inside, so that a tunnel
//! changes nothing of what is believed of the host.
//!
//! What the two protocols do is decided by the state machines of `tunnel_protocol`; around them a task carries frames and bytes. Both go to AWS as calls do, through `aws::dial`.

pub mod eic;
pub mod ssm;
pub mod stream;

mod error;
mod host;
mod signature;
mod websocket;

pub use error::{EndpointError, SsmError, TunnelError};
pub use host::Host;
pub use signature::encoded;
pub use stream::{Tunnel, Tunnels};
pub use websocket::OpenError;
