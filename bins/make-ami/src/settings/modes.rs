//! Settings that choose one of a few words.

use std::fmt;
use std::str::FromStr;

/// A setting of a few words: the words in order, and what each means.
macro_rules! words {
    ($(#[$about:meta])* $name:ident, $what:literal, $($(#[$doc:meta])* $variant:ident = $word:literal),+) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word => Ok($name::$variant),)+
                    _ => Err(format!("{text:?} is not {}; use {}", $what, [$($word),+].join(", "))),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $($name::$variant => $word,)+
                })
            }
        }
    };
}

words!(
    /// How still the instance is while its volumes are copied.
    Consistency, "a mode",
    /// The instance runs on: the image is as after a power cut.
    NoReboot = "no-reboot",
    /// EC2 shuts the instance down and starts it again: file systems are whole.
    Reboot = "reboot",
    /// We stop the instance, image it, and start it again.
    Stop = "stop",
    /// Containers are stopped or paused and data mounts frozen until the snapshots have begun.
    Quiesce = "quiesce"
);

impl Consistency {
    /// Whether the instance goes down, which an Auto Scaling group answers by replacing it.
    pub fn takes_it_down(self) -> bool {
        matches!(self, Consistency::Reboot | Consistency::Stop)
    }
}

words!(
    /// When snapshots get their tags.
    SnapshotTags, "a time for tags",
    /// In the request that makes them: no snapshot is ever without.
    AtCreate = "at-create",
    /// When the image is available, for accounts whose policies forbid tagging on create.
    After = "after",
    /// Never.
    None = "none"
);

words!(
    /// What happens to an unfinished image at the deadline.
    OnTimeout, "known",
    /// It goes on being made; a later run adopts it.
    Keep = "keep",
    /// It is removed.
    Clean = "clean"
);

words!(
    /// What quiescing does to the named containers.
    QuiesceBy, "a way to quiesce",
    /// `docker pause`: processes are suspended, open connections survive.
    Pause = "pause",
    /// `docker stop` and `docker start`: the application writes everything out.
    Stop = "stop"
);

words!(
    /// How an image that retention gives up goes.
    Retire, "a way to retire",
    /// One rung a run: deprecated, in the next run disabled, in the one after deregistered.
    Ladder = "ladder",
    /// Deregistered at once.
    Deregister = "deregister"
);

words!(
    /// Whether the image, and its copies, are put under deregistration protection.
    Protect, "known",
    /// No.
    No = "no",
    /// Yes; it ends when it is turned off.
    Yes = "yes",
    /// Yes; it ends 24 hours after it is turned off.
    Cooldown = "cooldown"
);

#[expect(clippy::derivable_impls, reason = "the macro writes the enum")]
impl Default for Protect {
    fn default() -> Self {
        Self::No
    }
}

#[cfg(test)]
mod tests {
    use super::Consistency;

    #[test]
    fn words_are_read_back_as_written_and_others_are_answered_with_the_list() {
        for mode in [
            Consistency::NoReboot,
            Consistency::Reboot,
            Consistency::Stop,
            Consistency::Quiesce,
        ] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(
            "freeze".parse::<Consistency>(),
            Err("\"freeze\" is not a mode; use no-reboot, reboot, stop, quiesce".to_owned())
        );
    }
}
