//! One execution: stage after stage, group after group. The actions of a group run side by side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use contract::pipeline::{Action, Stage};
use contract::pipeline_checks::{EXECUTION_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE};
use contract::variables::{self, Variables};
use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::definition::Definition;
use crate::ids::random_id;
use crate::run_plan::{PlannedAction, PlannedStage, RunPlan};
use crate::settings::Checked;
use crate::store::Store;

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
        })
    }

    /// Runs the stages. Actions of one group run side by side; when one fails, the others end first, and
    /// nothing runs after the group.
    pub(crate) async fn run(&mut self, plan: &RunPlan<'a>) -> Result<(), Failure> {
        tracing::info!("pipeline execution {} begins", self.id);
        self.take_artifacts().await?;
        for PlannedStage { stage, groups } in &plan.stages {
            for group in groups {
                if let Err(failure) = self.group(stage, group).await {
                    self.summary();
                    let before = self
                        .done
                        .iter()
                        .map(|one| format!("{}/{}", one.stage, one.action));
                    return Err(before.fold(failure, Failure::changed));
                }
            }
        }
        self.summary();
        Ok(())
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
        group: &[PlannedAction<'a>],
    ) -> Result<(), Failure> {
        let steps = group.iter().map(|one| self.step(stage, one));
        let ended: Vec<_> = join_all(steps).await;
        let mut failed: Option<Failure> = None;
        for (one, ended) in group.iter().zip(ended) {
            let taken = ended.and_then(|(took, output)| self.take(stage, one.action, took, output));
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
    ) -> Result<(Duration, ActionOutput), Failure> {
        let PlannedAction { action, runner } = planned;
        let name = format!("{}/{}", stage.name, action.name);
        if let Some(signal) = self.context.interrupt.pending() {
            return Err(Failure::interrupted(
                signal,
                format!("stopped before {name}"),
            ));
        }
        tracing::info!("---- {name} ({}) ----", runner.shown(&action.provider));
        let began = Instant::now();
        let output = match runner.given(&name) {
            Some(output) => output,
            None => runner.run(&self.input(stage, action)?).await?,
        };
        Ok((began.elapsed(), output))
    }

    fn limits(&self) -> Limits {
        Limits {
            deadline: self.context.deadline,
            interrupt: self.context.interrupt.clone(),
        }
    }

    fn input(&self, stage: &'a Stage, action: &'a Action) -> Result<ActionInput<'a>, Failure> {
        Ok(ActionInput {
            stage: &stage.name,
            action,
            configuration: self.configuration(stage, action)?,
            artifacts: self.store.inputs(action),
            folder: folder(&self.work, &stage.name, &action.name),
            limits: self.limits(),
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

/// The folder of an action, which no other action has: `a-b` in `c` is not `b-c` in `a`.
fn folder(work: &Path, stage: &str, action: &str) -> PathBuf {
    let name = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    work.join("builds")
        .join(format!("stage-{}", name(stage)))
        .join(format!("action-{}", name(action)))
}

#[cfg(test)]
mod tests {
    use super::folder;
    use std::path::Path;

    #[test]
    fn two_actions_never_share_a_folder() {
        let of = |stage, action| folder(Path::new("/w"), stage, action);
        assert_ne!(of("a-b", "c"), of("a", "b-c"));
        assert_ne!(of("a/b", "c"), of("a-b", "c"));
        assert_ne!(of("a/b", "c"), of("a%2Fb", "c"));
        assert!(of("..", "..").starts_with("/w/builds/stage-.."));
    }
}
