//! The host that is deployed to, reached over SSH. Nothing outside this folder names the SSH library.

pub mod exec;
pub mod http;
pub mod key;
pub(crate) mod key_text;
pub mod known_hosts;
mod lines;
pub(crate) mod script;
pub mod ssh;
pub mod transport;
pub mod trust;
