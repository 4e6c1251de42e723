//! The S3 deploy action: the input artifact goes into a bucket, as one object or file by file.

use std::path::Path;

use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ObjectCannedAcl, ServerSideEncryption};

use crate::action_io::{ActionInput, ActionOutput};
use crate::artifact::{Artifact, matching};

/// Content types by extension. That CodePipeline sets them is not proven; without one a website does not show.
const CONTENT_TYPES: [(&str, &str); 16] = [
    ("css", "text/css"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ico", "image/vnd.microsoft.icon"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// Uploads.
pub(super) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let bucket = input.required("BucketName")?;
    let [name] = input.action.inputs.as_slice() else {
        return Err(Failure::refused(format!(
            "{} has {} input artifacts; an S3 deployment has one",
            input.name(),
            input.action.inputs.len()
        )));
    };
    let artifact = input.artifact("InputArtifacts", &name.text)?;
    let objects = if input.required("Extract")? == "true" {
        let prefix = input.optional("ObjectKey").unwrap_or_default();
        extracted(artifact, &input.folder.join("extracted"), prefix)?
    } else {
        let key = input.required("ObjectKey")?;
        vec![(key.to_owned(), artifact.zip.clone())]
    };
    let session = input.session("S3").await?;
    let settings = aws_sdk_s3::config::Builder::from(&session.config)
        .force_path_style(session.has_own_endpoint("S3"));
    let client = aws_sdk_s3::Client::from_conf(settings.build());
    let count = objects.len();
    let mut done = Vec::new();
    for (key, path) in objects {
        let place = format!("s3://{bucket}/{key}");
        let uploading = put(input, &client, bucket, &key, &path, &place);
        let before = format!("{place} was uploaded");
        if let Err(failure) = input.limits.in_time(&before, uploading).await {
            return Err(done.into_iter().fold(failure, Failure::changed));
        }
        done.push(place);
    }
    tracing::info!(
        "{}: uploaded {count} objects to s3://{bucket}",
        input.action.name
    );
    Ok(ActionOutput::default())
}

async fn put(
    input: &ActionInput<'_>,
    client: &aws_sdk_s3::Client,
    bucket: &str,
    key: &str,
    path: &Path,
    place: &str,
) -> Result<(), Failure> {
    let deed = format!("cannot upload {place}");
    let bytes = std::fs::read(path).map_err(|error| Failure::failed(deed.clone()).cause(error))?;
    let kms = input.optional("KMSEncryptionKeyARN");
    let call = client
        .put_object()
        .bucket(bucket)
        .key(key)
        .body(ByteStream::from(bytes))
        .set_content_type(content_type(key).map(str::to_owned))
        .set_cache_control(input.optional("CacheControl").map(str::to_owned))
        .set_acl(input.optional("CannedACL").map(ObjectCannedAcl::from))
        .set_server_side_encryption(kms.map(|_| ServerSideEncryption::AwsKms))
        .set_ssekms_key_id(kms.map(str::to_owned));
    let sent = call.send().await;
    sent.map(drop)
        .map_err(|error| AwsError::of(&error).failure(deed, "s3:PutObject"))
}

fn content_type(key: &str) -> Option<&'static str> {
    let (_, end) = key.rsplit_once('.')?;
    let end = end.to_ascii_lowercase();
    let found = CONTENT_TYPES.iter().find(|(known, _)| *known == end);
    found.map(|(_, kind)| *kind)
}

/// The files of an artifact with their keys.
fn extracted(
    artifact: &Artifact,
    folder: &Path,
    prefix: &str,
) -> Result<Vec<(String, std::path::PathBuf)>, Failure> {
    artifact.unpack(folder)?;
    let all = matching(folder, &["**/*".to_owned()], &[]).map_err(|error| {
        Failure::failed(format!("cannot read the artifact {}", artifact.name)).cause(error)
    })?;
    let prefix = prefix.trim_matches('/');
    let key = |name: &str| match prefix {
        "" => name.to_owned(),
        prefix => format!("{prefix}/{name}"),
    };
    Ok(all
        .into_iter()
        .map(|path| (key(&path.to_string_lossy()), folder.join(&path)))
        .collect())
}
