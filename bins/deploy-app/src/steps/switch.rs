//! From one release to another: the switch, the start, the proof.

use std::collections::BTreeSet;

use action::failure::Failure;
use action::wait::Limits;

use crate::compose;
use crate::manner::Manner;
use crate::model::Ensured;
use crate::place;
use crate::release::{State, scripts};
use crate::remote::Remote;
use crate::start::{self, Images};
use crate::stop::{NotStopped, Stopping, stop};
use crate::sync::Tree;
use crate::undo::{Before, Done, Trees};

/// From one release to another, until it is proven.
pub(super) struct Switch<'a> {
    pub(super) remote: &'a Remote<'a>,
    pub(super) release: &'a str,
    /// How it is run.
    pub(super) manner: &'a Manner,
    /// What is on the host.
    pub(super) state: &'a State,
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
        limits: &Limits,
    ) -> Result<Option<Ensured>, Failure> {
        let (remote, release) = (self.remote, self.release);
        let paths = &remote.settings.paths;
        remote.stages.begin("switch");
        let commands = self.manner.commands(remote.settings);
        if let Some(project) = commands.project() {
            let claim = scripts::inside(paths, &compose::claim(paths, project));
            let deed = "write down whose the Compose project is";
            remote.release(deed, &claim, limits).await?;
        }
        done.switched = Some(self.before.clone());
        let settings = remote.settings;
        let back = self.before.release();
        done.back = back.map(|before| self.state.manner(before, settings));
        if scripts::moves_files(paths) {
            let stamp = self.put(done, limits).await?;
            let remember = scripts::remember_stamp(paths, release, &stamp);
            remote
                .release("remember what was verified", &remember, limits)
                .await?;
        }
        remote
            .release(
                "switch to the release",
                &scripts::switch(paths, release, true),
                limits,
            )
            .await?;
        remote.stages.begin("start");
        self.stop_what_runs(done, limits).await?;
        start::start(remote, &commands, release, self.images, limits).await?;
        let model = start::prove(remote, self.manner, release, limits).await?;
        if let Some(after) = commands.after(release) {
            remote.stages.begin("after");
            remote
                .command(&after, "run the hook after the start", limits)
                .await?;
        }
        remote.stages.begin("finish");
        start::record(remote, self.manner, release, limits).await?;
        Ok(model)
    }

    /// Stops what runs, by the commands of the release that it is, in that release's folder.
    async fn stop_what_runs(&self, done: &mut Done, limits: &Limits) -> Result<(), Failure> {
        let settings = self.remote.settings;
        let current = self.state.current_name();
        let mut running = Vec::new();
        if let (true, Some(before)) = (self.resumes, self.before.release()) {
            // Whoever was stopped may not have come so far as to stop it.
            let runs = self.state.manner(before, settings);
            if !self.manner.starts_like(&runs) {
                running.push((Some(before), runs, false));
            }
        }
        running.push(match current {
            Some(before) if !self.resumes => {
                let runs = self.state.manner(before, settings);
                (current, runs, self.state.is_proven())
            }
            _ => (current, self.manner.clone(), false),
        });
        // From here on the release before may not run any more.
        done.started = true;
        for (release, runs, is_certain) in &running {
            let stopping = Stopping {
                runs,
                release: *release,
                is_certain: *is_certain,
                next: Some((self.release, self.manner)),
            };
            let stopped = stop(self.remote, &stopping, limits).await;
            if let Err(NotStopped::Runs(_)) = stopped {
                done.started = false;
            }
            stopped?;
        }
        Ok(())
    }

    /// In-place: what lies there once the release is taken back.
    async fn back(&self, limits: &Limits) -> Result<Tree, Failure> {
        match &self.before {
            Before::Release(before) if self.state.current_name() == Some(before) => {
                Ok(self.trees.0.clone())
            }
            Before::Release(before) => {
                let manifest = self.remote.manifest(before, limits).await?;
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
    async fn put(&self, done: &mut Done, limits: &Limits) -> Result<String, Failure> {
        let (old, new) = self.trees;
        let mut there = old.clone();
        let mut altered: BTreeSet<String> = self.altered.iter().cloned().collect();
        if let Some(placing) = self.placing {
            // Somebody was stopped between two trees: what of either is there is not known.
            let pending = self.remote.manifest(placing, limits).await?;
            for (path, kind) in pending.unwrap_or_default() {
                there.entry(path).or_insert(kind);
            }
            altered.extend(new.keys().cloned());
        }
        done.trees = Some(Trees {
            old: there.clone(),
            new: new.clone(),
            back: self.back(limits).await?,
        });
        place::put(self.remote, self.release, (&there, new, &altered), limits).await
    }
}
