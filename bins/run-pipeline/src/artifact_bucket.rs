//! The bucket of `--artifact-bucket`: what must be in S3 is uploaded there.

use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_s3::primitives::ByteStream;

use crate::action_io::ActionInput;

/// Uploads of an action into the bucket.
pub(crate) struct Upload<'a> {
    pub(crate) bucket: &'a str,
    input: &'a ActionInput<'a>,
}

/// Where something was put.
pub(crate) struct Stored {
    pub(crate) key: String,
    pub(crate) url: String,
}

impl<'a> Upload<'a> {
    /// Nothing where no bucket was named.
    pub(crate) fn to_bucket(input: &'a ActionInput<'a>) -> Option<Self> {
        let bucket = input.settings.artifact_bucket.as_deref()?;
        Some(Self { bucket, input })
    }

    /// Puts an object under a key below the name of the pipeline.
    pub(crate) async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<Stored, Failure> {
        let Self { bucket, input } = self;
        let key = format!("{}/{name}", input.definition.pipeline.name);
        let session = input.session("S3").await?;
        let settings = aws_sdk_s3::config::Builder::from(&session.config)
            .force_path_style(session.has_own_endpoint("S3"));
        let client = aws_sdk_s3::Client::from_conf(settings.build());
        let place = format!("s3://{bucket}/{key}");
        let uploading = async {
            let call = client.put_object().bucket(*bucket).key(&key);
            let sent = call.body(ByteStream::from(bytes)).send().await;
            sent.map(drop).map_err(|error| {
                AwsError::of(&error).failure(format!("cannot upload {place}"), "s3:PutObject")
            })
        };
        let before = format!("{place} was uploaded");
        input.limits.in_time(&before, uploading).await?;
        tracing::info!("{}: uploaded {place}", input.action.name);
        let url = format!(
            "https://s3.{}.{}/{bucket}/{key}",
            session.region,
            domain(&session.region)
        );
        Ok(Stored { key, url })
    }
}

/// The domain of a Region's endpoints.
fn domain(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    }
}
