//! From one release to another: the switch, the start, the proof.

use action::export::quote::posix as quote;
use action::failure::Failure;
use action::wait::Limits;
use filesync::{Altered, Operation, Paths, Put, Stamp};

use super::journal::{Journal, RollbackTarget};
use super::unattended::{self, Activation, Stage};
use crate::host::Remote;
use crate::host::command::Command;
use crate::host::lock;
use crate::host::state::State;
use crate::runtime::compose;
use crate::runtime::ollama::Ensured;
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start::{self, Images};
use crate::runtime::stop::{NotStopped, Stopping, stop};

/// From one release to another, until it is proven.
pub(super) struct Switch<'a> {
    pub(super) remote: &'a Remote<'a>,
    pub(super) release: &'a str,
    /// How it is run.
    pub(super) run_spec: &'a RunSpec,
    /// What is on the host.
    pub(super) state: &'a State,
    /// What comes back when it fails.
    pub(super) before: RollbackTarget,
    /// Whether this goes on from where somebody was stopped: the release is current already, and what runs
    /// is not known.
    pub(super) resumes: bool,
    pub(super) images: Images,
    /// In-place: what was altered there.
    pub(super) altered: Altered,
    /// What is known already of its line in the record of deployments.
    pub(super) audit: &'a str,
}

impl Switch<'_> {
    /// Switches, starts, proves, and runs the hook after.
    pub(super) async fn go(
        &self,
        journal: &mut Journal,
        limits: &Limits,
    ) -> Result<Option<Ensured>, Failure> {
        let (remote, release) = (self.remote, self.release);
        let paths = &remote.settings.paths;
        remote.timings.begin("switch");
        let commands = self.run_spec.commands(remote.settings);
        if let Some(project) = commands.project() {
            let claim = inside(paths, &compose::claim(paths, project));
            let deed = "write down whose the Compose project is";
            remote.run_script(deed, &claim, limits).await?;
        }
        journal.switched = Some(self.before.clone());
        let settings = remote.settings;
        let back = self.before.release();
        journal.back = back.map(|before| self.state.run_spec(before, settings));
        if paths.moves_files() {
            self.check_back(limits).await?;
            journal.placed = Some(self.placed());
        }
        self.leave(journal, Stage::Switching, limits).await?;
        if paths.moves_files() {
            let stamp = self.put(limits).await?;
            if let Some(stamp) = stamp {
                let release = release.to_owned();
                let remember = Operation::RememberStamp { release, stamp };
                let deed = "remember what was verified";
                remote.files::<()>(deed, remember, limits).await?;
            }
        }
        let switch = Operation::Switch {
            release: release.to_owned(),
            starts: true,
        };
        remote
            .files::<()>("switch to the release", switch, limits)
            .await?;
        remote.timings.begin("start");
        let running = self.running();
        // From here on the release before may not run any more.
        journal.started = true;
        let starting = Stage::Starting(self.stops(&running));
        self.leave(journal, starting, limits).await?;
        self.stop_what_runs(&running, journal, limits).await?;
        start::start(remote, &commands, release, self.images, limits).await?;
        self.leave(journal, Stage::Proving, limits).await?;
        let model = start::prove(remote, self.run_spec, release, limits).await?;
        if let Some(after) = commands.after(release) {
            self.leave(journal, Stage::Hook, limits).await?;
            remote.timings.begin("after");
            remote
                .command(&after, "run the hook after the start", limits)
                .await?;
        }
        remote.timings.begin("finish");
        self.leave(journal, Stage::Recording, limits).await?;
        start::record(remote, self.run_spec, release, limits).await?;
        lock::plan(remote, None, limits).await?;
        Ok(model)
    }

    /// Leaves with the agent what it does alone should the connection be lost from now on.
    async fn leave(
        &self,
        journal: &Journal,
        stage: Stage<'_>,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let activation = Activation {
            run_spec: self.run_spec,
            images: self.images,
            audit: self.audit,
        };
        unattended::leave(self.remote, journal, activation, stage, limits).await
    }

    /// What may run: of which release, how it was started, and whether that is certain.
    fn running(&self) -> Vec<(Option<&str>, RunSpec, bool)> {
        let settings = self.remote.settings;
        let current = self.state.current_name();
        let mut running = Vec::new();
        if let (true, Some(before)) = (self.resumes, self.before.release()) {
            // Whoever was stopped may not have come so far as to stop it.
            let runs = self.state.run_spec(before, settings);
            if !self.run_spec.starts_like(&runs) {
                running.push((Some(before), runs, false));
            }
        }
        running.push(match current {
            Some(before) if !self.resumes => {
                let runs = self.state.run_spec(before, settings);
                (current, runs, self.state.is_proven())
            }
            _ => (current, self.run_spec.clone(), false),
        });
        running
    }

    /// How each of them is stopped.
    fn stopping<'a>(
        &'a self,
        running: &'a [(Option<&str>, RunSpec, bool)],
    ) -> impl Iterator<Item = Stopping<'a>> {
        running.iter().map(|(release, runs, is_certain)| Stopping {
            runs,
            release: *release,
            is_certain: *is_certain,
            next: Some((self.release, self.run_spec)),
        })
    }

    /// The commands that stop what may run; or why only from here.
    fn stops(
        &self,
        running: &[(Option<&str>, RunSpec, bool)],
    ) -> Result<Vec<Command>, &'static str> {
        let settings = self.remote.settings;
        let stops = self.stopping(running);
        let stops = stops.filter_map(|stopping| stopping.unattended(settings).transpose());
        stops.collect()
    }

    /// Stops what runs, by the commands of the release that it is, in that release's folder.
    async fn stop_what_runs(
        &self,
        running: &[(Option<&str>, RunSpec, bool)],
        journal: &mut Journal,
        limits: &Limits,
    ) -> Result<(), Failure> {
        for stopping in self.stopping(running) {
            let stopped = stop(self.remote, &stopping, limits).await;
            if let Err(NotStopped::Runs(_)) = stopped {
                journal.started = false;
            }
            stopped?;
        }
        Ok(())
    }

    /// In-place: refuses where what would come back is not known.
    async fn check_back(&self, limits: &Limits) -> Result<(), Failure> {
        let Some(before) = self.before.release() else {
            return Ok(());
        };
        let is_current = self.state.current_name() == Some(before);
        if is_current || self.remote.manifest(before, limits).await?.is_some() {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "cannot read the manifest of release {before} on {}, which would come back",
            self.remote.shown
        )))
    }

    /// In-place: the releases that may have files in the target folder.
    fn there(&self) -> impl Iterator<Item = String> {
        let current = self.state.current_name();
        let placing = self.state.placing.as_deref();
        current.into_iter().chain(placing).map(str::to_owned)
    }

    /// In-place: the same once this release's files are put there as well, this one first.
    fn placed(&self) -> Vec<String> {
        let new = std::iter::once(self.release.to_owned());
        new.chain(self.there()).collect()
    }

    /// In-place: moves the files.
    async fn put(&self, limits: &Limits) -> Result<Option<Stamp>, Failure> {
        let placing = self.state.placing.as_deref();
        let from = self.there().collect();
        let put = Put {
            release: self.release.to_owned(),
            is_wanted: true,
            from,
            altered: match placing {
                // Somebody was stopped between two trees: what of either is there is not known.
                Some(_) => Altered::All,
                None => self.altered.clone(),
            },
        };
        self.remote.put(put, limits).await
    }
}

/// A script in the target folder.
fn inside(paths: &Paths, script: &str) -> String {
    format!("cd {} || exit 1\n{script}", quote(&paths.target))
}
