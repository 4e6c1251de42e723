//! The host that is deployed to, reached over SSH. Nothing outside this folder names the SSH library.

pub mod exec;
pub mod http;
pub mod key;
mod lines;
pub mod ssh;
pub mod transport;
pub mod trust;
