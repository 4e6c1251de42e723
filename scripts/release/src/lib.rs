//! What a release needs beside the programs themselves; none of it ships.
//!
//! [`pages`] writes man pages and shell completions out of the programs' own declarations, so that
//! the programs need not carry the generators. [`tree`] reads a packed release, [`publish`] puts it
//! into the release bucket, [`version`] decides whether it becomes the latest.

pub mod pages;
pub mod publish;
pub mod settings;
pub mod tree;
pub mod version;
