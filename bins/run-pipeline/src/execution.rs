//! One execution: stage after stage, group after group. The actions of a group run side by side.

use std::path::{Path, PathBuf};
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use contract::pipeline::{Action, Moment, Stage};
use contract::variables::{
    self, EXECUTION_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE, Variables,
};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::action_io::ActionOutput;
use crate::actions::Runner;
use crate::artifact::Artifact;
use crate::conditions::Consequence;
use crate::definition::Definition;
use crate::history::{self, History};
use crate::ids::random_id;
use crate::record::{Begun, Ended, How, Record, RecordFiles};
use crate::rerun::{Kind, Rerun};
use crate::run_plan::{PlannedAction, PlannedStage, RunPlan};
use crate::settings::Checked;
use crate::store::Store;
use crate::tree::{Mark, Tree};

mod inputs;
mod report;
mod rules;

/// An execution while it runs.
#[derive(Debug)]
pub(crate) struct Execution<'a> {
    /// What to run.
    definition: &'a Definition,
    /// How.
    settings: &'a Checked,
    /// What surrounds the program.
    context: &'a Context,
    /// The execution's id.
    id: String,
    /// A folder of the execution's own.
    work: PathBuf,
    store: Store,
    variables: Variables,
    done: Vec<Done>,
    record: Record,
    history: Option<History>,
    /// The stage that is to be rolled back, as its failure says.
    rollback: Option<String>,
    tree: Option<Tree>,
}

/// An action that is over.
#[derive(Debug)]
struct Done {
    stage: String,
    action: String,
    namespace: Option<String>,
    took: Duration,
    variables: Vec<(String, String)>,
}

impl<'a> Execution<'a> {
    /// An execution of a plan in a folder, with the variables that are known beforehand.
    pub(crate) fn new(
        definition: &'a Definition,
        settings: &'a Checked,
        context: &'a Context,
        work: PathBuf,
        plan: &RunPlan<'_>,
        rerun: Option<&Rerun>,
        mut files: RecordFiles<'_>,
    ) -> Result<Self, Failure> {
        let cannot =
            |error: std::io::Error| Failure::failed("cannot begin an execution").cause(error);
        // A retry goes on in the same execution.
        let (id, kind) = match rerun {
            Some(rerun) => match rerun.kind {
                Kind::Retry(_) => (rerun.past.id.clone(), "retry"),
                Kind::Replay => (rerun.past.id.clone(), "replay"),
                Kind::Rollback => (random_id().map_err(cannot)?, "rollback"),
            },
            None => (random_id().map_err(cannot)?, "standard"),
        };
        let history = History::of(settings);
        let artifacts = match &history {
            None => work.join("artifacts"),
            Some(history) => {
                let room = history.room(&id)?;
                files.kept = Some(history::open_record(&room.join("record.jsonl"))?);
                room.join("artifacts")
            }
        };
        std::fs::create_dir_all(&artifacts).map_err(cannot)?;
        let planned = plan.actions();
        let planned = planned.map(|(stage, one)| format!("{}/{}", stage.name, one.action.name));
        let record = Record::begin(
            files,
            Begun {
                pipeline: &definition.pipeline.name,
                execution: &id,
                kind,
                from: rerun.map(|rerun| rerun.past.id.as_str()),
                planned: planned.collect(),
            },
        )?;
        let mut variables = Variables::new();
        let mut set = |namespace: &str, key: &str, value: &str| {
            variables
                .entry(namespace.to_owned())
                .or_default()
                .insert(key.to_owned(), value.to_owned());
        };
        set(EXECUTION_NAMESPACE, EXECUTION_KEY, &id);
        for (name, default) in &definition.pipeline.variables {
            if let Some(value) = default {
                set(PIPELINE_NAMESPACE, name, value);
            }
        }
        for (namespace, key, value) in &settings.variables {
            set(namespace, key, value);
        }
        Ok(Self {
            definition,
            settings,
            context,
            id,
            work,
            store: Store::new(artifacts),
            variables,
            done: Vec::new(),
            record,
            history,
            rollback: None,
            tree: None,
        })
    }

    /// Runs the stages. Actions of one group run side by side; when one fails, the others end first, and
    /// nothing runs after the group.
    pub(crate) async fn run(&mut self, plan: &RunPlan<'a>) -> Result<(), Failure> {
        tracing::info!("pipeline execution {} begins", self.id);
        self.take_artifacts().await?;
        self.tree = Tree::of(plan, self.context);
        let ran = self.stages(plan).await;
        if let Some(tree) = self.tree.take() {
            tree.close();
        }
        self.summary();
        ran.map_err(|failure| {
            let done = self.done.iter();
            let before = done.map(|one| format!("{}/{}", one.stage, one.action));
            before.fold(failure, Failure::changed)
        })
    }

    async fn stages(&mut self, plan: &RunPlan<'a>) -> Result<(), Failure> {
        for planned in &plan.stages {
            let ended = self.stage(planned).await;
            let status = match &ended {
                Ok(status) => status,
                Err(_) => "failed",
            };
            self.record.stage(&planned.stage.name, status);
            ended?;
        }
        Ok(())
    }

    /// Runs a stage between its conditions; gives what it has come to. A stage that is to be retried is so once, as
    /// CodePipeline does.
    async fn stage(&mut self, planned: &PlannedStage<'a>) -> Result<&'static str, Failure> {
        let (stage, attempt) = (planned.stage, planned.attempt);
        if !planned.has_conditions {
            return self
                .groups(planned, attempt, false)
                .await
                .map(|()| "succeeded");
        }
        let options = self.definition.options.stage(&stage.name);
        let name = &stage.name;
        match self.conditions(name, &options, Moment::BeforeEntry).await? {
            None => {}
            Some((Consequence::Skip, why)) => {
                tracing::warn!("the stage {name} is skipped: {why}");
                return Ok("skipped");
            }
            Some((_, why)) => {
                let deed = format!("the stage {name} may not be entered");
                return Err(Failure::failed(deed).cause(why));
            }
        }
        let Err(failure) = self.groups(planned, attempt, false).await else {
            let unmet = self.conditions(name, &options, Moment::OnSuccess).await?;
            let Some((consequence, why)) = unmet else {
                return Ok("succeeded");
            };
            if consequence == Consequence::Rollback {
                self.rollback = Some(name.clone());
            }
            let deed = format!("a condition of the stage {name} is not met");
            return Err(Failure::failed(deed).cause(why));
        };
        // What was interrupted is not what CodePipeline sees as a failure of the stage.
        if matches!(
            failure.exit(),
            Exit::Deadline | Exit::Interrupted | Exit::Terminated
        ) {
            return Err(failure);
        }
        let met = self.conditions(name, &options, Moment::OnFailure).await?;
        let consequence = match (met, &options.failure_result) {
            (Some((consequence, why)), _) => {
                tracing::warn!("{why}");
                consequence
            }
            (None, Some(result)) => Consequence::of(result),
            (None, None) => return Err(failure),
        };
        match consequence {
            Consequence::Retry => {
                let only_failed = options.retry_mode.as_deref() != Some("ALL_ACTIONS");
                tracing::warn!("{failure}");
                tracing::warn!("the stage {name} is retried once (onFailure)");
                let retried = self.groups(planned, attempt + 1, only_failed).await;
                retried.map(|()| "succeeded")
            }
            Consequence::Skip => {
                tracing::warn!("{failure}");
                tracing::warn!("the failure of the stage {name} is ignored (onFailure: SKIP)");
                Ok("skipped")
            }
            Consequence::Rollback => {
                self.rollback = Some(name.clone());
                Err(failure)
            }
            Consequence::Fail => Err(failure),
        }
    }

    /// Runs the groups of a stage; of a retry only what has not succeeded before, if that is meant.
    async fn groups(
        &mut self,
        planned: &PlannedStage<'a>,
        attempt: u32,
        only_failed: bool,
    ) -> Result<(), Failure> {
        let stage = planned.stage;
        for group in &planned.groups {
            let is_done = |action: &Action| {
                self.done
                    .iter()
                    .any(|one| one.stage == stage.name && one.action == action.name)
            };
            let group: Vec<&PlannedAction<'a>> = group
                .iter()
                .filter(|one| !(only_failed && is_done(one.action)))
                .collect();
            self.group(stage, &group, attempt).await?;
        }
        Ok(())
    }

    /// Ends the record.
    pub(crate) fn close(&mut self, failure: Option<&Failure>) {
        self.record.end(&self.definition.pipeline.name, failure);
    }

    /// Takes the artifacts that are given for actions that do not run.
    async fn take_artifacts(&mut self) -> Result<(), Failure> {
        for (name, source) in &self.settings.local.artifacts {
            let fetched = source.fetch(false, &self.limits()).await?;
            let folder = self.work.join("given");
            let artifact = Artifact::write(name, &folder, &fetched.zip)?;
            tracing::info!("took {} as the artifact {name}", source.shown());
            self.store
                .put(artifact.of_revision(Some(fetched.commit.id)))?;
        }
        Ok(())
    }

    async fn group(
        &mut self,
        stage: &'a Stage,
        group: &[&PlannedAction<'a>],
        attempt: u32,
    ) -> Result<(), Failure> {
        let steps = group.iter().map(|one| self.step(stage, one, attempt));
        let ended: Vec<_> = join_all(steps).await;
        let mut failed: Option<Failure> = None;
        for (one, ended) in group.iter().zip(ended) {
            let (took, ended) = ended;
            let taken = ended.and_then(|output| self.take(stage, one, took, output));
            let how = match one.runner {
                Runner::Skipped => How::Skipped,
                Runner::Kept(_) => How::Kept,
                _ => How::Ran,
            };
            let artifacts = match taken {
                Ok(()) => self.kept_artifacts(one.action),
                Err(_) => Vec::new(),
            };
            let made = self.done.last().map_or(&[][..], |done| &done.variables);
            self.record.action(&Ended {
                stage: &stage.name,
                action: &one.action.name,
                provider: &one.action.provider,
                runs: &one.runner.shown(&one.action.provider),
                how,
                artifacts,
                attempt,
                took,
                result: taken.as_ref().map(|()| made),
            });
            if let Err(failure) = taken {
                failed = Some(match failed {
                    None => failure,
                    Some(first) => first.and(failure),
                });
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn step(
        &self,
        stage: &'a Stage,
        planned: &PlannedAction<'a>,
        attempt: u32,
    ) -> (Duration, Result<ActionOutput, Failure>) {
        let began = Instant::now();
        let (name, action) = (&stage.name, &planned.action.name);
        let asks = matches!(planned.runner, Runner::Approval { is_given: false });
        if let Some(tree) = &self.tree {
            tree.begins(name, action);
            if asks {
                tree.hide();
            }
        }
        let ended = self.attempt(stage, planned, attempt).await;
        if let Some(tree) = &self.tree {
            if asks {
                tree.show();
            }
            let mark = match (&ended, &planned.runner) {
                (Err(_), _) => Mark::Failed,
                (Ok(_), Runner::Skipped | Runner::Stub(_) | Runner::Kept(_)) => Mark::Passed,
                (Ok(_), _) => Mark::Good,
            };
            tree.ended(name, action, mark);
        }
        (began.elapsed(), ended)
    }

    async fn attempt(
        &self,
        stage: &'a Stage,
        planned: &PlannedAction<'a>,
        attempt: u32,
    ) -> Result<ActionOutput, Failure> {
        let PlannedAction { action, runner } = planned;
        let name = format!("{}/{}", stage.name, action.name);
        if let Some(signal) = self.context.interrupt.pending() {
            return Err(Failure::interrupted(
                signal,
                format!("stopped before {name}"),
            ));
        }
        tracing::info!("---- {name} ({}) ----", runner.shown(&action.provider));
        match runner.given(&name) {
            Some(output) => Ok(output),
            None => runner.run(&self.input(stage, action, attempt)?).await,
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: self.context.deadline,
            interrupt: self.context.interrupt.clone(),
        }
    }

    /// Takes over what an action has made.
    fn take(
        &mut self,
        stage: &Stage,
        planned: &PlannedAction<'_>,
        took: Duration,
        output: ActionOutput,
    ) -> Result<(), Failure> {
        let action = planned.action;
        let ActionOutput {
            variables,
            artifacts,
        } = output;
        self.check_size(&format!("{}/{}", stage.name, action.name), &variables)?;
        for artifact in artifacts {
            match planned.runner {
                Runner::Kept(_) => self.store.adopt(artifact),
                _ => self.store.put(artifact)?,
            }
        }
        let namespace = action.namespace.as_ref().map(|one| one.text.clone());
        if let Some(namespace) = &namespace {
            self.variables
                .insert(namespace.clone(), variables.iter().cloned().collect());
        }
        self.done.push(Done {
            stage: stage.name.clone(),
            action: action.name.clone(),
            namespace,
            took,
            variables,
        });
        Ok(())
    }

    /// The artifacts of an action that was taken over, as the history finds them again.
    fn kept_artifacts(&self, action: &Action) -> Vec<Value> {
        let Some(history) = &self.history else {
            return Vec::new();
        };
        let outputs = action.outputs.iter();
        let outputs = outputs.filter_map(|output| self.store.get(&output.text));
        outputs
            .filter_map(|artifact| {
                let bytes = std::fs::read(&artifact.zip).ok()?;
                Some(json!({
                    "name": artifact.name,
                    "file": history.relative(&artifact.zip)?,
                    "digest": bundle::digest::Digest::of(&bytes).to_string(),
                    "revision": artifact.revision,
                }))
            })
            .collect()
    }

    /// The stage that its failure wants to have rolled back.
    pub(crate) fn rollback(&self) -> Option<&str> {
        self.rollback.as_deref()
    }

    /// The execution's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn check_size(&self, name: &str, made: &[(String, String)]) -> Result<(), Failure> {
        let total: usize = made
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if total <= variables::MAX_OUTPUT_BYTES {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{name} made {total} bytes of output variables; CodePipeline allows {}",
            variables::MAX_OUTPUT_BYTES
        )))
    }
}

/// The folder of an action, which no other action has: `a-b` in `c` is not `b-c` in `a`. A second attempt has its own.
fn folder(work: &Path, stage: &str, action: &str, attempt: u32) -> PathBuf {
    let name = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    work.join("builds")
        .join(format!("stage-{}", name(stage)))
        .join(format!("action-{}", name(action)))
        .join(format!("try-{attempt}"))
}

#[cfg(test)]
mod tests {
    use super::folder;
    use std::path::Path;

    #[test]
    fn two_actions_never_share_a_folder() {
        let of = |stage, action| folder(Path::new("/w"), stage, action, 1);
        assert_ne!(of("a-b", "c"), of("a", "b-c"));
        assert_ne!(of("a/b", "c"), of("a-b", "c"));
        assert_ne!(of("a/b", "c"), of("a%2Fb", "c"));
        assert!(of("..", "..").starts_with("/w/builds/stage-.."));
    }
}
