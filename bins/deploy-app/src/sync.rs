//! What the host has, what it shall have, and the one stream that makes the difference.

pub mod listing;
pub mod upload;

pub use filesync::{
    Diff, SEEDS, SEGMENT, Tree, diff, digest, from_text, is_at, pieces, shared_link, size, to_text,
    wanted,
};

/// Whether a file of the tree is hashed by segments.
#[must_use]
pub fn has_long(tree: &Tree) -> bool {
    tree.values().any(|kind| size(kind) > SEGMENT)
}

#[cfg(test)]
mod tests;
