//! What a test decides will happen: outcomes, the pace of things, what is refused.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Ec2World;
use crate::ec2::Outcome;

impl Ec2World {
    /// Decides what becomes of the images that are created from now on, one after the other; the
    /// last outcome stays.
    pub fn outcomes<O: Into<Outcome>>(&self, outcomes: impl IntoIterator<Item = O>) {
        self.state().rules.outcomes = outcomes.into_iter().map(Into::into).collect();
    }

    /// Decides what becomes of the images that are copied from now on, likewise; a copy is
    /// available at the second reading otherwise.
    pub fn copy_outcomes<O: Into<Outcome>>(&self, outcomes: impl IntoIterator<Item = O>) {
        self.state().rules.copy_outcomes = outcomes.into_iter().map(Into::into).collect();
    }

    /// Lets snapshots by CreateSnapshots be completed after so long; without it they are at once.
    pub fn snapshots_take(&self, time: Duration) {
        self.state().rules.snapshots_take = time;
    }

    /// Lets snapshots by CreateSnapshots end in the state `error`.
    pub fn snapshots_fail(&self, fails: bool) {
        self.state().rules.snapshots_fail = fails;
    }

    /// Counts time with `elapsed`, the time since the test began; without it time stands still,
    /// so that everything is created at once. `elapsed` must not ask this world.
    pub fn clock(&self, elapsed: impl Fn() -> Duration + Send + Sync + 'static) {
        self.state().rules.clock = Some(Arc::new(elapsed));
    }

    /// Changes when the test began in this world: what creation dates and start times count from.
    pub fn start_of_time(&self, time: SystemTime) {
        self.state().rules.start_of_time = time;
    }

    /// Hides a new image from the first `polls` readings, as a service that is consistent only in
    /// the end does.
    pub fn hide_new_images(&self, polls: u32) {
        self.state().rules.invisible_polls = polls;
    }

    /// Lets the first `times` CreateTags of images or snapshots say that they do not exist, as a service
    /// that is consistent only in the end does.
    pub fn not_taggable_at_first(&self, times: u32) {
        self.state().rules.untaggable = times;
    }

    /// Lets DeregisterImage leave the snapshots to be deleted, and the first `times` DeleteSnapshot say
    /// that the image which is gone still uses them.
    pub fn snapshots_linger(&self, times: u32) {
        self.state().rules.lingering_use = times;
    }

    /// Leaves the snapshot ids out of DescribeImages while an image is pending, as EC2 may.
    pub fn hide_mapping_while_pending(&self, hides: bool) {
        self.state().rules.hides_mapping = hides;
    }

    /// Lets an instance be `pending` for `polls` readings before it runs.
    pub fn slow_starts(&self, polls: u32) {
        self.state().rules.start_polls = polls;
    }

    /// Lets an instance be `stopping` for `polls` readings before it is stopped.
    pub fn slow_stops(&self, polls: u32) {
        self.state().rules.stop_polls = polls;
    }

    /// Lists at most `items` in an answer, even where the caller asked for no limit.
    pub fn page_size(&self, items: usize) {
        self.state().rules.page_size = Some(items);
    }

    /// Lets the name of a failed image be used again. What EC2 does is unproven; it refuses here
    /// unless a test says so.
    pub fn failed_images_free_their_names(&self) {
        self.state().rules.failed_free_names = true;
    }

    /// Carries these operations out although DryRun says that they shall not be, as some do that speak EC2's
    /// language. EC2 itself never does.
    pub fn carries_dry_runs_out(&self, operations: &[&str]) {
        self.state().rules.carried_out = operations.iter().map(ToString::to_string).collect();
    }

    /// The ARN of the key that AWS manages for EBS: copies are encrypted with it unless another is
    /// given, and snapshots that are cannot be shared.
    pub fn aws_managed_key(&self, arn: &str) {
        self.state().rules.default_key = Some(arn.to_owned());
    }

    /// Puts an image under deregistration protection.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn protect_image(&self, id: &str) {
        self.change_image(id, |image| image.protected = true);
    }

    /// Lets neither DeregisterImage nor DeleteSnapshot delete a snapshot; the first says `code` of
    /// it: `missing-permissions`, `internal-error` or `client-error`.
    pub fn fail_snapshot_deletion(&self, id: &str, code: &str) {
        let failure = (code.to_owned(), true);
        self.state().here.undeletable.insert(id.to_owned(), failure);
    }

    /// Lets DeregisterImage leave a snapshot with `code`; DeleteSnapshot deletes it.
    pub fn fail_associated_deletion(&self, id: &str, code: &str) {
        let failure = (code.to_owned(), false);
        self.state().here.undeletable.insert(id.to_owned(), failure);
    }
}
