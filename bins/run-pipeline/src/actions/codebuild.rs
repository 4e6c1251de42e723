//! The CodeBuild action: a build of a project over the action's input artifacts.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use action::failure::Failure;
use contract::buildspec::Buildspec;
use contract::finding::did_you_mean;
use serde_json::Value as Json;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::batch::{Batch, BatchBuild};
use crate::build::{self, Loaded, Outcome};
use crate::build_env::{About, Value};
use crate::definition::Project;
use crate::ids::random_id;
use crate::project_build::ProjectBuild;
use crate::projects::{self, DEFAULT_BUILDSPEC};

/// Unpacks the inputs, runs the build, packs the outputs; the exported variables are its own.
pub(super) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let project = project(input)?;
    let action = environment(input)?;
    let sources = sources(input, &input.folder)?;
    let loaded = build::load(&project, &sources.primary)?;
    let is_batch = input.optional("BatchEnabled") == Some("true");
    let job = Job {
        input,
        project: &project,
        action: &action,
    };
    match &loaded.options.batch {
        Some(batch) if is_batch => return job.batch(batch).await,
        None if is_batch => {
            return Err(Failure::refused(format!(
                "{}: BatchEnabled is true, and {} has no batch",
                input.name(),
                loaded.spec.file
            )));
        }
        Some(_) => tracing::warn!(
            "{}: batch of {} is not used without BatchEnabled: this runs as one build",
            input.name(),
            loaded.spec.file
        ),
        None => {}
    }
    let (outcome, artifacts) = job.build(&loaded, sources, &input.folder, None).await?;
    match outcome.failed {
        None => Ok(ActionOutput {
            variables: outcome.exports,
            artifacts,
        }),
        Some(why) => Err(failed(&input.name(), &why)),
    }
}

/// What every build of the action has in common.
struct Job<'a, 'i> {
    input: &'a ActionInput<'i>,
    project: &'a Project,
    action: &'a [(String, Value)],
}

impl Job<'_, '_> {
    /// Runs one build and packs its artifacts.
    async fn build(
        &self,
        loaded: &Loaded,
        sources: Sources,
        folder: &Path,
        batch: Option<&BatchBuild>,
    ) -> Result<(Outcome, Vec<Artifact>), Failure> {
        let input = self.input;
        let id =
            random_id().map_err(|error| Failure::failed("cannot begin a build").cause(error))?;
        let prefix = match batch {
            Some(one) => format!("{}/{}", input.action.name, one.identifier),
            None => input.action.name.clone(),
        };
        let scratch = folder.join("tmp");
        make(&scratch)?;
        let build = ProjectBuild {
            loaded,
            project: self.project,
            action: self.action,
            batch: batch.map_or(&[], |one| &one.variables),
            about: About {
                project: self.project.name.clone(),
                id,
                initiator: format!("codepipeline/{}", input.definition.pipeline.name),
                image: self.project.image.clone(),
                region: input.region(),
                account: input.settings.account.clone(),
                source_version: sources.revision,
                start_millis: SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .map_or(0, |since| since.as_millis()),
                source: sources.primary.clone(),
                secondary: sources.secondary,
                batch: batch.map(|one| one.identifier.clone()),
            },
            scratch,
            prefix,
            settings: input.settings,
            context: input.context,
            limits: &input.limits,
        };
        let outcome = build.run().await?;
        report_missing(&loaded.spec, &outcome);
        let mut artifacts = Vec::new();
        if outcome.artifacts {
            // Attempted after a failed build too, as CodeBuild does; then only a warning.
            let is_part = batch.is_some();
            match outputs(input, &loaded.spec, &sources.primary, folder, is_part) {
                Err(failure) if outcome.failed.is_some() => tracing::warn!("{failure}"),
                made => artifacts = made?,
            }
        }
        Ok((outcome, artifacts))
    }

    /// Runs the builds of a batch one after another, each over sources of its own.
    async fn batch(&self, batch: &Batch) -> Result<ActionOutput, Failure> {
        let input = self.input;
        let mut bad: Vec<&str> = Vec::new();
        let mut failures = Vec::new();
        let mut made: Vec<Artifact> = Vec::new();
        for one in &batch.builds {
            let name = &one.identifier;
            if let Some(before) = one.depends_on.iter().find(|id| bad.contains(&id.as_str())) {
                tracing::warn!("{}/{name} does not run: {before} failed", input.action.name);
                bad.push(name);
                continue;
            }
            let folder = input.folder.join(format!("batch-{name}"));
            let sources = sources(input, &folder)?;
            let loaded = match &one.buildspec {
                Some(path) => build::read_spec(&sources.primary.join(path), path)?,
                None => build::load(self.project, &sources.primary)?,
            };
            let (outcome, artifacts) = self.build(&loaded, sources, &folder, Some(one)).await?;
            made.extend(artifacts);
            if let Some(why) = outcome.failed {
                if one.ignore_failure {
                    tracing::warn!(
                        "{}/{name} failed, which the batch ignores",
                        input.action.name
                    );
                    continue;
                }
                bad.push(name);
                failures.push(format!("{name}: {why}"));
                if batch.fast_fail {
                    break;
                }
            }
        }
        if !failures.is_empty() {
            let failure = Failure::failed(format!("the batch {} failed", input.name()));
            return Err(failures.into_iter().fold(failure, Failure::cause));
        }
        Ok(ActionOutput {
            // What CodePipeline reads of a batch's exports is not documented.
            variables: Vec::new(),
            artifacts: batch_artifacts(input, &made)?,
        })
    }
}

/// The output artifacts of a batch: of all builds together where `CombineArtifacts` says so, else of the first build
/// that has them. The latter is not proven.
fn batch_artifacts(input: &ActionInput<'_>, made: &[Artifact]) -> Result<Vec<Artifact>, Failure> {
    let combine = input.optional("CombineArtifacts") == Some("true");
    let mut all = Vec::new();
    for output in &input.action.outputs {
        let name = &output.text;
        let parts: Vec<Artifact> = made
            .iter()
            .filter(|one| &one.name == name)
            .cloned()
            .collect();
        match parts.as_slice() {
            [] => {
                return Err(Failure::failed(format!(
                    "{}: no build of the batch has made the artifact {name}",
                    input.name()
                )));
            }
            [one] => all.push(one.clone()),
            [first, ..] if !combine => all.push(first.clone()),
            several => all.push(Artifact::combined(name, several, &input.folder)?),
        }
    }
    Ok(all)
}

/// The failure of a build.
pub(crate) fn failed(name: &str, why: &str) -> Failure {
    Failure::failed(format!("the build {name} failed")).cause(why)
}

/// Says of each listed variable that is not there why.
pub(crate) fn report_missing(spec: &Buildspec, outcome: &Outcome) {
    for (name, why) in &outcome.missing {
        let line = spec.env.exported.iter().find(|one| &one.name == name);
        let line = line.map_or(0, |one| one.line);
        tracing::warn!("{}:{line}: {name} is not exported: {why}", spec.file);
    }
}

/// The action's project. One that is not known here is what a new project is: `buildspec.yml` of the source and no
/// variables of its own. A name that is nearly one of those that are known is refused.
fn project<'e>(input: &ActionInput<'e>) -> Result<Cow<'e, Project>, Failure> {
    let name = input.required("ProjectName")?;
    let definition = input.definition;
    let file = &definition.pipeline.file;
    if let Some(project) = definition.project(name) {
        return Ok(Cow::Borrowed(project));
    }
    let known = definition.projects.iter().map(|one| one.name.as_str());
    if let Some(near) = did_you_mean(name, known) {
        let deed = format!("{}: {file} has no build project {name}", input.name());
        return Err(Failure::refused(deed).hint(near));
    }
    tracing::warn!(
        "the project {name} is not in {file}: its build runs {DEFAULT_BUILDSPEC} of the source, without the \
         project's variables; --project-file gives it (aws codebuild batch-get-projects --names {name})"
    );
    Ok(Cow::Owned(projects::unknown(name)))
}

/// The unpacked input artifacts of a build.
pub(crate) struct Sources {
    pub(super) primary: PathBuf,
    pub(super) secondary: Vec<(String, PathBuf)>,
    pub(super) revision: Option<String>,
}

impl Sources {
    /// Unpacks artifacts below a folder; without a primary one its source is empty.
    pub(crate) fn unpack(
        primary: Option<&Artifact>,
        others: &[Artifact],
        folder: &Path,
    ) -> Result<Self, Failure> {
        make(folder)?;
        let source = folder.join("src");
        match primary {
            Some(artifact) => artifact.unpack(&source)?,
            None => make(&source)?,
        }
        let mut secondary = Vec::new();
        for artifact in others {
            let target = folder.join(format!("src-{}", artifact.name));
            artifact.unpack(&target)?;
            secondary.push((artifact.name.clone(), target));
        }
        Ok(Self {
            primary: source,
            secondary,
            revision: primary.and_then(|one| one.revision.clone()),
        })
    }
}

pub(super) fn sources(input: &ActionInput<'_>, folder: &Path) -> Result<Sources, Failure> {
    let inputs = &input.action.inputs;
    let named = input.optional("PrimarySource");
    let primary = match (inputs.as_slice(), named) {
        ([], _) => {
            return Err(Failure::refused(format!(
                "{} has no input artifact",
                input.name()
            )));
        }
        ([one], _) => &one.text,
        // The first is the primary one of a Commands action.
        ([first, ..], None) if input.action.provider == "Commands" => &first.text,
        (_, None) => {
            return Err(Failure::refused(format!(
                "{} has {} input artifacts and no PrimarySource",
                input.name(),
                inputs.len()
            )));
        }
        (_, Some(name)) => name,
    };
    let primary = input.artifact("PrimarySource", primary)?;
    let mut others = Vec::new();
    for name in inputs {
        let artifact = input.artifact("InputArtifacts", &name.text)?;
        if artifact != primary {
            others.push(artifact.clone());
        }
    }
    Sources::unpack(Some(primary), &others, folder)
}

/// The action's `EnvironmentVariables`.
pub(crate) fn environment(input: &ActionInput<'_>) -> Result<Vec<(String, Value)>, Failure> {
    let Some(text) = input.optional("EnvironmentVariables") else {
        return Ok(Vec::new());
    };
    read_environment(text).map_err(|why| {
        Failure::refused(format!(
            "{}: EnvironmentVariables cannot be used",
            input.name()
        ))
        .cause(why)
        .hint("write [{\"name\":\"A\",\"value\":\"b\"}]")
    })
}

/// Reads the JSON of `EnvironmentVariables`.
pub(crate) fn read_environment(text: &str) -> Result<Vec<(String, Value)>, String> {
    let list: Vec<Json> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for one in list {
        let get = |key: &str| one.get(key).and_then(Json::as_str);
        let (Some(name), Some(value)) = (get("name"), get("value")) else {
            return Err(format!("{one} needs name and value"));
        };
        let make = match get("type") {
            Some("PARAMETER_STORE") => Value::Parameter,
            Some("SECRETS_MANAGER") => Value::Secret,
            _ => Value::Plain,
        };
        all.push((name.to_owned(), make(value.to_owned())));
    }
    Ok(all)
}

/// Packs the output artifacts: a single one is the buildspec's primary artifact, several are its
/// secondary artifacts by name.
fn outputs(
    input: &ActionInput<'_>,
    spec: &Buildspec,
    source: &Path,
    folder: &Path,
    is_part: bool,
) -> Result<Vec<Artifact>, Failure> {
    let outputs = &input.action.outputs;
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    let Some(artifacts) = &spec.artifacts else {
        // Another build of the batch may have them.
        if is_part {
            return Ok(made);
        }
        return Err(Failure::failed(format!(
            "{} has output artifacts, but {} has no artifacts section",
            input.name(),
            spec.file
        )));
    };
    for output in outputs {
        let name = &output.text;
        let secondary = artifacts.secondary.iter().find(|(id, _)| id == name);
        let chosen = match secondary {
            Some((_, chosen)) => chosen,
            None if outputs.len() == 1 => artifacts,
            None if is_part => continue,
            None => {
                return Err(Failure::failed(format!(
                    "{}: {} has no secondary artifact {name}",
                    input.name(),
                    spec.file
                )));
            }
        };
        // Secondary artifacts are looked for in the primary source too.
        made.push(Artifact::collect(name, chosen, source, folder)?);
        tracing::info!("{}: made the artifact {name}", input.action.name);
    }
    Ok(made)
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::failed(format!("cannot create {}", folder.display())).cause(error)
    })
}
