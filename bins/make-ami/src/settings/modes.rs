//! Settings that choose one of a few words.

use action::words;

words! {
    /// How still the instance is while its volumes are copied.
    pub enum Consistency: "a mode" {
        /// The instance runs on: the image is as after a power cut.
        NoReboot = "no-reboot",
        /// EC2 shuts the instance down and starts it again: file systems are whole.
        Reboot = "reboot",
        /// We stop the instance, image it, and start it again.
        Stop = "stop",
        /// Containers are stopped or paused and data mounts frozen until the snapshots have begun.
        Quiesce = "quiesce",
    }
}

impl Consistency {
    /// Whether the instance goes down, which an Auto Scaling group answers by replacing it.
    pub fn takes_it_down(self) -> bool {
        matches!(self, Consistency::Reboot | Consistency::Stop)
    }
}

words! {
    /// When snapshots get their tags.
    pub enum SnapshotTags: "a time for tags" {
        /// In the request that makes them: no snapshot is ever without.
        AtCreate = "at-create",
        /// When the image is available, for accounts whose policies forbid tagging on create.
        After = "after",
        /// Never.
        None = "none",
    }
}

words! {
    /// What happens to an unfinished image at the deadline.
    pub enum OnTimeout: "known" {
        /// It goes on being made; a later run adopts it.
        Keep = "keep",
        /// It is removed.
        Clean = "clean",
    }
}

words! {
    /// What quiescing does to the named containers.
    pub enum QuiesceBy: "a way to quiesce" {
        /// `docker pause`: processes are suspended, open connections survive.
        Pause = "pause",
        /// `docker stop` and `docker start`: the application writes everything out.
        Stop = "stop",
    }
}

words! {
    /// How an image that retention gives up goes.
    pub enum Retire: "a way to retire" {
        /// One rung a run: deprecated, in the next run disabled, in the one after deregistered.
        Ladder = "ladder",
        /// Deregistered at once.
        Deregister = "deregister",
    }
}

words! {
    /// Whether the image, and its copies, are put under deregistration protection.
    #[derive(Default)]
    pub enum Protect: "known" {
        /// No.
        #[default]
        No = "no",
        /// Yes; it ends when it is turned off.
        Yes = "yes",
        /// Yes; it ends 24 hours after it is turned off.
        Cooldown = "cooldown",
    }
}

words! {
    /// Which instance metadata service the instances of the image offer.
    #[derive(Default)]
    pub enum Imds: "known" {
        /// As EC2 makes the image.
        #[default]
        AsIs = "as-is",
        /// IMDSv2 only, by default; EC2 cannot take it back.
        V2 = "v2",
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
            Err("\"freeze\" is not a mode; use no-reboot, reboot, stop or quiesce".to_owned())
        );
    }
}
