//! The CodeBuild action: a build of a project over the action's input artifacts.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use action::failure::Failure;
use contract::buildspec::Buildspec;
use contract::finding::did_you_mean;
use serde_json::Value;

use crate::build::{self, Build, Outcome, Surroundings};
use crate::build_env::{self, About};
use crate::definition::{Project, Spec};
use crate::execution::{Execution, Ready};

/// Unpacks the inputs, runs the build, packs the outputs; the exported variables are its own.
///
/// # Errors
/// A project that the template does not hold, a buildspec that cannot run, a failed build, an
/// artifact that cannot be made.
pub async fn run(
    execution: &mut Execution<'_>,
    ready: &Ready<'_>,
) -> Result<Vec<(String, String)>, Failure> {
    let project = project(execution, ready)?;
    if ready.optional("BatchEnabled") == Some("true") {
        return Err(Failure::refused(format!(
            "{}: batch builds do not run here",
            ready.name()
        )));
    }
    let id = crate::execution::random_id()
        .map_err(|error| Failure::failed("cannot begin a build").cause(error))?;
    let folder = folder(&execution.work, ready.stage, &ready.action.name);
    let sources = sources(execution, ready, &folder)?;
    let spec = spec(project, &sources.primary)?;
    let overrides = overrides(execution, ready, project)?;
    let region = execution
        .context
        .variable("AWS_REGION")
        .or_else(|| execution.context.variable("AWS_DEFAULT_REGION"))
        .unwrap_or_default();
    let about = About {
        project: project.name.clone(),
        id,
        initiator: format!("codepipeline/{}", execution.definition.pipeline.name),
        image: project.image.clone(),
        region: ready.action.region.clone().unwrap_or(region),
        account: execution.settings.account.clone(),
        source_version: sources.revision.clone(),
        start_millis: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis()),
        source: sources.primary.clone(),
        secondary: sources.secondary,
    };
    let outside = build_env::outside(std::env::vars_os(), execution.settings.bin_dir.as_deref());
    let scratch = folder.join("tmp");
    make(&scratch)?;
    let build = Build {
        spec: &spec,
        variables: build_env::variables(&outside, &spec, &project.variables, &overrides, &about),
        source: sources.primary.clone(),
        scratch,
        prefix: ready.action.name.clone(),
        limit: project.limit,
    };
    let around = Surroundings {
        interrupt: execution.context.interrupt.clone(),
        deadline: execution.context.deadline,
    };
    let outcome = build.run(&around).await?;
    report_missing(&spec, &outcome);
    if outcome.artifacts {
        // Attempted after a failed build too, as CodeBuild does; then only a warning.
        match outputs(execution, ready, &spec, &sources.primary) {
            Err(failure) if outcome.failed.is_some() => tracing::warn!("{failure}"),
            done => done?,
        }
    }
    match outcome.failed {
        None => Ok(outcome.exports),
        Some(why) => Err(failed(&ready.name(), &why)),
    }
}

/// The failure of a build.
pub fn failed(name: &str, why: &str) -> Failure {
    Failure::failed(format!("the build {name} failed")).cause(why)
}

/// Says of each listed variable that is not there why.
pub fn report_missing(spec: &Buildspec, outcome: &Outcome) {
    for (name, why) in &outcome.missing {
        let line = spec.env.exported.iter().find(|one| &one.name == name);
        let line = line.map_or(0, |one| one.line);
        tracing::warn!("{}:{line}: {name} is not exported: {why}", spec.file);
    }
}

fn project<'e>(execution: &Execution<'e>, ready: &Ready<'_>) -> Result<&'e Project, Failure> {
    let name = ready.required("ProjectName")?;
    let definition = execution.definition;
    definition.project(name).ok_or_else(|| {
        let failure = Failure::refused(format!(
            "{}: {} has no build project {name}",
            ready.name(),
            definition.pipeline.file
        ));
        let known = definition.projects.iter().map(|one| one.name.as_str());
        failure.hint(did_you_mean(name, known).unwrap_or_else(|| {
            "run the template that holds both the pipeline and its AWS::CodeBuild::Project"
                .to_owned()
        }))
    })
}

/// The unpacked input artifacts.
struct Sources {
    primary: PathBuf,
    secondary: Vec<(String, PathBuf)>,
    revision: Option<String>,
}

fn sources(
    execution: &Execution<'_>,
    ready: &Ready<'_>,
    folder: &Path,
) -> Result<Sources, Failure> {
    let inputs = &ready.action.inputs;
    let named = ready.optional("PrimarySource");
    let primary = match (inputs.as_slice(), named) {
        ([], _) => {
            return Err(Failure::refused(format!(
                "{} has no input artifact",
                ready.name()
            )));
        }
        ([one], _) => &one.text,
        (_, None) => {
            return Err(Failure::refused(format!(
                "{} has {} input artifacts and no PrimarySource",
                ready.name(),
                inputs.len()
            )));
        }
        (several, Some(name)) => match several.iter().find(|one| one.text == name) {
            Some(one) => &one.text,
            None => {
                return Err(Failure::refused(format!(
                    "{}: PrimarySource {name} is not one of its input artifacts",
                    ready.name()
                )));
            }
        },
    };
    let mut secondary = Vec::new();
    make(folder)?;
    for input in inputs {
        let target = if &input.text == primary {
            folder.join("src")
        } else {
            let target = folder.join(format!("src-{}", input.text));
            secondary.push((input.text.clone(), target.clone()));
            target
        };
        execution.store.unpack(&input.text, &target)?;
    }
    Ok(Sources {
        primary: folder.join("src"),
        secondary,
        revision: execution.revisions.get(primary).cloned(),
    })
}

/// The folder of an action, which no other action has: `a-b` in `c` is not `b-c` in `a`.
fn folder(work: &Path, stage: &str, action: &str) -> PathBuf {
    let name = |text: &str| text.replace('%', "%25").replace('/', "%2F");
    work.join("builds")
        .join(format!("stage-{}", name(stage)))
        .join(format!("action-{}", name(action)))
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
fn overrides(
    execution: &Execution<'_>,
    ready: &Ready<'_>,
    project: &Project,
) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    let mut stored = project.stored.clone();
    if let Some(text) = ready.optional("EnvironmentVariables") {
        let wrong = |why: String| {
            Failure::refused(format!(
                "{}: EnvironmentVariables cannot be used",
                ready.name()
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
    all.extend(execution.settings.build_env.iter().cloned());
    for (name, kind) in stored {
        if !all.iter().any(|(given, _)| *given == name) {
            return Err(Failure::refused(format!(
                "{}: {name} has the type {kind}, which is not read here",
                ready.name()
            ))
            .hint(format!("give {name} in a file with --build-env-file")));
        }
    }
    Ok(all)
}

/// Packs the output artifacts: a single one is the buildspec's primary artifact, several are its
/// secondary artifacts by name.
fn outputs(
    execution: &Execution<'_>,
    ready: &Ready<'_>,
    spec: &Buildspec,
    source: &Path,
) -> Result<(), Failure> {
    let outputs = &ready.action.outputs;
    if outputs.is_empty() {
        return Ok(());
    }
    let Some(artifacts) = &spec.artifacts else {
        return Err(Failure::failed(format!(
            "{} has output artifacts, but {} has no artifacts section",
            ready.name(),
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
                    ready.name(),
                    spec.file
                )));
            }
        };
        // Secondary artifacts are looked for in the primary source too.
        execution.store.collect(name, chosen, source)?;
        tracing::info!("{}: made the artifact {name}", ready.action.name);
    }
    Ok(())
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| {
        Failure::failed(format!("cannot create {}", folder.display())).cause(error)
    })
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
