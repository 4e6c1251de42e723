//! A bucket by which content reaches the host where the way to it is slow.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::config::{Builder, ResponseChecksumValidation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::presigning::{PresigningConfig, PresigningConfigError};
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::base64;
use aws_smithy_types::byte_stream::error::Error as ByteStreamError;
use bundle::digest::Digest;
use tokio::time::Instant;

/// How long the host may take to begin to fetch.
const EXPIRES: Duration = Duration::from_secs(15 * 60);
/// Deleting may take this long, also when the deadline is over.
const DELETING: Duration = Duration::from_secs(10);

/// Why something was not done with the bucket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    /// S3 did not do it.
    #[error("{0}")]
    Aws(AwsError),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(#[from] ByteStreamError),
    /// The address cannot be signed.
    #[error("{0}")]
    Unsigned(#[from] PresigningConfigError),
}

/// The bucket, with one object by its content.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    client: Client,
    session: &'a Session,
    bucket: &'a str,
    digest: Digest,
}

impl<'a> Stored<'a> {
    /// The object for content of this digest; nothing is stored yet.
    pub(crate) fn new(session: &'a Session, bucket: &'a str, digest: Digest) -> Self {
        let config = Builder::from(&session.config)
            .force_path_style(session.has_own_endpoint("S3"))
            // It would be a header, which no address can carry.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(config),
            session,
            bucket,
            digest,
        }
    }

    fn key(&self) -> String {
        format!("deploy-app/{}", self.digest)
    }

    /// How messages name it.
    pub(crate) fn shown(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key())
    }

    /// Stores the content of a file. Needs `s3:PutObject`.
    pub(crate) async fn put(&self, file: &Path) -> Result<(), BucketError> {
        let body = ByteStream::from_path(file).await?;
        let put = self
            .client
            .put_object()
            .bucket(self.bucket)
            .key(self.key())
            .checksum_sha256(base64::encode(self.digest.as_bytes()))
            .body(body)
            .send();
        put.await.map(drop).map_err(|error| failed(&error))
    }

    /// An address by which whoever has it may fetch the content. Needs `s3:GetObject`, which S3 checks when it is used.
    pub(crate) async fn address(&self) -> Result<String, BucketError> {
        let expires = PresigningConfig::expires_in(EXPIRES)?;
        let get = self.client.get_object().bucket(self.bucket).key(self.key());
        let signed = get.presigned(expires).await;
        let signed = signed.map_err(|error| failed(&error))?;
        Ok(signed.uri().to_owned())
    }

    /// Deletes it. Needs `s3:DeleteObject`.
    pub(crate) async fn delete(&self) -> Result<(), BucketError> {
        self.session.limit.extend(Instant::now() + DELETING);
        let delete = self
            .client
            .delete_object()
            .bucket(self.bucket)
            .key(self.key());
        delete
            .send()
            .await
            .map(drop)
            .map_err(|error| failed(&error))
    }
}

fn failed<E>(error: &SdkError<E, HttpResponse>) -> BucketError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    BucketError::Aws(AwsError::of(error))
}
