//! What is run on the host.

/// A command on the host, with the name under which its lines are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// Such as `build`.
    pub name: &'static str,
    pub script: String,
    /// The same for people, without what surrounds a command of the application.
    pub shown: String,
    /// Whose exit status it ends with.
    pub tool: Tool,
}

/// Whose exit status a command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Docker Compose's.
    Compose,
    /// Another one's.
    Other,
}

impl Tool {
    /// What an exit status means, where it is known. Compose's are those of its source,
    /// <https://github.com/docker/compose/blob/v2.2.3/pkg/compose/errors.go>; its 1 says nothing.
    pub(crate) fn meaning(self, status: u32) -> Option<&'static str> {
        match (self, status) {
            (Self::Compose, 14) => Some("a file that Compose needs is not there"),
            (Self::Compose, 15) => Some("Compose cannot use what a Compose file says"),
            (Self::Compose, 16) => {
                Some("this version of Compose does not know an option that it was given")
            }
            (Self::Compose, 17) => Some("an image cannot be built"),
            (Self::Compose, 18) => Some("an image cannot be pulled"),
            (Self::Compose, 130) => Some("Compose was interrupted"),
            _ => None,
        }
    }
}

impl Command {
    /// A command of ours.
    pub(crate) fn new(name: &'static str, script: String) -> Self {
        Self {
            name,
            shown: script.clone(),
            script,
            tool: Tool::Other,
        }
    }
}
