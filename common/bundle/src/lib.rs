//! Reading a tree, its digest, and the reproducible zip.
//!
//! Three steps that do not know of each other:
//!
//! 1. [`tree`] walks folders and files and hashes them into a sorted [`manifest::Manifest`]. What must not
//!    leave the machine (private keys, `.env`), what cannot be carried (sockets, links out of the
//!    root) and what means different things on different machines (case clashes) is refused, all
//!    of it at once, each with its path.
//! 2. [`digest`] is one number over that manifest: the same on any machine and in any version.
//! 3. [`pack`] writes the manifest as a zip whose bytes depend on nothing but the manifest;
//!    [`unpack`] is its careful opposite.
//!
//! Comparing a tree with a remote host needs the first step only. The program on the host needs neither walk nor
//! archive: they are behind the features `read` and `archive`.

pub mod digest;
pub mod manifest;
pub mod names;
pub mod opener;
#[cfg(feature = "archive")]
pub mod pack;
pub mod parallel;
#[cfg(feature = "read")]
pub mod secrets;
#[cfg(feature = "read")]
pub mod tree;
#[cfg(feature = "archive")]
pub mod unpack;
