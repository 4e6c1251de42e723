use std::fmt;

use aws_sdk_ec2::types::{Instance, InstanceStateName};

/// An instance's state: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// On its way to running.
    Pending,
    /// It runs.
    Running,
    /// On its way to stopped.
    Stopping,
    /// It can be started.
    Stopped,
    /// On its way to terminated: no way back.
    ShuttingDown,
    /// Gone.
    Terminated,
    /// A state that is not known here, or none.
    Unknown,
}

impl State {
    /// Whether it changes without anybody's help.
    #[must_use]
    pub const fn is_settling(self) -> bool {
        matches!(self, Self::Pending | Self::Stopping)
    }

    /// Whether there is no way back to running.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::ShuttingDown | Self::Terminated)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Unknown => "in an unknown state",
        })
    }
}

/// The state of an instance.
#[must_use]
pub fn state(instance: &Instance) -> State {
    match instance.state().and_then(|state| state.name()) {
        Some(InstanceStateName::Pending) => State::Pending,
        Some(InstanceStateName::Running) => State::Running,
        Some(InstanceStateName::Stopping) => State::Stopping,
        Some(InstanceStateName::Stopped) => State::Stopped,
        Some(InstanceStateName::ShuttingDown) => State::ShuttingDown,
        Some(InstanceStateName::Terminated) => State::Terminated,
        _ => State::Unknown,
    }
}

/// The value of an instance's tag.
#[must_use]
pub fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let tags = instance.tags().iter();
    tags.filter(|tag| tag.key() == Some(key))
        .find_map(|tag| tag.value())
}
