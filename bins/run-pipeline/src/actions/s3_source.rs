//! The S3 source action: one zip at a fixed key of a versioned bucket.

use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::Artifact;

/// Fetches the current version of the object and keeps it as the action's output artifact.
pub(crate) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let bucket = input.required("S3Bucket")?;
    let key = input.required("S3ObjectKey")?;
    let [output] = input.action.outputs.as_slice() else {
        return Err(Failure::refused(format!(
            "{} has {} output artifacts; an S3 source has one",
            input.name(),
            input.action.outputs.len()
        )));
    };
    let session = input.session("S3").await?;
    let settings = aws_sdk_s3::config::Builder::from(&session.config)
        .force_path_style(session.has_own_endpoint("S3"));
    let client = aws_sdk_s3::Client::from_conf(settings.build());

    let place = format!("s3://{bucket}/{key} in {}", session.region);
    let deed = format!("cannot fetch {place}");
    // What the first answer named is asked for again, whatever was uploaded meanwhile.
    let mut named = None;
    let fetch = aws::body::whole(&deed, async || {
        let mut object = get(&client, bucket, key, named.clone(), &deed).await?;
        let version = version(&object, bucket)?;
        let body = std::mem::replace(&mut object.body, ByteStream::from_static(b""));
        named = Some(version.clone());
        Ok(((object, version), body))
    });
    let limits = &input.limits;
    let fetched = limits
        .interrupt
        .race(tokio::time::timeout_at(limits.deadline, fetch));
    let ((object, version), bytes) = fetched
        .await
        .map_err(|signal| Failure::interrupted(signal, format!("stopped fetching {place}")))?
        .map_err(|_| {
            Failure::new(
                Exit::Deadline,
                format!("the deadline passed before {place} was fetched"),
            )
            .hint("nothing was changed; running again is safe")
        })??;
    let bytes = bytes.into_bytes();
    if !bytes.starts_with(b"PK") {
        return Err(Failure::failed(format!("{place} is not a zip file"))
            .hint("CodePipeline takes it as it is and fails in the next action; package-template makes a zip"));
    }
    let artifact = Artifact::write(&output.text, &input.folder, &bytes)?;
    let summary = object
        .metadata()
        .and_then(|metadata| metadata.get("codepipeline-artifact-revision-summary"))
        .map_or_else(String::new, |text| format!(" ({text})"));
    tracing::info!(
        "fetched {place}, version {version}{summary}, {} bytes",
        bytes.len()
    );
    let etag = object.e_tag().unwrap_or_default().trim_matches('"');
    Ok(ActionOutput {
        variables: vec![
            ("VersionId".to_owned(), version.clone()),
            ("ETag".to_owned(), etag.to_owned()),
        ],
        artifacts: vec![artifact.of_revision(Some(version))],
    })
}

async fn get(
    client: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
    version: Option<String>,
    deed: &str,
) -> Result<GetObjectOutput, Failure> {
    let call = client.get_object().bucket(bucket).key(key);
    call.set_version_id(version).send().await.map_err(|error| {
        let error = AwsError::of(&error);
        let failure = error.failure(deed, "s3:GetObject and s3:GetObjectVersion");
        if error.is("NoSuchKey") {
            failure.hint("put it there with package-template first")
        } else {
            failure
        }
    })
}

/// A bucket that is not versioned gives no version, one whose versioning is suspended "null".
fn version(object: &GetObjectOutput, bucket: &str) -> Result<String, Failure> {
    match object.version_id() {
        Some(version) if !version.is_empty() && version != "null" => Ok(version.to_owned()),
        _ => Err(Failure::refused(format!("the bucket {bucket} is not versioned")).hint(format!(
            "CodePipeline takes only versioned buckets: aws s3api put-bucket-versioning --bucket {bucket} \
             --versioning-configuration Status=Enabled; then upload again"
        ))),
    }
}
