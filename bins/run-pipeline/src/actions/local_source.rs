//! A source action over something local, with the output variables that its provider gives.
//!
//! Source of the variables: CodePipeline user guide, "Variables available for pipeline actions".

use action::failure::Failure;
use serde_json::Value;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;
use crate::local_source::{Commit, LocalSource};

/// The file of an ECR source's artifact.
const IMAGE_DETAIL: &str = "imageDetail.json";

/// The output variables of a provider's source action; nothing for one that is not known.
pub(crate) fn keys(provider: &str) -> &'static [&'static str] {
    match provider {
        "S3" => &["VersionId", "ETag"],
        "CodeStarSourceConnection" => &[
            "AuthorDate",
            "BranchName",
            "CommitId",
            "CommitMessage",
            "ConnectionArn",
            "FullRepositoryName",
        ],
        "CodeCommit" => &[
            "AuthorDate",
            "BranchName",
            "CommitId",
            "CommitMessage",
            "CommitterDate",
            "RepositoryName",
        ],
        "GitHub" => &[
            "AuthorDate",
            "BranchName",
            "CommitId",
            "CommitMessage",
            "CommitterDate",
            "CommitUrl",
            "RepositoryName",
        ],
        "ECR" => &[
            "ImageDigest",
            "ImageTag",
            "ImageURI",
            "RegistryId",
            "RepositoryName",
        ],
        _ => &[],
    }
}

/// Packs what was given as the action's output artifact.
pub(super) async fn run(
    input: &ActionInput<'_>,
    source: &LocalSource,
) -> Result<ActionOutput, Failure> {
    let with_git = input.optional("OutputArtifactFormat") == Some("CODEBUILD_CLONE_REF");
    let fetched = source.fetch(with_git, &input.limits).await?;
    let commit = &fetched.commit;
    let revision = match input.action.provider.as_str() {
        "S3" => commit.id[..commit.id.len().min(32)].to_owned(),
        _ => commit.id.clone(),
    };
    let mut artifacts = Vec::new();
    for output in &input.action.outputs {
        let artifact = Artifact::write(&output.text, &input.folder, &fetched.zip)?;
        artifacts.push(artifact.of_revision(Some(revision.clone())));
    }
    let image = match (input.action.provider.as_str(), artifacts.first()) {
        ("ECR", Some(artifact)) => image_detail(input, artifact)?,
        _ => Value::Null,
    };
    tracing::info!(
        "{}: took {} in place of {} ({revision})",
        input.action.name,
        source.shown(),
        input.action.provider
    );
    let variables = keys(&input.action.provider)
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), value(key, input, commit, &image)?)))
        .collect();
    Ok(ActionOutput {
        variables,
        artifacts,
    })
}

fn value(key: &str, input: &ActionInput<'_>, commit: &Commit, image: &Value) -> Option<String> {
    let setting = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| input.optional(name))
            .map(str::to_owned)
    };
    let in_image = |name: &str| image.get(name).and_then(Value::as_str).map(str::to_owned);
    match key {
        "VersionId" | "ETag" => Some(commit.id[..commit.id.len().min(32)].to_owned()),
        "CommitId" => Some(commit.id.clone()),
        "CommitMessage" => Some(commit.message.clone()),
        "AuthorDate" => Some(commit.author_date.clone()),
        "CommitterDate" => Some(commit.committer_date.clone()),
        "BranchName" => setting(&["BranchName", "Branch"]).or_else(|| commit.branch.clone()),
        "ConnectionArn" => setting(&["ConnectionArn"]),
        "FullRepositoryName" => setting(&["FullRepositoryId"]),
        "CommitUrl" => Some(format!(
            "https://github.com/{}/{}/commit/{}",
            setting(&["Owner"])?,
            setting(&["Repo"])?,
            commit.id
        )),
        "RepositoryName" => {
            in_image("RepositoryName").or_else(|| setting(&["RepositoryName", "Repo"]))
        }
        "ImageTag" => setting(&["ImageTag"]).or_else(|| Some("latest".to_owned())),
        "RegistryId" => in_image(key).or_else(|| Some(input.settings.account.clone())),
        other => in_image(other),
    }
}

fn image_detail(input: &ActionInput<'_>, artifact: &Artifact) -> Result<Value, Failure> {
    let bytes = artifact.read(IMAGE_DETAIL).map_err(|failure| {
        failure.hint(format!(
            "an ECR source gives {IMAGE_DETAIL}: give that file, or a folder with it, with --source {}=PATH",
            input.action.name
        ))
    })?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::refused(format!("{}: {IMAGE_DETAIL} is not JSON", input.name())).cause(error)
    })
}
