//! Session Manager: a session with the SSM agent of an instance, through which the agent leads to a port of its host.

pub mod channel;
pub mod message;

mod cipher;
mod handshake;
mod session;
mod timing;

pub use cipher::DataKey;
pub use session::{Ping, Ssm, SsmError};
