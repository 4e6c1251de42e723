//! The host that is deployed to, reached over SSH. Nothing outside this folder names the SSH library.

pub mod exec;
pub mod http;
pub mod key;
pub mod known_hosts;
mod lines;
pub mod ssh;
pub mod transport;
pub mod trust;
