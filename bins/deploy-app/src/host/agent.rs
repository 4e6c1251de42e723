//! The program on the host that does this one's work there: how it gets there, and how it is spoken to.
//!
//! `program` is what is put onto the host, `bootstrap` puts and starts it, `link` carries messages, `command` runs
//! commands through it, and `files` has it work on the store of releases. `connection` is a connected host with its agent.

mod bootstrap;
mod command;
mod connection;
mod files;
mod link;
mod program;
mod stream;

pub(crate) use bootstrap::{Folders, StartError};
pub(crate) use connection::Host;
pub(crate) use link::Asked;
