//! One execution: stage after stage, group after group, action after action.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use aws::session::Session;
use contract::pipeline::{Action, Stage};
use contract::variables::{self, Variables};
use contract::variables::{EXECUTION_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE};
use serde_json::Value;
use tokio::time::Instant;

use crate::actions::{cloudformation, codebuild, s3_source};
use crate::artifacts::Store;
use crate::definition::{self, Definition};
use crate::settings::Checked;

/// An execution while it runs.
#[derive(Debug)]
pub struct Execution<'a> {
    /// What to run.
    pub definition: &'a Definition,
    /// How.
    pub settings: &'a Checked,
    /// What surrounds the program.
    pub context: &'a Context,
    /// The execution's id.
    pub id: String,
    /// A folder of the execution's own.
    pub work: PathBuf,
    /// The artifacts that were made.
    pub store: Store,
    /// The revision of each source artifact, where it has one.
    pub revisions: BTreeMap<String, String>,
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

/// An action about to run, with its configuration resolved.
#[derive(Debug)]
pub struct Ready<'a> {
    /// The stage's name.
    pub stage: &'a str,
    /// The action.
    pub action: &'a Action,
    /// Its configuration, resolved.
    pub configuration: BTreeMap<String, String>,
}

/// What runs an action.
#[derive(Debug, Clone, Copy)]
enum Runner {
    Source,
    Build,
    Deploy,
}

/// What runs the action; decided for all of them before the first one touches anything.
fn runs_here(stage: &Stage, action: &Action) -> Result<Runner, Failure> {
    let name = format!("{}/{}", stage.name, action.name);
    match (action.category.as_str(), action.provider.as_str()) {
        ("Source", "S3") => Ok(Runner::Source),
        ("Build" | "Test", "CodeBuild") => Ok(Runner::Build),
        ("Deploy", "CloudFormation") => match action.setting("ActionMode") {
            None | Some("CREATE_UPDATE") => Ok(Runner::Deploy),
            Some(mode) => Err(Failure::refused(format!(
                "{name}: ActionMode {mode} does not run here"
            ))
            .hint("CREATE_UPDATE does; choose the stages before it with --stage")),
        },
        ("Approval", _) => Err(Failure::refused(format!(
            "{name} waits for an approval, which nobody can give here"
        ))
        .hint("choose the stages around it with --stage")),
        (category, provider) => Err(Failure::refused(format!(
            "{name}: {provider} actions of the category {category} do not run here"
        ))
        .hint("S3 sources, CodeBuild and CloudFormation do; choose stages with --stage")),
    }
}

impl Ready<'_> {
    /// `Stage/Action`, for messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.stage, self.action.name)
    }

    /// A value of the configuration that must be there.
    ///
    /// # Errors
    /// A refusal that names it.
    pub fn required(&self, key: &str) -> Result<&str, Failure> {
        self.configuration
            .get(key)
            .map(String::as_str)
            .ok_or_else(|| {
                Failure::refused(format!("{} has no {key} in its configuration", self.name()))
            })
    }

    /// A value of the configuration.
    #[must_use]
    pub fn optional(&self, key: &str) -> Option<&str> {
        self.configuration.get(key).map(String::as_str)
    }
}

impl<'a> Execution<'a> {
    /// An execution in a folder, with the variables that are known beforehand.
    ///
    /// # Errors
    /// When its folder or its id cannot be made.
    pub fn new(
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
            revisions: BTreeMap::new(),
            variables,
            done: Vec::new(),
        })
    }

    /// The stages that run: all, or the first and the chosen ones.
    ///
    /// # Errors
    /// A chosen stage that the pipeline does not have.
    pub fn stages(
        definition: &'a Definition,
        chosen: &[String],
    ) -> Result<Vec<&'a Stage>, Failure> {
        let pipeline = &definition.pipeline;
        for name in chosen {
            if !pipeline.stages.iter().any(|one| &one.name == name) {
                let failure = Failure::refused(format!("{}: no stage {name}", pipeline.file));
                return Err(match definition::nearest_stage(pipeline, name) {
                    Some(hint) => failure.hint(hint),
                    None => failure,
                });
            }
        }
        Ok(pipeline
            .stages
            .iter()
            .enumerate()
            .filter(|(index, stage)| {
                chosen.is_empty() || *index == 0 || chosen.contains(&stage.name)
            })
            .map(|(_, stage)| stage)
            .collect())
    }

    /// Runs the stages; stops at the first action that fails.
    ///
    /// # Errors
    /// An action that does not run here, before any has run; the failure of one that ran, with what was
    /// done before it.
    pub async fn run(&mut self, stages: &[&'a Stage]) -> Result<(), Failure> {
        for stage in stages {
            for action in &stage.actions {
                runs_here(stage, action)?;
            }
        }
        tracing::info!("pipeline execution {} begins", self.id);
        for stage in stages {
            for group in stage.groups() {
                // Actions of one group may run side by side in CodePipeline; one after
                // another is one of the orders that it allows, and is easier to read.
                for action in group {
                    if let Err(failure) = self.step(stage, action).await {
                        self.summary();
                        let before = self
                            .done
                            .iter()
                            .map(|one| format!("{}/{}", one.stage, one.action));
                        return Err(before.fold(failure, Failure::changed));
                    }
                }
            }
        }
        self.summary();
        Ok(())
    }

    async fn step(&mut self, stage: &'a Stage, action: &'a Action) -> Result<(), Failure> {
        let name = format!("{}/{}", stage.name, action.name);
        if let Some(signal) = self.context.interrupt.pending() {
            return Err(Failure::interrupted(
                signal,
                format!("stopped before {name}"),
            ));
        }
        tracing::info!("---- {name} ({}) ----", action.provider);
        let began = Instant::now();
        let ready = self.resolve(stage, action)?;
        let variables = match runs_here(stage, action)? {
            Runner::Source => s3_source::run(self, &ready).await?,
            Runner::Build => codebuild::run(self, &ready).await?,
            Runner::Deploy => cloudformation::run(self, &ready).await?,
        };
        self.check_size(&name, &variables)?;
        let namespace = action.namespace.as_ref().map(|one| one.text.clone());
        if let Some(namespace) = &namespace {
            self.variables
                .insert(namespace.clone(), variables.iter().cloned().collect());
        }
        self.done.push(Done {
            stage: stage.name.clone(),
            action: action.name.clone(),
            namespace,
            took: began.elapsed(),
            variables,
        });
        Ok(())
    }

    /// Resolves every value of an action's configuration.
    fn resolve(&self, stage: &'a Stage, action: &'a Action) -> Result<Ready<'a>, Failure> {
        let name = format!("{}/{}", stage.name, action.name);
        let mut configuration = BTreeMap::new();
        for (field, value) in &action.configuration {
            let resolved = variables::resolve_field(field, &value.text, &self.variables);
            let resolved = resolved.map_err(|error| {
                let failure = Failure::failed(format!(
                    "an action in this pipeline failed because one or more variables could not be resolved: {name}"
                ))
                .cause(format!("{}:{}: {field}: {error}", self.definition.pipeline.file, value.place.line));
                if self.settings.stages.is_empty() {
                    failure
                } else {
                    failure.hint("give the variables of stages that do not run with --variable NAMESPACE.KEY=VALUE")
                }
            })?;
            configuration.insert(field.clone(), resolved);
        }
        Ok(Ready {
            stage: &stage.name,
            action,
            configuration,
        })
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

    /// Clients for an action, in its own region when it has one.
    ///
    /// # Errors
    /// No region, no credentials.
    pub async fn session(&self, action: &Action) -> Result<Session, Failure> {
        Session::open_in(self.context, action.region.as_deref()).await
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
    #[must_use]
    pub fn report(&self) -> Value {
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

/// A random id in the form of CodePipeline's.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_id() -> std::io::Result<String> {
    use std::io::Read as _;
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-"))
}
