//! Releases on the host. [`filesync`] says how they lie there; what is kept beside them by this program alone:
//!
//! ```text
//! TARGET/.deploy/holder           who deploys now: owner, token, since when, and the agent's process; its lock is the
//!                                 kernel's
//! TARGET/.deploy/agent/<digest>   the agent
//! ```

mod state;

use action::export::quote::posix as quote;

use crate::layout::Paths;

pub use filesync::release::{is_name, name, next_name};
pub use state::State;

/// A script in the target folder.
#[must_use]
pub fn inside(paths: &Paths, script: &str) -> String {
    format!("cd {} || exit 1\n{script}", quote(&paths.target))
}

/// The command by which a person removes a release.
#[must_use]
pub fn remove_by_hand(paths: &Paths, release: &str) -> String {
    format!(
        "on the host: rm -rf {} {}",
        quote(&format!("{}/{}", paths.target, paths.stored(release))),
        quote(&format!("{}/{}", paths.target, paths.partial(release)))
    )
}
