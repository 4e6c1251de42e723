//! One execution: stage after stage, group after group. The actions of a group run side by side.

use std::collections::BTreeMap;
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
use serde_json::Value;
use tokio::time::Instant;

use crate::action_io::{ActionInput, ActionOutput};
use crate::actions::Runner;
use crate::actions::commands::environment;
use crate::artifact::Artifact;
use crate::conditions::Consequence;
use crate::definition::Definition;
use crate::ids::random_id;
use crate::record::{Ended, Record};
use crate::run_plan::{PlannedAction, PlannedStage, RunPlan};
use crate::settings::Checked;
use crate::store::Store;

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
    /// An execution in a folder, with the variables that are known beforehand.
    pub(crate) fn new(
        definition: &'a Definition,
        settings: &'a Checked,
        context: &'a Context,
        work: PathBuf,
    ) -> Result<Self, Failure> {
        let cannot =
            |error: std::io::Error| Failure::failed("cannot begin an execution").cause(error);
        let id = random_id().map_err(cannot)?;
        let artifacts = work.join("artifacts");
        std::fs::create_dir_all(&artifacts).map_err(cannot)?;
        let record = Record::begin(
            settings.record_file.as_deref(),
            settings.junit_file.as_deref(),
            &definition.pipeline.name,
            &id,
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
        })
    }

    /// Runs the stages. Actions of one group run side by side; when one fails, the others end first, and
    /// nothing runs after the group.
    pub(crate) async fn run(&mut self, plan: &RunPlan<'a>) -> Result<(), Failure> {
        tracing::info!("pipeline execution {} begins", self.id);
        self.take_artifacts().await?;
        for planned in &plan.stages {
            if let Err(failure) = self.stage(planned).await {
                self.summary();
                let before = self
                    .done
                    .iter()
                    .map(|one| format!("{}/{}", one.stage, one.action));
                return Err(before.fold(failure, Failure::changed));
            }
        }
        self.summary();
        Ok(())
    }

    /// Runs a stage between its conditions. A stage that is to be retried is so once, as CodePipeline does.
    async fn stage(&mut self, planned: &PlannedStage<'a>) -> Result<(), Failure> {
        let stage = planned.stage;
        let options = self.definition.options.stage(&stage.name);
        let name = &stage.name;
        match self.conditions(name, &options, Moment::BeforeEntry).await? {
            None => {}
            Some((Consequence::Skip, why)) => {
                tracing::warn!("the stage {name} is skipped: {why}");
                return Ok(());
            }
            Some((_, why)) => {
                let deed = format!("the stage {name} may not be entered");
                return Err(Failure::failed(deed).cause(why));
            }
        }
        let Err(failure) = self.groups(planned, 1, false).await else {
            return match self.conditions(name, &options, Moment::OnSuccess).await? {
                None => Ok(()),
                Some((consequence, why)) => {
                    let deed = format!("a condition of the stage {name} is not met");
                    Err(ended(consequence, Failure::failed(deed).cause(why)))
                }
            };
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
                self.groups(planned, 2, only_failed).await
            }
            Consequence::Skip => {
                tracing::warn!("{failure}");
                tracing::warn!("the failure of the stage {name} is passed over (onFailure: SKIP)");
                Ok(())
            }
            other => Err(ended(other, failure)),
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
            let taken = ended.and_then(|output| self.take(stage, one.action, took, output));
            let made = self.done.last().map_or(&[][..], |done| &done.variables);
            self.record.action(&Ended {
                stage: &stage.name,
                action: &one.action.name,
                provider: &one.action.provider,
                runs: &one.runner.shown(&one.action.provider),
                is_skipped: matches!(one.runner, Runner::Skipped),
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
        let ended = self.attempt(stage, planned, attempt).await;
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

    fn input(
        &self,
        stage: &'a Stage,
        action: &'a Action,
        attempt: u32,
    ) -> Result<ActionInput<'a>, Failure> {
        let options = self.definition.options.action(&stage.name, &action.name);
        let environment = environment(&options.environment, &self.variables);
        let environment = environment.map_err(|why| {
            let name = format!("{}/{}", stage.name, action.name);
            Failure::failed(format!("cannot resolve EnvironmentVariables of {name}")).cause(why)
        })?;
        let limits = match options.timeout_minutes {
            Some(minutes) => self.limits().within(Duration::from_secs(minutes * 60)),
            None => self.limits(),
        };
        Ok(ActionInput {
            stage: &stage.name,
            action,
            configuration: self.configuration(stage, action)?,
            environment,
            options,
            artifacts: self.store.inputs(action),
            folder: folder(&self.work, &stage.name, &action.name, attempt),
            limits,
            definition: self.definition,
            settings: self.settings,
            context: self.context,
        })
    }

    /// Takes over what an action has made.
    fn take(
        &mut self,
        stage: &Stage,
        action: &Action,
        took: Duration,
        output: ActionOutput,
    ) -> Result<(), Failure> {
        let ActionOutput {
            variables,
            artifacts,
        } = output;
        self.check_size(&format!("{}/{}", stage.name, action.name), &variables)?;
        for artifact in artifacts {
            self.store.put(artifact)?;
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

    /// Resolves every value of an action's configuration.
    fn configuration(
        &self,
        stage: &Stage,
        action: &Action,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let name = format!("{}/{}", stage.name, action.name);
        let mut configuration = BTreeMap::new();
        for (field, value) in &action.configuration {
            let resolved = variables::resolve_field(field, &value.text, &self.variables);
            let resolved = resolved.map_err(|error| {
                let failure = Failure::failed(format!(
                    "an action in this pipeline failed because one or more variables could not be resolved: {name}"
                ))
                .cause(format!("{}:{}: {field}: {error}", self.definition.pipeline.file, value.place.line));
                let settings = self.settings;
                if settings.selection.is_part() || !settings.local.skipped.is_empty() {
                    failure.hint("give the variables of actions that do not run with --variable NAMESPACE.KEY=VALUE")
                } else {
                    failure
                }
            })?;
            configuration.insert(field.clone(), resolved);
        }
        Ok(configuration)
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

    fn summary(&self) {
        let name = |one: &Done| format!("{}/{}", one.stage, one.action);
        let width = self
            .done
            .iter()
            .map(|one| name(one).len())
            .max()
            .unwrap_or(0);
        for one in &self.done {
            let shown: Vec<String> = one
                .variables
                .iter()
                .map(|(key, value)| format!("{key}={}", shorten(value)))
                .collect();
            tracing::info!(
                "{:width$}  {:>8}  {}",
                name(one),
                format!("{:.1}s", one.took.as_secs_f64()),
                shown.join(" ")
            );
        }
    }

    /// What goes to stdout: the variables of every action that ran, by namespace; an action
    /// without one stands under `Stage/Action`, which no namespace can be.
    pub(crate) fn report(&self) -> Value {
        let map = |pairs: &[(String, String)]| -> Value {
            pairs
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value.clone())))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let mut all = serde_json::Map::new();
        let id = (EXECUTION_KEY.to_owned(), self.id.clone());
        all.insert(EXECUTION_NAMESPACE.to_owned(), map(&[id]));
        for one in &self.done {
            let name = match &one.namespace {
                Some(namespace) => namespace.clone(),
                None => format!("{}/{}", one.stage, one.action),
            };
            all.insert(name, map(&one.variables));
        }
        all.into()
    }
}

fn shorten(value: &str) -> String {
    let line: String = value
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match line.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// A stage's failure with what CodePipeline would do about it and is not done here.
fn ended(consequence: Consequence, failure: Failure) -> Failure {
    match consequence {
        Consequence::Rollback => failure.hint(
            "CodePipeline would roll the stage back to its last successful execution; here nothing is rolled back",
        ),
        _ => failure,
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
