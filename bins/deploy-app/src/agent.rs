//! The program on the host that does this one's work there: how it gets there, and how it is spoken to.
//!
//! `program` is what is put onto the host, `bootstrap` puts and starts it, `link` carries messages, `command` runs
//! commands through it, `files` has it work on the store of releases, and `lock` takes the lock of the target folder.
//! `host` is a connected host with its agent.

mod bootstrap;
mod command;
mod files;
mod host;
mod link;
pub mod lock;
mod program;

pub(crate) use bootstrap::{Folders, StartError};
pub use host::Host;
