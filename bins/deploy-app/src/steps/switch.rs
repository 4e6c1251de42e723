//! From one release to another: the switch, the start, the proof.

use std::collections::BTreeSet;

use action::failure::Failure;

use crate::host::exec::Bounds;
use crate::lease::Lease;
use crate::model::Ensured;
use crate::place;
use crate::release::scripts;
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::start::{self, Images};
use crate::sync::Tree;
use crate::undo::{Before, Done};

/// From one release to another, until it is proven.
pub(super) struct Switch<'a> {
    pub(super) remote: &'a Remote<'a>,
    pub(super) commands: &'a Commands<'a>,
    pub(super) release: &'a str,
    pub(super) before: Option<&'a str>,
    pub(super) images: Images,
    /// In-place: what lies there now and what shall.
    pub(super) trees: (&'a Tree, &'a Tree),
    /// In-place: what was altered there.
    pub(super) altered: &'a [String],
    /// In-place: a release whose files were being placed when somebody was stopped.
    pub(super) placing: Option<&'a str>,
}

impl Switch<'_> {
    /// Switches, starts, proves, and runs the hook after.
    pub(super) async fn go(
        &self,
        done: &mut Done,
        bounds: &Bounds,
    ) -> Result<Option<Ensured>, Failure> {
        let (remote, release) = (self.remote, self.release);
        let paths = &remote.settings.paths;
        let fence = match &done.lease {
            Some(lease) => {
                lease.check()?;
                Lease::fence(lease)
            }
            None => "false".to_owned(),
        };
        remote.stages.begin("switch");
        done.switched = Some(
            self.before
                .map_or(Before::Nothing, |before| Before::Release(before.to_owned())),
        );
        if scripts::moves_files(paths) {
            let stamp = self.put(&fence, done, bounds).await?;
            let remember = scripts::remember_stamp(paths, release, &stamp);
            remote
                .release("remember what was verified", &remember, bounds)
                .await?;
        }
        remote
            .release(
                "switch to the release",
                &scripts::switch(paths, release, &fence),
                bounds,
            )
            .await?;
        remote.stages.begin("start");
        done.started = true;
        if let Some(stop) = self
            .commands
            .stop(release)
            .filter(|_| self.before.is_some())
        {
            remote
                .command(&stop, "stop the release before", bounds)
                .await?;
        }
        start::start(remote, self.commands, release, self.images, bounds).await?;
        let model = start::prove(remote, release, bounds).await?;
        if let Some(after) = self.commands.after(release) {
            remote.stages.begin("after");
            remote
                .command(&after, "run the hook after the start", bounds)
                .await?;
        }
        remote.stages.begin("finish");
        remote
            .release(
                "write down that the release is healthy",
                &scripts::prove(paths, release),
                bounds,
            )
            .await?;
        Ok(model)
    }

    /// In-place: moves the files.
    async fn put(&self, fence: &str, done: &mut Done, bounds: &Bounds) -> Result<String, Failure> {
        let (old, new) = self.trees;
        let mut there = old.clone();
        let mut altered: BTreeSet<String> = self.altered.iter().cloned().collect();
        if let Some(placing) = self.placing {
            // Somebody was stopped between two trees: what of either is there is not known.
            let pending = self.remote.manifest(placing, bounds).await?;
            for (path, kind) in pending.unwrap_or_default() {
                there.entry(path).or_insert(kind);
            }
            altered.extend(new.keys().cloned());
        }
        done.trees = Some((there.clone(), new.clone()));
        place::put(
            self.remote,
            self.release,
            (&there, new, &altered),
            fence,
            bounds,
        )
        .await
    }
}
