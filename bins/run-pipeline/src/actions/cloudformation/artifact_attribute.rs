//! `Fn::GetArtifactAtt`: where an artifact is stored. Here it is stored when somebody asks.

use action::failure::Failure;

use crate::action_io::ActionInput;
use crate::artifact_bucket::Upload;

/// Uploads the artifact and gives the attribute: `BucketName`, `ObjectKey` or `URL`.
pub(super) async fn read(
    input: &ActionInput<'_>,
    artifact: &str,
    attribute: &str,
) -> Result<String, Failure> {
    let artifact = input.artifact("Fn::GetArtifactAtt", artifact)?;
    let name = &artifact.name;
    if !matches!(attribute, "BucketName" | "ObjectKey" | "URL") {
        return Err(Failure::refused(format!(
            "{attribute:?} is not an attribute of an artifact: BucketName, ObjectKey or URL"
        )));
    }
    let upload = Upload::to_bucket(input).ok_or_else(|| {
        Failure::refused(format!(
            "{}: Fn::GetArtifactAtt needs a bucket that the artifact {name} is uploaded to",
            input.name()
        ))
        .hint("name one with --artifact-bucket")
    })?;
    if attribute == "BucketName" {
        return Ok(upload.bucket.to_owned());
    }
    let bytes = std::fs::read(&artifact.zip).map_err(|error| {
        Failure::failed(format!("cannot read the artifact {name}")).cause(error)
    })?;
    // The same content has the same key, so that an unchanged template stays unchanged.
    let digest = bundle::digest::Digest::of(&bytes);
    let stored = upload.put(&format!("{name}/{digest}.zip"), bytes).await?;
    Ok(match attribute {
        "URL" => stored.url,
        _ => stored.key,
    })
}
