//! What the variables are checked against.

use action::settings::layers::Environment;
use contract::buildspec::Buildspec;

/// What the variables are checked against, besides the settings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    /// The environment of the build.
    pub environment: &'a Environment,
    /// The buildspec around, when one is given.
    pub buildspec: Option<&'a Buildspec>,
    /// The variables that the build project takes from a secret store, and from which.
    pub project: &'a [(String, String)],
}
