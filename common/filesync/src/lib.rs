//! Trees of files, how they differ, and bringing them into a store of releases.
//!
//! A [`Tree`] says what shall be in a folder. One side reads the application, asks the other what it has ([`look`]),
//! finds the [`Diff`], and writes the stream of an [`Upload`]. The other side, on the host, keeps releases: it
//! [`receive()`]s them, gives them their name ([`commit`]), makes one current ([`release::switch`]), and removes old
//! ones. Content is compared with content, by SHA-256: modification times say nothing, because every checkout makes
//! new ones.
//!
//! Nothing here knows of a connection, a lock or a command. Requests and answers are plain values that serde takes.

mod compare;
mod copy;
pub mod decision;
mod error;
mod fault;
mod fetched;
mod layout;
mod look;
pub mod operation;
pub mod pieces;
mod place;
mod receive;
pub mod release;
mod send;
mod shared;
mod stamp;
mod stored;
mod stream;
pub mod temporary;
mod tree;
mod within;

pub use decision::{Decision, Outcome};
pub use error::StoreError;
pub use fault::{Fault, What};
pub use fetched::receive_fetched;
pub use layout::{Layout, Paths};
pub use look::{Files, Running, Seen, look};
pub use operation::Operation;
pub use place::{Altered, Put, put, restore_replaced};
pub use receive::{Incoming, Received, receive};
pub use send::Upload;
pub use shared::{Committed, SharedPath, commit, keep_written, look_at_shared};
pub use stamp::Stamp;
pub use stored::{digest, from_text, to_text};
pub use tree::{Diff, SEEDS, SEGMENT, Tree, diff, is_at, shared_link, size, wanted};

#[cfg(test)]
mod tests;
