//! The Commands action (category Compute): its commands are the build of a buildspec that CodePipeline writes itself.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use contract::buildspec::Artifacts;
use contract::variables::{self, Variables};
use serde_json::json;

use super::codebuild::{Sources, failed, report_missing, sources};
use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::build::{Loaded, Outcome, parse_spec};
use crate::build_env::{About, Value};
use crate::definition::Definition;
use crate::ids::random_id;
use crate::project_build::ProjectBuild;
use crate::projects;
use crate::settings::Checked;

/// Runs the commands over the input artifacts; `OutputVariables` are the action's variables.
pub(super) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let Some((commands, _)) = &input.action.commands else {
        return Err(Failure::refused(format!(
            "{} has no Commands",
            input.name()
        )));
    };
    let commands = commands.iter();
    let sources = sources(input, &input.folder)?;
    let primary = sources.primary.clone();
    let job = CommandsJob {
        name: &input.action.name,
        commands: commands
            .map(|one| (one.text.clone(), one.place.line))
            .collect(),
        exported: &input.action.variables,
        environment: &input.environment,
        sources,
        folder: &input.folder,
        region: input.region(),
        definition: input.definition,
        settings: input.settings,
        context: input.context,
        limits: &input.limits,
    };
    let outcome = job.run().await?;
    if let Some(why) = outcome.failed {
        return Err(failed(&input.name(), &why));
    }
    Ok(ActionOutput {
        variables: outcome.exports,
        artifacts: outputs(input, &primary)?,
    })
}

/// Commands that run as one build: of an action, or of a rule.
pub(crate) struct CommandsJob<'a> {
    pub(crate) name: &'a str,
    /// Each with its line in the definition.
    pub(crate) commands: Vec<(String, usize)>,
    pub(crate) exported: &'a [String],
    pub(crate) environment: &'a [(String, Value)],
    pub(crate) sources: Sources,
    pub(crate) folder: &'a Path,
    pub(crate) region: String,
    pub(crate) definition: &'a Definition,
    pub(crate) settings: &'a Checked,
    pub(crate) context: &'a Context,
    pub(crate) limits: &'a Limits,
}

impl CommandsJob<'_> {
    pub(crate) async fn run(self) -> Result<Outcome, Failure> {
        let pipeline = &self.definition.pipeline;
        let loaded = buildspec(&pipeline.file, &self.commands, self.exported)?;
        let scratch = self.folder.join("tmp");
        let cannot = |error: std::io::Error| {
            Failure::failed(format!("cannot begin {}", self.name)).cause(error)
        };
        std::fs::create_dir_all(&scratch).map_err(cannot)?;
        let project = projects::unknown(self.name);
        let build = ProjectBuild {
            loaded: &loaded,
            project: &project,
            action: self.environment,
            batch: &[],
            about: About {
                project: project.name.clone(),
                id: random_id().map_err(cannot)?,
                initiator: format!("codepipeline/{}", pipeline.name),
                image: String::new(),
                region: self.region,
                account: self.settings.account.clone(),
                source_version: self.sources.revision,
                start_millis: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| since.as_millis()),
                source: self.sources.primary,
                secondary: self.sources.secondary,
                batch: None,
            },
            scratch,
            prefix: self.name.to_owned(),
            settings: self.settings,
            context: self.context,
            limits: self.limits,
        };
        let outcome = build.run().await?;
        report_missing(&loaded.spec, &outcome);
        Ok(outcome)
    }
}

/// The buildspec that commands stand for, with the lines of the definition.
fn buildspec(
    file: &str,
    commands: &[(String, usize)],
    exported: &[String],
) -> Result<Loaded, Failure> {
    let texts: Vec<&str> = commands.iter().map(|(text, _)| text.as_str()).collect();
    let spec = json!({
        "version": "0.2",
        "env": {"exported-variables": exported},
        "phases": {"build": {"commands": texts}},
    });
    let mut loaded = parse_spec(spec.to_string().as_bytes(), file)?;
    for phase in &mut loaded.spec.phases {
        for (item, (_, line)) in phase.commands.iter_mut().zip(commands) {
            item.line = *line;
        }
    }
    Ok(loaded)
}

/// The output artifacts: the files that each names, or all when it names none.
fn outputs(input: &ActionInput<'_>, source: &Path) -> Result<Vec<Artifact>, Failure> {
    let named = &input.options.output_files;
    let one = |name: &str| {
        let files = named.iter().find(|(output, _)| output == name);
        let files = files.map(|(_, files)| files.clone()).unwrap_or_default();
        let spec = Artifacts {
            files: if files.is_empty() {
                vec!["**/*".to_owned()]
            } else {
                files
            },
            ..Artifacts::default()
        };
        Artifact::collect(name, &spec, source, &input.folder)
    };
    let outputs = input.action.outputs.iter();
    outputs.map(|output| one(&output.text)).collect()
}

/// The action's own variables, resolved.
pub(crate) fn environment(
    declared: &[(String, Value)],
    known: &Variables,
) -> Result<Vec<(String, Value)>, String> {
    let resolve = |text: &str| variables::resolve(text, known).map_err(|error| error.to_string());
    declared
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Plain(text) => Value::Plain(resolve(text)?),
                Value::Parameter(text) => Value::Parameter(resolve(text)?),
                Value::Secret(text) => Value::Secret(resolve(text)?),
            };
            Ok((name.clone(), value))
        })
        .collect()
}
