//! One build: the phases of a buildspec over a source folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;
use contract::buildspec::{Buildspec, Item, PhaseName};
use contract::rule::Severity;
use tokio::process::Command;
use tokio::time::Instant;

use crate::command_script::{Epilogue, Saved};
use crate::missing_exports::{self, Ran};
use crate::phases::{self, Next};
use crate::process::{self, Ended, Groups};

/// Everything that a build needs to know.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    /// What to run.
    pub(crate) spec: &'a Buildspec,
    /// The complete environment.
    pub(crate) variables: BTreeMap<String, String>,
    /// The folder in which the first item starts.
    pub(crate) source: PathBuf,
    /// An existing folder of the build's own, for the saved environment.
    pub(crate) scratch: PathBuf,
    /// What its output lines begin with.
    pub(crate) prefix: String,
    /// How long the build may take; CodeBuild's default is an hour.
    pub(crate) limit: Duration,
}

/// How a build ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The first item that failed, in words; nothing when the build succeeded.
    pub(crate) failed: Option<String>,
    /// Whether the artifacts are to be collected: not after a build that ended early.
    pub(crate) artifacts: bool,
    /// The exported variables, in the order of the buildspec.
    pub(crate) exports: Vec<(String, String)>,
    /// Listed variables that are not there, each with the reason.
    pub(crate) missing: Vec<(String, String)>,
}

impl Build<'_> {
    /// Runs the phases and reads the exported variables.
    pub(crate) async fn run(&self, limits: &Limits) -> Result<Outcome, Failure> {
        let shell = self.shell()?;
        self.refuse_stores()?;
        let saved = Saved::begin(&self.scratch, shell, &self.variables, &self.source)
            .map_err(|error| self.broken("start its shell", error))?;
        let mut running = Running {
            build: self,
            saved,
            limits: limits.within(self.limit),
            groups: Groups::default(),
            run_deadline: limits.deadline,
            ran: Vec::new(),
            failed: None,
        };
        let ended = running.phases(shell).await;
        running.groups.end().await;
        let artifacts = ended?;
        running.outcome(artifacts)
    }

    fn shell(&self) -> Result<&str, Failure> {
        match self.spec.env.shell.as_deref() {
            None => Ok("sh"),
            Some(shell @ ("sh" | "/bin/sh" | "bash")) => Ok(shell),
            Some(other) => Err(Failure::refused(format!(
                "{}: the shell {other} is not available here",
                self.spec.file
            ))
            .hint("on Linux CodeBuild takes sh, /bin/sh and bash")),
        }
    }

    /// Values from Parameter Store and Secrets Manager are not fetched; a value given from
    /// outside takes their place.
    fn refuse_stores(&self) -> Result<(), Failure> {
        let env = &self.spec.env;
        let stores = [
            ("parameter-store", &env.parameter_store),
            ("secrets-manager", &env.secrets_manager),
        ];
        for (store, entries) in stores {
            for (name, reference) in entries {
                if !self.variables.contains_key(name) {
                    return Err(Failure::refused(format!(
                        "{}: {name} comes from {store} ({reference}), which is not read here",
                        self.spec.file
                    ))
                    .hint(format!("give {name} in a file with --build-env-file")));
                }
            }
        }
        Ok(())
    }

    fn broken(&self, deed: &str, error: impl std::fmt::Display) -> Failure {
        Failure::failed(format!("cannot {deed} for the build {}", self.prefix)).cause(error)
    }
}

/// A build while it runs.
struct Running<'a> {
    build: &'a Build<'a>,
    saved: Saved,
    /// Of the build.
    limits: Limits,
    groups: Groups,
    /// The deadline of the whole run, which is not the build's own limit.
    run_deadline: Instant,
    ran: Vec<Ran>,
    failed: Option<String>,
}

impl Running<'_> {
    /// Runs phase after phase; gives whether the artifacts are to be collected.
    async fn phases(&mut self, shell: &str) -> Result<bool, Failure> {
        let mut name = PhaseName::Install;
        loop {
            let failed = self.phase(name, shell).await?;
            match phases::next(name, failed, self.build.spec.phase(name).on_failure) {
                Next::Phase(next) => name = next,
                Next::Artifacts => return Ok(true),
                Next::End => return Ok(false),
            }
        }
    }

    /// Runs one phase; gives whether it failed.
    async fn phase(&mut self, name: PhaseName, shell: &str) -> Result<bool, Failure> {
        let phase = self.build.spec.phase(name);
        if phase.commands.is_empty() && phase.finally.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        let prefix = &self.build.prefix;
        tracing::info!("{prefix}: phase {} begins", name.key());
        let mut failed = false;
        // A failing item ends its list; `finally` runs in any case.
        for list in [&phase.commands, &phase.finally] {
            for item in list {
                let why = self.item(item, shell).await?;
                if let Some(why) = why {
                    tracing::warn!("{prefix}: {why}");
                    failed = true;
                    self.failed.get_or_insert(why);
                    break;
                }
            }
        }
        if failed {
            self.saved
                .set("CODEBUILD_BUILD_SUCCEEDING", "0")
                .map_err(|error| self.build.broken("save the environment", error))?;
        }
        let verdict = if failed { "failed" } else { "succeeded" };
        tracing::info!(
            "{prefix}: phase {} {verdict} after {:.1}s",
            name.key(),
            began.elapsed().as_secs_f64()
        );
        Ok(failed)
    }

    /// Runs one item; gives in words why it failed.
    async fn item(&mut self, item: &Item, shell: &str) -> Result<Option<String>, Failure> {
        let build = self.build;
        let place = format!("{}:{}", build.spec.file, item.line);
        let broken = |error| build.broken(&format!("run the item at {place}"), error);
        let script = self.saved.prepare(&item.script).map_err(broken)?;
        for line in item.script.trim_end().lines() {
            tracing::info!("{} $ {line}", build.prefix);
        }
        let mut command = Command::new(shell);
        command
            .arg(&script)
            .env_clear()
            .envs(&build.variables)
            .current_dir(&build.source);
        let ended = process::run(command, &build.prefix, &self.limits, &mut self.groups)
            .await
            .map_err(broken)?;
        let status = match ended {
            Ended::Status(status) => status,
            Ended::Interrupted(signal) => {
                return Err(Failure::interrupted(
                    signal,
                    format!("item at {place} ended"),
                ));
            }
            Ended::Late if Instant::now() >= self.run_deadline => {
                return Err(Failure::new(
                    Exit::Deadline,
                    format!("the deadline came while the item at {place} ran"),
                )
                .hint("give it more with --timeout; --only runs one stage again"));
            }
            Ended::Late => {
                let minutes = build.limit.as_secs() / 60;
                return Ok(Some(format!(
                    "the item at {place} was ended after the {minutes} min that the project allows a build"
                )));
            }
        };
        let epilogue = self.saved.epilogue().map_err(broken)?;
        if epilogue == Epilogue::Lost && status == 0 {
            tracing::warn!(
                "{}: the item at {place} ended its shell itself: what it set is lost, as in CodeBuild",
                build.prefix
            );
        }
        self.ran.push(Ran {
            item: item.clone(),
            epilogue,
            status,
        });
        Ok((status != 0).then(|| format!("the item at {place} ended with {status}")))
    }

    fn outcome(self, artifacts: bool) -> Result<Outcome, Failure> {
        let build = self.build;
        let names: Vec<String> = build
            .spec
            .env
            .exported
            .iter()
            .map(|one| one.name.clone())
            .collect();
        let mut values = self
            .saved
            .read(&names)
            .map_err(|error| build.broken("read the exported variables", error))?;
        let mut outcome = Outcome {
            failed: self.failed,
            artifacts,
            ..Outcome::default()
        };
        for name in names {
            match values.remove(&name).map(String::from_utf8) {
                Some(Ok(value)) => outcome.exports.push((name, value)),
                Some(Err(error)) => {
                    let at = error.utf8_error().valid_up_to();
                    let why = format!("its value is not UTF-8 at offset {at}");
                    outcome.missing.push((name, why));
                }
                None => {
                    let why = missing_exports::why(&name, build.spec, &self.ran);
                    outcome.missing.push((name, why));
                }
            }
        }
        Ok(outcome)
    }
}

/// Reads a buildspec from a file and logs its warnings.
pub(crate) fn read_spec(path: &Path, shown: &str) -> Result<Buildspec, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::refused(format!("cannot read the buildspec {shown}")).cause(error)
    })?;
    parse_spec(&bytes, shown)
}

/// Reads a buildspec and logs its warnings, and what of it is not followed here.
pub(crate) fn parse_spec(bytes: &[u8], shown: &str) -> Result<Buildspec, Failure> {
    let spec = Buildspec::parse(shown, bytes)
        .map_err(|wrong| findings::refusal("the buildspec cannot run", &wrong))?;
    if let Some((phase, place)) = spec.phases.iter().find_map(|one| Some((one, one.steps?))) {
        let deed = format!(
            "{shown}:{}: the steps of {} do not run here",
            place.line,
            phase.name.key()
        );
        return Err(Failure::refused(deed).hint(
            "steps are GitHub Actions, which need CodeBuild; write the phase as commands to run it here",
        ));
    }
    for warning in &spec.warnings {
        if warning.severity > Severity::Note {
            tracing::warn!("{warning}");
        }
    }
    if spec.run_as.is_some() || spec.phases.iter().any(|phase| phase.run_as.is_some()) {
        tracing::warn!("{shown}: run-as is not followed here: the build runs as you");
    }
    if let Some(place) = spec.phases.iter().find_map(|phase| phase.runtime_versions) {
        let line = place.line;
        tracing::warn!(
            "{shown}:{line}: runtime-versions is not followed here: the build runs with what PATH finds"
        );
    }
    if let Some(place) = spec.batch {
        let line = place.line;
        tracing::warn!("{shown}:{line}: batch is not followed here: this runs as one build");
    }
    Ok(spec)
}
