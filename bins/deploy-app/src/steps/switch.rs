//! From one release to another: the switch, the start, the proof.

use std::collections::BTreeSet;

use action::exit::Exit;
use action::failure::Failure;

use crate::host::exec::Bounds;
use crate::lease;
use crate::model::Ensured;
use crate::place;
use crate::release::scripts;
use crate::remote::Remote;
use crate::runtime::{Command, Commands};
use crate::start::{self, Images};
use crate::sync::Tree;
use crate::undo::{Before, Done, Trees};

/// From one release to another, until it is proven.
pub(super) struct Switch<'a> {
    pub(super) remote: &'a Remote<'a>,
    pub(super) commands: &'a Commands<'a>,
    pub(super) release: &'a str,
    /// What is current.
    pub(super) current: Option<&'a str>,
    /// What comes back when it fails.
    pub(super) before: Before,
    /// Whether this goes on from where somebody was stopped: the release is current already, and what runs
    /// is not known.
    pub(super) resumes: bool,
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
        let lease = done
            .lease
            .as_ref()
            .ok_or_else(|| lease::lost(&paths.target))?;
        lease.check()?;
        let fence = lease.fence();
        remote.stages.begin("switch");
        done.switched = Some(self.before.clone());
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
                &scripts::switch(paths, release, &fence, true),
                bounds,
            )
            .await?;
        remote.stages.begin("start");
        done.started = true;
        if let Some(stop) = self
            .commands
            .stop(release)
            .filter(|_| self.current.is_some())
        {
            if self.resumes {
                stop_what_runs(remote, &stop, bounds).await?;
            } else {
                remote
                    .command(&stop, "stop the release before", bounds)
                    .await?;
            }
        }
        start::start(remote, self.commands, release, self.images, bounds).await?;
        let model = start::prove(remote, self.commands, release, bounds).await?;
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
                &scripts::fenced(paths, &fence, &scripts::prove(paths, release)),
                bounds,
            )
            .await?;
        Ok(model)
    }

    /// In-place: what lies there once the release is taken back.
    async fn back(&self, bounds: &Bounds) -> Result<Tree, Failure> {
        match &self.before {
            Before::Release(before) if self.current == Some(before) => Ok(self.trees.0.clone()),
            Before::Release(before) => {
                let manifest = self.remote.manifest(before, bounds).await?;
                manifest.ok_or_else(|| {
                    Failure::failed(format!(
                        "cannot read the manifest of release {before} on {}, which would come back",
                        self.remote.shown
                    ))
                })
            }
            Before::Nothing | Before::Unproven(_) => Ok(Tree::new()),
        }
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
        done.trees = Some(Trees {
            old: there.clone(),
            new: new.clone(),
            back: self.back(bounds).await?,
        });
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

/// Stops an application of which it is not known whether it runs: a stop command that fails may have found
/// nothing to stop.
pub(super) async fn stop_what_runs(
    remote: &Remote<'_>,
    stop: &Command,
    bounds: &Bounds,
) -> Result<(), Failure> {
    match remote.command(stop, "stop the application", bounds).await {
        Err(failure) if matches!(failure.exit(), Exit::Failed | Exit::NotPermitted) => {
            tracing::warn!("{failure}");
            remote.evidence.forget();
            Ok(())
        }
        ended => ended,
    }
}
