//! What is run on the host.

/// A command on the host, with the name under which its lines are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Such as `build`.
    pub name: &'static str,
    pub script: String,
    /// The same for people, without what surrounds a command of the application.
    pub shown: String,
}

impl Command {
    /// A command of ours.
    pub(crate) fn new(name: &'static str, script: String) -> Self {
        Self {
            name,
            shown: script.clone(),
            script,
        }
    }
}
