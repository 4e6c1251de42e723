//! One build: the phases of a buildspec over a source folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;
use contract::buildspec::{Buildspec, Item, PhaseName};
use contract::finding::Finding;
use contract::project::{Project, Spec};
use contract::rule::Severity;
use contract::yaml;
use tokio::process::Command;
use tokio::time::Instant;

use crate::build_options::BuildOptions;
use crate::command_script::{Epilogue, Saved};
use crate::container::Container;
use crate::missing_exports::{self, Ran};
use crate::phases::{self, Next};
use crate::process::{self, Ended, Groups};
use crate::users::{self, User};

/// Everything that a build needs to know.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    /// What to run.
    pub(crate) spec: &'a Buildspec,
    pub(crate) options: &'a BuildOptions,
    /// The complete environment.
    pub(crate) variables: BTreeMap<String, String>,
    /// The names of variables whose values come from a store: CodeBuild does not export those.
    pub(crate) stored: BTreeSet<String>,
    /// The folder in which the first item starts.
    pub(crate) source: PathBuf,
    /// An existing folder of the build's own, for the saved environment.
    pub(crate) scratch: PathBuf,
    /// What its output lines begin with.
    pub(crate) prefix: String,
    /// How long the build may take; CodeBuild's default is an hour.
    pub(crate) limit: Duration,
    /// Where its items run, when it is not this machine as it is.
    pub(crate) container: Option<&'a Container>,
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
        let first = self.command(shell, &self.source, None);
        let saved = Saved::begin(&self.scratch, shell, first)
            .map_err(|error| self.broken("start its shell", error))?;
        let users = match self.container {
            None => self.users()?,
            Some(_) => self.users_inside()?,
        };
        let mut running = Running {
            build: self,
            saved,
            limits: limits.within(self.limit),
            groups: Groups::default(),
            run_deadline: limits.deadline,
            ran: Vec::new(),
            failed: None,
            users,
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

    /// A command with the build's environment, up to the arguments of the shell.
    fn command(&self, shell: &str, folder: &Path, user: Option<&RunAs>) -> std::process::Command {
        if let Some(container) = self.container {
            let user = match user {
                Some(RunAs::Inside(name)) => Some(name.as_str()),
                _ => None,
            };
            let mut command = container.exec(folder, user);
            command.arg(shell);
            return command;
        }
        let mut command = std::process::Command::new(shell);
        command
            .env_clear()
            .envs(&self.variables)
            .current_dir(folder);
        if let Some(RunAs::Here(user)) = user {
            use std::os::unix::process::CommandExt as _;
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// The user of each phase inside of a container, whose users only it knows.
    fn users_inside(&self) -> Result<[Option<RunAs>; 4], Failure> {
        let mut users = [const { None }; 4];
        for name in PhaseName::ALL {
            let phase = &self.spec.phase(name).run_as;
            let Some(user) = phase.as_ref().or(self.spec.run_as.as_ref()) else {
                continue;
            };
            if !users::is_root() {
                tracing::warn!(
                    "{}: run-as {user} is not followed here: only root can, and the build runs as you",
                    self.spec.file
                );
                break;
            }
            if user != "root" {
                users[name as usize] = Some(RunAs::Inside(user.clone()));
            }
        }
        self.let_in(&users)?;
        Ok(users)
    }

    /// The user of each phase, where `run-as` names one and this process may become it.
    fn users(&self) -> Result<[Option<RunAs>; 4], Failure> {
        let mut users = [const { None }; 4];
        for name in PhaseName::ALL {
            let phase = &self.spec.phase(name).run_as;
            let Some(user) = phase.as_ref().or(self.spec.run_as.as_ref()) else {
                continue;
            };
            if !users::is_root() {
                tracing::warn!(
                    "{}: run-as {user} is not followed here: only root can, and the build runs as you",
                    self.spec.file
                );
                break;
            }
            if user == "root" {
                continue;
            }
            let found = users::find(user).map_err(|why| {
                Failure::refused(format!(
                    "{}: run-as {user} cannot be followed",
                    self.spec.file
                ))
                .cause(why)
            })?;
            users[name as usize] = Some(RunAs::Here(found));
        }
        self.let_in(&users)?;
        Ok(users)
    }

    /// Lets other users into the build's folders, when there are any.
    fn let_in(&self, users: &[Option<RunAs>; 4]) -> Result<(), Failure> {
        if users.iter().all(Option::is_none) {
            return Ok(());
        }
        users::open_to_others(&self.scratch)
            .map_err(|error| self.broken("let another user in", error))
    }

    fn broken(&self, deed: &str, error: impl std::fmt::Display) -> Failure {
        Failure::failed(format!("cannot {deed} for the build {}", self.prefix)).cause(error)
    }
}

/// The user of a phase.
#[derive(Debug)]
enum RunAs {
    /// Of this machine.
    Here(User),
    /// Of the container, by name.
    Inside(String),
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
    /// The user of each phase, where it is not the one who runs the program.
    users: [Option<RunAs>; 4],
}

/// A command that failed.
struct FailedCommand {
    /// In our words.
    why: String,
    /// In CodeBuild's words, which `on-failure: RETRY` looks at.
    message: String,
}

impl Running<'_> {
    /// Runs phase after phase; gives whether the artifacts are to be collected.
    async fn phases(&mut self, shell: &str) -> Result<bool, Failure> {
        let mut name = PhaseName::Install;
        loop {
            let failed = self.phase_with_retries(name, shell).await?;
            match phases::next(name, failed, self.build.spec.phase(name).on_failure) {
                Next::Phase(next) => name = next,
                Next::Artifacts => return Ok(true),
                Next::End => return Ok(false),
            }
        }
    }

    /// Runs a phase as often as its `on-failure` says; gives whether it failed in the end.
    async fn phase_with_retries(&mut self, name: PhaseName, shell: &str) -> Result<bool, Failure> {
        let build = self.build;
        let retry = build.options.retry(name);
        let failed_before = self.failed.clone();
        let mut left = retry.map_or(0, |retry| retry.count);
        loop {
            let failed = self.phase(name, shell).await?;
            match (failed, retry) {
                (Some(failed), Some(retry)) if left > 0 && retry.covers(&failed.message) => {
                    left -= 1;
                    tracing::warn!(
                        "{}: repeating the phase {} (on-failure: RETRY), {left} more after that",
                        build.prefix,
                        name.key()
                    );
                    self.failed.clone_from(&failed_before);
                    if failed_before.is_none() {
                        self.succeeding("1")?;
                    }
                }
                (failed, _) => return Ok(failed.is_some()),
            }
        }
    }

    fn succeeding(&self, value: &str) -> Result<(), Failure> {
        self.saved
            .set("CODEBUILD_BUILD_SUCCEEDING", value)
            .map_err(|error| self.build.broken("save the environment", error))
    }

    /// Runs one phase; gives the first command that failed.
    async fn phase(
        &mut self,
        name: PhaseName,
        shell: &str,
    ) -> Result<Option<FailedCommand>, Failure> {
        let phase = self.build.spec.phase(name);
        if phase.commands.is_empty() && phase.finally.is_empty() {
            return Ok(None);
        }
        let began = Instant::now();
        let prefix = &self.build.prefix;
        tracing::info!("{prefix}: phase {} begins", name.key());
        let mut failed: Option<FailedCommand> = None;
        // A failing item ends its list; `finally` runs in any case.
        for list in [&phase.commands, &phase.finally] {
            for item in list {
                let ended = self.item(name, item, shell).await?;
                if let Some(command) = ended {
                    tracing::warn!("{prefix}: {}", command.why);
                    self.failed.get_or_insert(command.why.clone());
                    failed.get_or_insert(command);
                    break;
                }
            }
        }
        if failed.is_some() {
            self.succeeding("0")?;
        }
        let verdict = match failed {
            Some(_) => "failed",
            None => "succeeded",
        };
        tracing::info!(
            "{prefix}: phase {} {verdict} after {:.1}s",
            name.key(),
            began.elapsed().as_secs_f64()
        );
        Ok(failed)
    }

    /// Runs one item; gives in words why it failed.
    async fn item(
        &mut self,
        phase: PhaseName,
        item: &Item,
        shell: &str,
    ) -> Result<Option<FailedCommand>, Failure> {
        let build = self.build;
        let place = format!("{}:{}", build.spec.file, item.line);
        let broken = |error| build.broken(&format!("run the item at {place}"), error);
        if build.options.is_0_1 {
            self.saved.forget().map_err(broken)?;
            if self.failed.is_some() {
                self.succeeding("0")?;
            }
        }
        let script = self.saved.prepare(&item.script).map_err(broken)?;
        for line in item.script.trim_end().lines() {
            tracing::info!("{} $ {line}", build.prefix);
        }
        let user = self.users[phase as usize].as_ref();
        let mut command = Command::from(build.command(shell, &build.source, user));
        command.arg(&script);
        let ending = async {
            if let Some(container) = build.container {
                container.terminate().await;
            }
        };
        let ended = process::run(
            command,
            &build.prefix,
            &self.limits,
            &mut self.groups,
            ending,
        )
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
                    format!("the deadline passed while the item at {place} ran"),
                )
                .hint("give it more with --timeout; --only runs one stage again"));
            }
            Ended::Late => {
                let minutes = build.limit.as_secs() / 60;
                return Ok(Some(FailedCommand {
                    why: format!(
                        "the item at {place} was ended after the {minutes} min that the project allows a build"
                    ),
                    message: "BUILD_TIMED_OUT: Build has timed out.".to_owned(),
                }));
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
        Ok((status != 0).then(|| FailedCommand {
            why: format!("the item at {place} ended with {status}"),
            message: format!(
                "COMMAND_EXECUTION_ERROR: Error while executing command: {}. Reason: exit status {status}",
                item.script.trim_end()
            ),
        }))
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
            if build.stored.contains(&name) {
                let why = "its value comes from a store, and CodeBuild does not export those";
                outcome.missing.push((name, why.to_owned()));
                continue;
            }
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

/// A buildspec that was read.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) spec: Buildspec,
    pub(crate) options: BuildOptions,
}

/// Reads the buildspec of a project out of its source.
pub(crate) fn load(project: &Project, source: &Path) -> Result<Loaded, Failure> {
    match &project.buildspec {
        Spec::File(path) => read_spec(&source.join(path), path),
        Spec::Inline(text) => {
            let shown = format!("{} (inline)", project.id);
            parse_spec(text.as_bytes(), &shown)
        }
        Spec::Object(arn) => Err(Failure::refused(format!(
            "{}: the buildspec {arn} is in a bucket, which this program does not read",
            project.id
        ))
        .hint("name a file of the source")),
    }
}

/// Reads a buildspec from a file and logs its warnings.
pub(crate) fn read_spec(path: &Path, shown: &str) -> Result<Loaded, Failure> {
    let bytes = std::fs::read(path).map_err(|error| {
        Failure::refused(format!("cannot read the buildspec {shown}")).cause(error)
    })?;
    parse_spec(&bytes, shown)
}

/// Reads a buildspec and logs its warnings. Every fault of it is named, and `steps`, which are GitHub Actions.
pub(crate) fn parse_spec(bytes: &[u8], shown: &str) -> Result<Loaded, Failure> {
    let read = Buildspec::read(shown, bytes);
    // A note says what is taken all the same: version 0.1 where nothing is exported.
    let faults: Vec<Finding> = read
        .faults
        .into_iter()
        .filter(|one| one.severity > Severity::Note)
        .collect();
    let Some(spec) = read.spec.filter(|_| faults.is_empty()) else {
        return Err(findings::refusal("the buildspec cannot run", &faults));
    };
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
    let cannot =
        |why: String| Failure::refused("the buildspec cannot run").cause(format!("{shown}: {why}"));
    let root = yaml::parse_bytes(shown, bytes).map_err(|finding| cannot(finding.to_string()))?;
    let options = BuildOptions::read(&root).map_err(cannot)?;
    for warning in &spec.warnings {
        if warning.severity > Severity::Note {
            tracing::warn!("{warning}");
        }
    }
    Ok(Loaded { spec, options })
}
