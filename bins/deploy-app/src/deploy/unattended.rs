//! What the agent does alone when the connection is lost after the switch: the same that would be done from here, as far as
//! the host alone can do it.

use std::time::Duration;

use action::failure::Failure;
use action::wait::Limits;
use agent_protocol::plan::{Action, Forward, HealthCheck, OnFailure, Plan, Step};
use filesync::{Altered, Operation, Put};
use http_probe::{Content, Request};

use super::journal::{Journal, RollbackTarget};
use crate::host::Remote;
use crate::host::command::Command;
use crate::host::lock;
use crate::runtime::commands::Commands;
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start::{self, Images};
use crate::runtime::{compose, health, ollama};
use crate::settings::{Health, Run};

/// What was under way has at least so long: the agent notices after a minute that a silent connection is gone.
const LEAST: Duration = Duration::from_secs(10);
/// A step of the way back has at least so long.
const BACK: Duration = Duration::from_secs(60);
/// How long what the agent itself does, or asks the engine, may take.
const SHORT: Duration = Duration::from_secs(60);

/// How far a deployment is.
pub(super) enum Stage<'a> {
    /// Nothing of the release runs.
    Switching,
    /// What runs is stopped by these commands, and the release is started; or why only from here.
    Starting(Result<Vec<Command>, &'static str>),
    /// It was started and is to be proven.
    Proving,
    /// It is proven, and the hook after that runs.
    Hook,
    /// It is proven, and that is written down.
    Recording,
    /// It failed, and is taken back.
    Failed(&'a str),
}

/// A release that is brought to run.
#[derive(Clone, Copy)]
pub(super) struct Activation<'a> {
    pub(super) run_spec: &'a RunSpec,
    pub(super) images: Images,
    /// What is known already of its line in the record of deployments.
    pub(super) audit: &'a str,
}

/// Leaves a plan for the agent.
pub(super) async fn leave(
    remote: &Remote<'_>,
    journal: &Journal,
    activation: Activation<'_>,
    stage: Stage<'_>,
    limits: &Limits,
) -> Result<(), Failure> {
    let Activation {
        run_spec, images, ..
    } = activation;
    let commands = run_spec.commands(remote.settings);
    let planned = Planned {
        remote,
        journal,
        run_spec,
        commands: &commands,
    };
    let before = journal.switched.as_ref().and_then(RollbackTarget::release);
    let plan = Plan {
        release: journal.release.clone(),
        paths: remote.settings.paths.clone(),
        forward: planned.forward(stage, images),
        least_ms: millis(LEAST),
        back: planned.back(),
        before: before.map(str::to_owned),
        audit: activation.audit.to_owned(),
    };
    lock::plan(remote, Some(Box::new(plan)), limits).await
}

struct Planned<'a> {
    remote: &'a Remote<'a>,
    journal: &'a Journal,
    run_spec: &'a RunSpec,
    commands: &'a Commands<'a>,
}

impl Planned<'_> {
    fn forward(&self, stage: Stage<'_>, images: Images) -> Forward {
        let (run_spec, release) = (self.run_spec, self.journal.release.as_str());
        let steps = match stage {
            Stage::Switching => Err("the connection was lost before it was started".to_owned()),
            Stage::Failed(why) => Err(why.to_owned()),
            Stage::Starting(stops) => stops.map_err(str::to_owned).and_then(|stops| {
                let mut steps: Vec<Step> = stops
                    .into_iter()
                    .map(|stop| self.run("stop what runs", stop.script, OnFailure::End))
                    .collect();
                steps.extend(self.start(run_spec, release, images, self.patience()));
                steps.extend(self.proof()?);
                steps.extend(self.hook());
                Ok(steps)
            }),
            Stage::Proving => self.proof().map(|mut steps| {
                steps.extend(self.hook());
                steps
            }),
            Stage::Hook => Ok(self.hook().into_iter().collect()),
            Stage::Recording => Ok(Vec::new()),
        };
        match steps {
            Ok(mut steps) => {
                steps.extend(self.record(run_spec, release));
                Forward::Prove(steps)
            }
            Err(why) => Forward::Cannot(why),
        }
    }

    /// How long a release has to become healthy.
    fn patience(&self) -> Duration {
        self.remote.settings.health_timeout
    }

    fn run(&self, what: &str, script: String, on_failure: OnFailure) -> Step {
        let limit = self.patience().max(SHORT);
        step(what, Action::Run(script), on_failure, limit)
    }

    /// Starts a release, until its containers are well or its status command succeeds.
    fn start(
        &self,
        run_spec: &RunSpec,
        release: &str,
        images: Images,
        patience: Duration,
    ) -> Vec<Step> {
        let commands = run_spec.commands(self.remote.settings);
        let is_kept = images != Images::Fresh && commands.project().is_some();
        let mut steps = Vec::new();
        if is_kept {
            let recall = compose::recall(&self.remote.settings.paths, release, &[]);
            let what = format!("find the images of release {release}");
            steps.push(self.run(&what, recall, OnFailure::End));
        }
        let anew = images == Images::KeptInNewContainers;
        let what = format!("start release {release}");
        if let Some(start) = commands.start(release, is_kept, anew) {
            // Compose gives up as soon as a container ends, also one that the engine brings back.
            let on_failure = match commands.project() {
                Some(_) => OnFailure::Retry,
                None => OnFailure::End,
            };
            steps.push(step(&what, Action::Run(start.script), on_failure, patience));
        }
        if let Some(status) = commands.status(release) {
            let what = format!("find release {release} running");
            let action = Action::Run(status.script);
            steps.push(step(&what, action, OnFailure::Retry, patience));
        }
        steps
    }

    /// What proves the release; or why that can be done only from here.
    fn proof(&self) -> Result<Vec<Step>, String> {
        let settings = self.remote.settings;
        let mut steps = Vec::new();
        if let Some(model) = &settings.model {
            if model.warm_up {
                return Err("that the model generates is found out by deploy-app alone".to_owned());
            }
            let url = model.url.at("/api/tags");
            let asked = Request {
                url: &url,
                agent: health::AGENT,
                headers: &[],
                content: Content::None,
            };
            let check = health::question(&asked)?;
            let name = ollama::full_name(&model.name);
            let what = format!("find the model {name}");
            let check = HealthCheck {
                body: Some(format!("\"name\":\"{name}\"")),
                ..check
            };
            steps.push(step(
                &what,
                Action::Ask(check),
                OnFailure::End,
                self.patience(),
            ));
        }
        if let Some(health) = &self.run_spec.health {
            steps.push(healthy(health, &self.journal.release, health.timeout)?);
        }
        match start::target(self.remote) {
            Some(_) => Err("the load balancer is asked by deploy-app alone".to_owned()),
            None => Ok(steps),
        }
    }

    fn hook(&self) -> Option<Step> {
        let after = self.commands.after(&self.journal.release)?;
        Some(self.run("run the hook after the start", after.script, OnFailure::End))
    }

    fn record(&self, run_spec: &RunSpec, release: &str) -> Vec<Step> {
        let paths = &self.remote.settings.paths;
        let commands = run_spec.commands(self.remote.settings);
        let keep = commands.project().map(|project| {
            let keep = compose::keep(paths, project, release, compose::Of::Containers);
            self.run("keep the images of the release", keep, OnFailure::End)
        });
        let proof = Operation::Prove {
            release: release.to_owned(),
            how: run_spec.to_text(),
        };
        let proof = files("write down that the release is healthy", proof);
        keep.into_iter().chain([proof]).collect()
    }

    /// What takes the release back.
    fn back(&self) -> Vec<Step> {
        let (journal, release) = (self.journal, self.journal.release.as_str());
        let mut steps = match journal.switched.as_ref().and_then(RollbackTarget::release) {
            Some(before) => self.roll_back(before),
            None => self.take_down(),
        };
        if journal.made {
            let releases = vec![release.to_owned()];
            steps.push(Step {
                on_failure: OnFailure::Ignore,
                ..files("remove the release", Operation::Remove { releases })
            });
        }
        steps
    }

    fn roll_back(&self, before: &str) -> Vec<Step> {
        let journal = self.journal;
        let mut steps = self.put_back(Some(before));
        let switch = Operation::Switch {
            release: before.to_owned(),
            starts: journal.started,
        };
        steps.push(files("switch back", switch));
        if !journal.started {
            return steps;
        }
        let patience = self.patience().max(BACK);
        let runs = journal.back.as_ref().unwrap_or(self.run_spec);
        if runs.run != Run::None {
            steps.extend(self.stop(Some(runs), OnFailure::Ignore));
        }
        steps.extend(self.start(runs, before, Images::Kept, patience));
        let healthy = runs
            .health
            .as_ref()
            .map(|health| healthy(health, before, patience));
        match healthy {
            // It runs again, and the next deployment proves it.
            Some(Err(_)) => return steps,
            Some(Ok(step)) => steps.push(step),
            None => {}
        }
        steps.extend(self.record(runs, before));
        steps
    }

    fn take_down(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.journal.started {
            steps.extend(self.stop(None, OnFailure::End));
        }
        steps.extend(self.put_back(None));
        steps.push(files("remove the link `current`", Operation::Unswitch));
        steps
    }

    /// Stops the release, unless what runs next replaces it.
    fn stop(&self, next: Option<&RunSpec>, on_failure: OnFailure) -> Option<Step> {
        let replaces = next.is_some_and(|next| {
            let same = (
                self.commands.project(),
                next.commands(self.remote.settings)
                    .project()
                    .map(str::to_owned),
            );
            matches!(same, (Some(project), Some(next)) if project == next)
        });
        let down = self
            .commands
            .down(&self.journal.release)
            .filter(|_| !replaces)?;
        let what = format!("stop release {}", self.journal.release);
        Some(self.run(&what, down.script, on_failure))
    }

    /// In-place: the files of the release go, and what shall lie there comes back.
    fn put_back(&self, before: Option<&str>) -> Vec<Step> {
        let Some(placed) = &self.journal.placed else {
            return Vec::new();
        };
        let release = self.journal.release.clone();
        let put = Put {
            release: before.unwrap_or(&release).to_owned(),
            is_wanted: before.is_some(),
            from: placed.clone(),
            altered: Altered::Doubted,
        };
        vec![
            files("put the files back", Operation::Put(put)),
            files(
                "bring back what the release replaced",
                Operation::RestoreReplaced { release },
            ),
        ]
    }
}

fn step(what: &str, action: Action, on_failure: OnFailure, limit: Duration) -> Step {
    Step {
        what: what.to_owned(),
        action,
        on_failure,
        limit_ms: millis(limit),
    }
}

fn files(what: &str, operation: Operation) -> Step {
    step(what, Action::Files(operation), OnFailure::End, SHORT)
}

/// Asks a release for its health; or why that can be done only from here.
fn healthy(health: &Health, release: &str, limit: Duration) -> Result<Step, String> {
    let check = health::check(health, release)?;
    let what = format!("find release {release} healthy at {}", health.probe.url);
    Ok(step(&what, Action::Ask(check), OnFailure::End, limit))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
