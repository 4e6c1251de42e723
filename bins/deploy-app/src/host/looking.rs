//! The look at the host that every connection begins with.

use bundle::digest::Digest;
use filesync::Operation;

use super::agent::Asked;

/// A look that was asked for together with the agent's start.
pub(crate) struct Looking(pub(super) Asked);

/// What the agent does to look.
pub(super) fn operation(wanted: Option<Digest>) -> Operation {
    Operation::Look {
        wanted,
        reads: true,
    }
}
