//! The CodeBuild action: a build of a project over the action's input artifacts.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use action::failure::Failure;
use contract::buildspec::Buildspec;
use contract::finding::did_you_mean;
use serde_json::Value;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::build::{self, Build, Outcome};
use crate::build_env::{self, About};
use crate::definition::{Project, Spec};
use crate::ids::random_id;
use crate::projects::{self, DEFAULT_BUILDSPEC};

/// Unpacks the inputs, runs the build, packs the outputs; the exported variables are its own.
pub(crate) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let project = project(input)?;
    if input.optional("BatchEnabled") == Some("true") {
        return Err(Failure::refused(format!(
            "{}: batch builds do not run here",
            input.name()
        )));
    }
    let id = random_id().map_err(|error| Failure::failed("cannot begin a build").cause(error))?;
    let sources = sources(input)?;
    let spec = spec(&project, &sources.primary)?;
    let overrides = overrides(input, &project)?;
    let about = About {
        project: project.name.clone(),
        id,
        initiator: format!("codepipeline/{}", input.definition.pipeline.name),
        image: project.image.clone(),
        region: input.region(),
        account: input.settings.account.clone(),
        source_version: sources.revision.clone(),
        start_millis: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis()),
        source: sources.primary.clone(),
        secondary: sources.secondary,
    };
    let outside = build_env::outside(std::env::vars_os(), input.settings.bin_dir.as_deref());
    let scratch = input.folder.join("tmp");
    make(&scratch)?;
    let build = Build {
        spec: &spec,
        variables: build_env::variables(&outside, &spec, &project.variables, &overrides, &about),
        source: sources.primary.clone(),
        scratch,
        prefix: input.action.name.clone(),
        limit: project.limit,
    };
    let outcome = build.run(&input.limits).await?;
    report_missing(&spec, &outcome);
    let mut artifacts = Vec::new();
    if outcome.artifacts {
        // Attempted after a failed build too, as CodeBuild does; then only a warning.
        match outputs(input, &spec, &sources.primary) {
            Err(failure) if outcome.failed.is_some() => tracing::warn!("{failure}"),
            made => artifacts = made?,
        }
    }
    match outcome.failed {
        None => Ok(ActionOutput {
            variables: outcome.exports,
            artifacts,
        }),
        Some(why) => Err(failed(&input.name(), &why)),
    }
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
         project's variables; --projects gives it (aws codebuild batch-get-projects --names {name})"
    );
    Ok(Cow::Owned(projects::unknown(name)))
}

/// The unpacked input artifacts.
struct Sources {
    primary: PathBuf,
    secondary: Vec<(String, PathBuf)>,
    revision: Option<String>,
}

fn sources(input: &ActionInput<'_>) -> Result<Sources, Failure> {
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
    let mut secondary = Vec::new();
    make(&input.folder)?;
    for name in inputs {
        let artifact = input.artifact("InputArtifacts", &name.text)?;
        let target = if artifact == primary {
            input.folder.join("src")
        } else {
            let target = input.folder.join(format!("src-{}", artifact.name));
            secondary.push((artifact.name.clone(), target.clone()));
            target
        };
        artifact.unpack(&target)?;
    }
    Ok(Sources {
        primary: input.folder.join("src"),
        secondary,
        revision: primary.revision.clone(),
    })
}

fn spec(project: &Project, source: &Path) -> Result<Buildspec, Failure> {
    match &project.buildspec {
        Spec::File(path) => build::read_spec(&source.join(path), path),
        Spec::Inline(text) => {
            let shown = format!("{} (inline)", project.id);
            build::parse_spec(text.as_bytes(), &shown)
        }
        Spec::Object(arn) => Err(Failure::refused(format!(
            "{}: the buildspec {arn} is in a bucket, which is not read here",
            project.id
        ))
        .hint("name a file of the source")),
    }
}

/// StartBuild's overrides: the action's `EnvironmentVariables`, then the runner's env files.
fn overrides(input: &ActionInput<'_>, project: &Project) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    let parameters = project.parameter_store.iter();
    let parameters = parameters.map(|(name, _)| (name.clone(), "PARAMETER_STORE".to_owned()));
    let secrets = project.secrets_manager.iter();
    let secrets = secrets.map(|(name, _)| (name.clone(), "SECRETS_MANAGER".to_owned()));
    let mut stored: Vec<(String, String)> = parameters.chain(secrets).collect();
    if let Some(text) = input.optional("EnvironmentVariables") {
        let wrong = |why: String| {
            Failure::refused(format!(
                "{}: EnvironmentVariables cannot be used",
                input.name()
            ))
            .cause(why)
            .hint("write [{\"name\":\"A\",\"value\":\"b\"}]")
        };
        let list: Vec<Value> =
            serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        for one in list {
            let get = |key: &str| one.get(key).and_then(Value::as_str);
            let (Some(name), Some(value)) = (get("name"), get("value")) else {
                return Err(wrong(format!("{one} needs name and value")));
            };
            match get("type").unwrap_or("PLAINTEXT") {
                "PLAINTEXT" => all.push((name.to_owned(), value.to_owned())),
                kind => stored.push((name.to_owned(), kind.to_owned())),
            }
        }
    }
    all.extend(input.settings.build_env.iter().cloned());
    for (name, kind) in stored {
        if !all.iter().any(|(given, _)| *given == name) {
            return Err(Failure::refused(format!(
                "{}: {name} has the type {kind}, which is not read here",
                input.name()
            ))
            .hint(format!("give {name} in a file with --build-env-file")));
        }
    }
    Ok(all)
}

/// Packs the output artifacts: a single one is the buildspec's primary artifact, several are its
/// secondary artifacts by name.
fn outputs(
    input: &ActionInput<'_>,
    spec: &Buildspec,
    source: &Path,
) -> Result<Vec<Artifact>, Failure> {
    let outputs = &input.action.outputs;
    if outputs.is_empty() {
        return Ok(Vec::new());
    }
    let mut made = Vec::new();
    let Some(artifacts) = &spec.artifacts else {
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
            None => {
                return Err(Failure::failed(format!(
                    "{}: {} has no secondary artifact {name}",
                    input.name(),
                    spec.file
                )));
            }
        };
        // Secondary artifacts are looked for in the primary source too.
        made.push(Artifact::collect(name, chosen, source, &input.folder)?);
        tracing::info!("{}: made the artifact {name}", input.action.name);
    }
    Ok(made)
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::failed(format!("cannot create {}", folder.display())).cause(error)
    })
}
