//! `Fn::GetArtifactAtt`: where an artifact is stored. Here it is stored when somebody asks.

use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_s3::primitives::ByteStream;

use crate::action_io::ActionInput;

/// Uploads the artifact and gives the attribute: `BucketName`, `ObjectKey` or `URL`.
pub(super) async fn read(
    input: &ActionInput<'_>,
    artifact: &str,
    attribute: &str,
) -> Result<String, Failure> {
    let artifact = input.artifact("Fn::GetArtifactAtt", artifact)?;
    let Some(bucket) = &input.settings.artifact_bucket else {
        return Err(Failure::refused(format!(
            "{}: Fn::GetArtifactAtt needs a bucket that the artifact {} is uploaded to",
            input.name(),
            artifact.name
        ))
        .hint("name one with --artifact-bucket"));
    };
    let pipeline = &input.definition.pipeline.name;
    let bytes = std::fs::read(&artifact.zip).map_err(|error| {
        Failure::failed(format!("cannot read the artifact {}", artifact.name)).cause(error)
    })?;
    // The same content has the same key, so that an unchanged template stays unchanged.
    let digest = bundle::digest::Digest::of(&bytes).to_string();
    let key = format!("{pipeline}/{}/{digest}.zip", artifact.name);
    let session = input.session("S3").await?;
    match attribute {
        "BucketName" => return Ok(bucket.clone()),
        "ObjectKey" | "URL" => {}
        other => {
            return Err(Failure::new(
                Exit::Refused,
                format!("{other:?} is no attribute of an artifact: BucketName, ObjectKey or URL"),
            ));
        }
    }
    let settings = aws_sdk_s3::config::Builder::from(&session.config)
        .force_path_style(session.has_own_endpoint("S3"));
    let client = aws_sdk_s3::Client::from_conf(settings.build());
    let place = format!("s3://{bucket}/{key}");
    let uploading = async {
        let call = client.put_object().bucket(bucket).key(&key);
        let sent = call.body(ByteStream::from(bytes)).send().await;
        sent.map(drop).map_err(|error| {
            AwsError::of(&error).failure(format!("cannot upload {place}"), "s3:PutObject")
        })
    };
    let before = format!("{place} was uploaded");
    input.limits.in_time(&before, uploading).await?;
    tracing::info!("uploaded the artifact {} to {place}", artifact.name);
    Ok(match attribute {
        "URL" => format!("https://s3.{}.amazonaws.com/{bucket}/{key}", session.region),
        _ => key,
    })
}
