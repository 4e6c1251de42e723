//! Session Manager's data channel between a client and the SSM agent.

pub mod channel;
pub mod message;

mod cipher;
mod handshake;
mod timing;

pub use cipher::{DataKey, KEY_BYTES};
pub use handshake::CLIENT_VERSION;
