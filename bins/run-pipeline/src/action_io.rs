//! What an action is given and what it gives back. Only the execution knows where artifacts are kept.

use std::collections::BTreeMap;
use std::path::PathBuf;

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use aws::session::Session;
use contract::pipeline::Action;

use crate::artifact::Artifact;
use crate::aws_access;
use crate::build_env::Value;
use crate::definition::Definition;
use crate::pipeline_options::ActionOptions;
use crate::settings::Checked;

/// An action about to run, with everything that it may look at.
#[derive(Debug)]
pub(crate) struct ActionInput<'a> {
    /// The execution's id.
    pub(crate) execution: String,
    /// The stage's name.
    pub(crate) stage: &'a str,
    pub(crate) action: &'a Action,
    /// The action's configuration, resolved.
    pub(crate) configuration: BTreeMap<String, String>,
    /// The action's own `EnvironmentVariables`, resolved.
    pub(crate) environment: Vec<(String, Value)>,
    pub(crate) options: ActionOptions,
    /// The input artifacts that were made, in the order of the action.
    pub(crate) artifacts: Vec<Artifact>,
    /// A folder that no other action has. It need not exist yet.
    pub(crate) folder: PathBuf,
    pub(crate) limits: Limits,
    pub(crate) definition: &'a Definition,
    pub(crate) settings: &'a Checked,
    pub(crate) context: &'a Context,
}

/// What an action has made.
#[derive(Debug, Default)]
pub(crate) struct ActionOutput {
    /// The output variables, in their order.
    pub(crate) variables: Vec<(String, String)>,
    /// The output artifacts. Their files may be in the action's folder.
    pub(crate) artifacts: Vec<Artifact>,
}

impl ActionInput<'_> {
    /// `Stage/Action`, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.stage, self.action.name)
    }

    /// A value of the configuration that must be there.
    pub(crate) fn required(&self, key: &str) -> Result<&str, Failure> {
        self.optional(key).ok_or_else(|| {
            Failure::refused(format!("{} has no {key} in its configuration", self.name()))
        })
    }

    /// A value of the configuration.
    pub(crate) fn optional(&self, key: &str) -> Option<&str> {
        self.configuration.get(key).map(String::as_str)
    }

    /// An input artifact; `by` says what asks for it.
    pub(crate) fn artifact(&self, by: &str, name: &str) -> Result<&Artifact, Failure> {
        if !self.action.inputs.iter().any(|one| one.text == name) {
            return Err(Failure::refused(format!(
                "{}: {by} names {name}, which is not one of its input artifacts",
                self.name()
            )));
        }
        let made = self.artifacts.iter().find(|one| one.name == name);
        made.ok_or_else(|| {
            Failure::refused(format!(
                "{}: no action of this run has made the artifact {name}",
                self.name()
            ))
            .hint(format!(
                "run the stage that makes it too, or give it with --artifact {name}=PATH"
            ))
        })
    }

    /// Reads `Artifact::path`, the value of a key, out of an input artifact.
    pub(crate) fn read_path(&self, key: &str, value: &str) -> Result<Vec<u8>, Failure> {
        let Some((artifact, file)) = value.split_once("::") else {
            return Err(Failure::refused(format!(
                "{}: {key} {value:?} is not Artifact::path",
                self.name()
            )));
        };
        self.artifact(key, artifact)?.read(file)
    }

    /// The action's region; empty when none is configured.
    pub(crate) fn region(&self) -> String {
        let around = || aws_access::region(self.context);
        self.action
            .region
            .clone()
            .or_else(around)
            .unwrap_or_default()
    }

    /// Clients for a service, in the action's own region when it has one.
    pub(crate) async fn session(&self, service: &str) -> Result<Session, Failure> {
        let region = self.action.region.as_deref();
        let session =
            aws_access::session(self.context, self.settings.allow_aws, service, region).await;
        session.map_err(|failure| failure.detail(format!("asked for by {}", self.name())))
    }
}

impl ActionOutput {
    /// Variables alone.
    pub(crate) fn of(variables: Vec<(String, String)>) -> Self {
        Self {
            variables,
            artifacts: Vec::new(),
        }
    }
}
