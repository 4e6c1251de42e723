//! `replay`: one action of a real execution, here. Its definition is that of the execution's version of the pipeline, its
//! configuration has the variables of the execution, its artifacts are fetched from where CodePipeline keeps them, and a
//! build has the project and the variables of that build.

mod declaration;

use std::collections::BTreeMap;
use std::path::Path;

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use aws::error::AwsError;
use aws_sdk_codepipeline::types::PipelineDeclaration;
use contract::evaluate::World;
use contract::finding::did_you_mean;
use contract::project::Project;
use contract::variables::PIPELINE_NAMESPACE;
use serde_json::json;
use tempfile::TempDir;

use crate::account::{Account, ActionSeen, Place};
use crate::artifact::Artifact;
use crate::aws_access;
use crate::definition::{self, Definition};
use crate::history::{Kept, Past};
use crate::projects;
use crate::rerun::Rerun;
use crate::settings::{Again, Checked};

/// An action that can run here.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) definition: Definition,
    pub(crate) settings: Checked,
    pub(crate) rerun: Rerun,
    /// Where its artifacts are until it has run.
    pub(crate) artifacts: TempDir,
}

/// Asks for everything that the action had. Nothing is changed.
pub(crate) async fn prepare(settings: &Checked, context: &Context) -> Result<Replay, Failure> {
    let limits = Limits {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    let asking = ask(settings, context);
    limits.in_time("the execution was read", asking).await
}

async fn ask(settings: &Checked, context: &Context) -> Result<Replay, Failure> {
    let account = Account::open(settings, context).await?;
    let id = match &settings.follow.execution {
        Some(id) => id.clone(),
        None => account.newest().await?,
    };
    let what = account.what(&id);
    let actions = latest(account.actions(&id).await?);
    let replayed = find(&actions, settings.follow.action.as_deref(), &what)?;
    let revisions = account.revisions(&id).await?;
    let declared = account.definition(replayed.version).await?;
    let mut definition = read(&declared, replayed, &account.region, settings)?;
    let cannot = |error| Failure::refused("cannot create a folder for artifacts").cause(error);
    let folder = tempfile::Builder::new()
        .prefix("run-pipeline-")
        .tempdir()
        .map_err(cannot)?;

    // What is given here stands for what is stored there.
    let given = |name: &str| settings.local.artifacts.iter().any(|(one, _)| one == name);
    let mut artifacts = Vec::new();
    for (name, place) in replayed.inputs.iter().filter(|(name, _)| !given(name)) {
        let artifact = fetch(
            settings,
            context,
            &account.region,
            name,
            place,
            folder.path(),
        );
        artifacts.push(
            artifact
                .await?
                .of_revision(revisions.artifacts.get(name).cloned()),
        );
    }
    let mut kept: BTreeMap<String, Kept> = actions
        .iter()
        .filter(|one| one.status == "Succeeded" && one.name() != replayed.name())
        .map(|one| {
            let kept = Kept {
                run: id.clone(),
                variables: one.variables.clone().into_iter().collect(),
                artifacts: Vec::new(),
            };
            (one.name(), kept)
        })
        .collect();
    for artifact in artifacts {
        let maker = maker(&definition, &artifact.name);
        match maker.and_then(|maker| kept.get_mut(&maker)) {
            Some(kept) => kept.artifacts.push(artifact),
            None => tracing::warn!("no action in {what} makes the artifact {}", artifact.name),
        }
    }

    let mut settings = settings.clone();
    settings.again = Again::default();
    let of_pipeline = revisions.variables.into_iter();
    let of_pipeline = of_pipeline.map(|(name, value)| (PIPELINE_NAMESPACE.to_owned(), name, value));
    // What is given here stands behind, and so over it.
    settings.variables.splice(0..0, of_pipeline);
    if let Some(build) = &replayed.external
        && replayed.provider == "CodeBuild"
    {
        let found = project(&settings, context, replayed, build).await?;
        settings.projects.extend(found);
    }
    definition.projects.clone_from(&settings.projects);
    let past = Past::of(&id, kept);
    let rerun = Rerun::replay(past, &replayed.stage, &replayed.action);
    Ok(Replay {
        definition,
        settings,
        rerun,
        artifacts: folder,
    })
}

/// `Stage/Action` of what makes an artifact.
fn maker(definition: &Definition, artifact: &str) -> Option<String> {
    let stages = definition.pipeline.stages.iter();
    let mut actions = stages.flat_map(|stage| stage.actions.iter().map(move |one| (stage, one)));
    let (stage, action) =
        actions.find(|(_, one)| one.outputs.iter().any(|output| output.text == artifact))?;
    Some(format!("{}/{}", stage.name, action.name))
}

/// The last try of each action.
fn latest(actions: Vec<ActionSeen>) -> Vec<ActionSeen> {
    let mut all: Vec<ActionSeen> = Vec::new();
    for one in actions {
        all.retain(|known| known.name() != one.name());
        all.push(one);
    }
    all
}

/// The action that is meant, by its name with or without the stage.
fn find<'a>(
    actions: &'a [ActionSeen],
    name: Option<&str>,
    what: &str,
) -> Result<&'a ActionSeen, Failure> {
    let name = name.unwrap_or_default();
    let found: Vec<&ActionSeen> = actions
        .iter()
        .filter(|one| one.action == name || one.name() == name)
        .collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => {
            let failure = Failure::refused(format!("no action {name} has begun in {what}"));
            let near = did_you_mean(name, actions.iter().map(|one| one.action.as_str()));
            Err(match near {
                Some(near) => failure.hint(near),
                None => failure,
            })
        }
        _ => Err(Failure::refused(format!(
            "several actions of {what} are called {name}; write STAGE/{name}"
        ))),
    }
}

/// The definition, in which the action has its resolved configuration.
fn read(
    declared: &PipelineDeclaration,
    replayed: &ActionSeen,
    region: &str,
    settings: &Checked,
) -> Result<Definition, Failure> {
    let json = declaration::json(declared, |stage, action| {
        (stage == replayed.stage && action == replayed.action).then_some(&replayed.configuration)
    });
    let version = replayed.version.unwrap_or_default();
    let shown = format!("{} (version {version})", declared.name());
    let world = World::in_region(region, &settings.account, &settings.stack_name);
    definition::read(Path::new(&shown), json.to_string().as_bytes(), &world, None)
}

/// Fetches an artifact from the artifact store.
async fn fetch(
    settings: &Checked,
    context: &Context,
    region: &str,
    name: &str,
    place: &Place,
    folder: &Path,
) -> Result<Artifact, Failure> {
    let Place { bucket, key } = place;
    let session = aws_access::session(context, settings.allow_aws, "S3", Some(region)).await?;
    let builder = aws_sdk_s3::config::Builder::from(&session.config)
        .force_path_style(session.has_own_endpoint("S3"));
    let client = aws_sdk_s3::Client::from_conf(builder.build());
    let deed = format!("cannot fetch the artifact {name} from s3://{bucket}/{key}");
    let ((), bytes) = aws::body::whole(&deed, async || {
        let call = client.get_object().bucket(bucket).key(key);
        let answer = call.send().await.map_err(|error| {
            AwsError::of(&error)
                .failure(&deed, "s3:GetObject")
                .hint(format!(
                    "an artifact that has expired can be given with --artifact {name}=PATH"
                ))
        })?;
        Ok(((), answer.body))
    })
    .await?;
    tracing::info!("fetched the artifact {name} from s3://{bucket}/{key}");
    Artifact::write(name, folder, &bytes.into_bytes())
}

/// The project of a build as that build had it: its buildspec, image and variables.
async fn project(
    settings: &Checked,
    context: &Context,
    replayed: &ActionSeen,
    id: &str,
) -> Result<Option<Project>, Failure> {
    let region = replayed.region.as_deref();
    let session = aws_access::session(context, settings.allow_aws, "CodeBuild", region).await?;
    let client = aws_sdk_codebuild::Client::new(&session.config);
    let answer = client.batch_get_builds().ids(id).send().await;
    let answer = answer.map_err(|error| {
        let deed = format!("cannot look up the build {id} in {}", session.region);
        AwsError::of(&error).failure(deed, "codebuild:BatchGetBuilds")
    })?;
    let Some(build) = answer.builds().first() else {
        tracing::warn!(
            "CodeBuild no longer knows the build {id}; --project-file gives its project"
        );
        return Ok(None);
    };
    let environment = build.environment();
    let variables = environment.map_or(&[][..], |one| one.environment_variables());
    let variables: Vec<_> = variables
        .iter()
        .map(|one| {
            let kind = one.r#type().map_or("PLAINTEXT", |kind| kind.as_str());
            json!({"name": one.name(), "value": one.value(), "type": kind})
        })
        .collect();
    let json = json!({
        "name": build.project_name(),
        "source": {"buildspec": build.source().and_then(|one| one.buildspec())},
        "environment": {"image": environment.map(|one| one.image()), "environmentVariables": variables},
        "timeoutInMinutes": build.timeout_in_minutes(),
    });
    let read = projects::project(&json);
    read.map(Some)
        .map_err(|why| Failure::failed(format!("cannot read the build {id}")).cause(why))
}
