//! What templates name, under keys made of content: stored once, never overwritten.

use action::exit::Exit;
use action::failure::Failure;
use aws::error::{AwsError, Kind};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_types::base64;

use crate::references::Asset;

use super::Uploader;

impl Uploader<'_> {
    /// Whether an asset is there already. Reads only.
    ///
    /// # Errors
    /// A bucket that is not there, or not ours to read.
    pub async fn has_asset(&self, bucket: &str, asset: &Asset) -> Result<bool, Failure> {
        let call = self
            .client
            .head_object()
            .bucket(bucket)
            .key(&asset.key)
            .set_expected_bucket_owner(self.target.owner.clone())
            .send();
        match self
            .bounded("the packaged files were looked at", call)
            .await?
        {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = AwsError::of(&error);
                if error.status == Some(404) {
                    return Ok(false);
                }
                Err(error.failure(
                    format!("cannot look at s3://{bucket}/{}", asset.key),
                    "s3:GetObject on the packaged files, and s3:ListBucket on their bucket,",
                ))
            }
        }
    }

    /// Stores the assets that are not there yet; gives how many that were. Whoever stored one in between
    /// stored the same content, for the key says so.
    ///
    /// # Errors
    /// What S3 refuses. What was stored before stays; it is found again by the next run.
    pub async fn store_assets(&self, bucket: &str, assets: &[Asset]) -> Result<usize, Failure> {
        let mut stored = 0;
        for asset in assets {
            if self.has_asset(bucket, asset).await? {
                continue;
            }
            if self.store_asset(bucket, asset).await? {
                tracing::info!(
                    "stored {} as s3://{bucket}/{} ({} bytes)",
                    asset.source.display(),
                    asset.key,
                    asset.bytes.len()
                );
                stored += 1;
            }
        }
        Ok(stored)
    }

    async fn store_asset(&self, bucket: &str, asset: &Asset) -> Result<bool, Failure> {
        let checksum = base64::encode(asset.sha256.as_bytes());
        let put = self
            .client
            .put_object()
            .bucket(bucket)
            .key(&asset.key)
            .body(ByteStream::from(asset.bytes.clone()))
            .content_type(asset.content_type)
            .checksum_sha256(&checksum)
            .if_none_match("*")
            .set_expected_bucket_owner(self.target.owner.clone());
        let put = match &self.target.kms_key {
            None => put,
            Some(key) => put
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id(key),
        };
        let object = format!("s3://{bucket}/{}", asset.key);
        match self
            .bounded("the packaged files were stored", put.send())
            .await?
        {
            Ok(reply) => match reply.checksum_sha256() {
                Some(stored) if stored != checksum => Err(Failure::failed(format!(
                    "{object} was stored with the SHA-256 {stored}, and {checksum} was sent"
                ))
                .remains(
                    object,
                    format!(
                        "aws s3api delete-object --bucket {bucket} --key '{}'",
                        asset.key
                    ),
                )),
                _ => Ok(true),
            },
            Err(error) => {
                let error = AwsError::of(&error);
                let lost = matches!(error.kind, Kind::Lost | Kind::Unavailable | Kind::Nonsense);
                if matches!(error.status, Some(409 | 412)) {
                    return Ok(false);
                }
                // The answer may have been lost after the object was stored.
                if lost && self.has_asset(bucket, asset).await.is_ok_and(|there| there) {
                    return Ok(true);
                }
                let failure = error.failure(
                    format!("cannot store {} as {object}", asset.source.display()),
                    "s3:PutObject on the packaged files (and kms:GenerateDataKey with a KMS key)",
                );
                Err(
                    if failure.exit() == Exit::Failed && error.is("NoSuchBucket") {
                        failure.with_exit(Exit::Refused).hint(
                            "create the bucket first, or correct PACKAGE_TEMPLATE_ASSET_BUCKET",
                        )
                    } else {
                        failure
                    },
                )
            }
        }
    }
}
