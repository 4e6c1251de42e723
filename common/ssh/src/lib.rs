//! An SSH client that runs POSIX shell scripts on a host. Nothing outside this crate names the SSH library.
//!
//! A [`Session`] is made over any stream of bytes, such as [`Address::connect`] gives. The host proves itself with a key
//! that a [`HostKeyPolicy`] knows; this side proves itself with a [`PrivateKey`].

mod address;
mod config;
mod error;
mod exec;
mod host_key;
mod host_key_lines;
mod identity;
mod key_text;
pub mod known_hosts;
mod output;
mod pattern;
mod policy;
mod private_key;
mod script;
mod session;
mod tcp;

pub use address::{Address, AddressError};
pub use config::{HostConfig, Jump, JumpError, SshConfig, SshConfigError};
pub use error::{ConnectError, ExecError, PrivateKeyError};
pub use exec::{
    ExecEvent, ExecOutput, ExecReader, ExecWriter, ScriptReader, ScriptWriter, Stdin, collect,
};
pub use host_key::{HostKey, KnownHostKeys};
pub use host_key_lines::{HostKeyLineError, HostKeyLines};
pub use identity::{Identity, UserCertificate, UserCertificateError};
pub use output::OutputMode;
pub use policy::HostKeyPolicy;
pub use private_key::PrivateKey;
pub use session::Session;
