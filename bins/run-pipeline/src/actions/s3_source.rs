//! The S3 source action: one zip at a fixed key of a versioned bucket.

use action::failure::Failure;
use aws::error::AwsError;

use crate::execution::{Execution, Ready};

/// Fetches the current version of the object and keeps it as the action's output artifact.
///
/// # Errors
/// A bucket that is not versioned (CodePipeline refuses those), an object that is not there or
/// is not a zip, and whatever AWS refuses.
pub async fn run(
    execution: &mut Execution<'_>,
    ready: &Ready<'_>,
) -> Result<Vec<(String, String)>, Failure> {
    let bucket = ready.required("S3Bucket")?;
    let key = ready.required("S3ObjectKey")?;
    let [output] = ready.action.outputs.as_slice() else {
        return Err(Failure::refused(format!(
            "{} has {} output artifacts; an S3 source has one",
            ready.name(),
            ready.action.outputs.len()
        )));
    };
    let session = execution.session(ready.action).await?;
    let settings = aws_sdk_s3::config::Builder::from(&session.config)
        .force_path_style(session.has_own_endpoint("S3"));
    let client = aws_sdk_s3::Client::from_conf(settings.build());
    let interrupt = &execution.context.interrupt;
    let stopped =
        |signal| Failure::interrupted(signal, format!("stopped fetching s3://{bucket}/{key}"));

    let place = format!("s3://{bucket}/{key} in {}", session.region);
    let object = client.get_object().bucket(bucket).key(key).send();
    let object = interrupt
        .race(object)
        .await
        .map_err(stopped)?
        .map_err(|error| {
            let error = AwsError::of(&error);
            let failure = error.failure(format!("cannot fetch {place}"), "s3:GetObjectVersion");
            if error.is("NoSuchKey") {
                failure.hint("put it there with package-template first")
            } else {
                failure
            }
        })?;
    let version = object.version_id().unwrap_or_default().to_owned();
    // A bucket that is not versioned gives no version, one whose versioning is suspended "null".
    if version.is_empty() || version == "null" {
        return Err(Failure::refused(format!(
            "the bucket {bucket} is not versioned"
        ))
        .hint(format!("CodePipeline takes only versioned buckets: aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled; then upload again")));
    }
    let etag = object
        .e_tag()
        .unwrap_or_default()
        .trim_matches('"')
        .to_owned();
    let summary = object
        .metadata()
        .and_then(|metadata| metadata.get("codepipeline-artifact-revision-summary"))
        .cloned();
    let bytes = interrupt
        .race(object.body.collect())
        .await
        .map_err(stopped)?
        .map_err(|error| {
            Failure::failed(format!("cannot fetch {place}")).cause(aws::error::chain(&error))
        })?;
    let bytes = bytes.into_bytes();
    if !bytes.starts_with(b"PK") {
        return Err(Failure::failed(format!("{place} is not a zip file"))
            .hint("CodePipeline takes it as it is and fails in the next action; package-template makes a zip"));
    }
    execution.store.put(&output.text, &bytes)?;
    execution
        .revisions
        .insert(output.text.clone(), version.clone());
    let summary = summary.map_or_else(String::new, |text| format!(" ({text})"));
    tracing::info!(
        "fetched {place}, version {version}{summary}, {} bytes",
        bytes.len()
    );
    Ok(vec![
        ("VersionId".to_owned(), version),
        ("ETag".to_owned(), etag),
    ])
}
