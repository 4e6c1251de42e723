//! What templates name, under keys made of content: stored once, never overwritten.

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use aws::error::{AwsError, Kind};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption};
use aws_smithy_types::base64;

use crate::references::Asset;

use super::Uploader;

impl Uploader<'_> {
    /// Goes to the bucket of packaged files and gives its region. Reads only.
    ///
    /// # Errors
    /// A bucket that is not there, or not ours to read.
    pub async fn open_shelf(&mut self, bucket: &str) -> Result<String, Failure> {
        if bucket == self.target.name {
            return Ok(self.session.region.clone());
        }
        let call = self
            .client
            .head_bucket()
            .bucket(bucket)
            .set_expected_bucket_owner(self.target.owner.clone())
            .send();
        let region = match self.bounded("the asset bucket was found", call).await? {
            Ok(reply) => reply.bucket_region().map(str::to_owned),
            Err(error) => {
                let elsewhere = error
                    .raw_response()
                    .filter(|response| matches!(response.status().as_u16(), 301 | 307 | 400))
                    .and_then(|response| response.headers().get("x-amz-bucket-region"));
                match elsewhere {
                    Some(region) => Some(region.to_owned()),
                    None => {
                        let error = AwsError::of(&error);
                        let deed =
                            format!("cannot look at the bucket {bucket}; nothing was touched");
                        let failure = error.failure(deed, "s3:ListBucket on the asset bucket");
                        return Err(if error.status == Some(404) {
                            failure.with_exit(Exit::Refused).hint(
                                "create the bucket first, or correct PACKAGE_TEMPLATE_ASSET_BUCKET",
                            )
                        } else {
                            failure
                        });
                    }
                }
            }
        };
        let region = region.filter(|region| *region != self.session.region);
        let Some(region) = region else {
            return Ok(self.session.region.clone());
        };
        tracing::info!("the bucket {bucket} is in {region}");
        self.shelf = Some(super::client(&self.session, self.path_style, &region));
        Ok(region)
    }

    /// The client for the bucket of packaged files.
    fn shelf(&self) -> &Client {
        self.shelf.as_ref().unwrap_or(&self.client)
    }

    /// Whether an asset is there already. Reads only.
    ///
    /// # Errors
    /// A bucket that is not there, or not ours to read.
    pub async fn has_asset(&self, bucket: &str, asset: &Asset) -> Result<bool, Failure> {
        let call = self
            .shelf()
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
                    findings::shown(&asset.source),
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
            .shelf()
            .put_object()
            .bucket(bucket)
            .key(&asset.key)
            .body(ByteStream::from(asset.bytes.clone()))
            .content_type(asset.content_type)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
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
                Some(stored) if stored == checksum => Ok(true),
                stored => Err(Failure::failed(format!(
                    "{object} was stored with the SHA-256 {}, and {checksum} was sent",
                    stored.unwrap_or("that nobody tells")
                ))
                .remains(
                    Resource::new(ResourceKind::Object, &object, ""),
                    object,
                    format!(
                        "aws s3api delete-object --bucket {bucket} --key '{}'",
                        asset.key
                    ),
                )),
            },
            Err(error) => {
                let error = AwsError::of(&error);
                let lost = matches!(error.kind, Kind::Lost | Kind::Unavailable | Kind::Nonsense);
                // 412: somebody stored it. 409: somebody stores or deletes it just now.
                if error.status == Some(412)
                    || error.status == Some(409) && self.has_asset(bucket, asset).await?
                {
                    return Ok(false);
                }
                // The answer may have been lost after the object was stored.
                if lost && self.has_asset(bucket, asset).await.is_ok_and(|there| there) {
                    return Ok(true);
                }
                let failure = error.failure(
                    format!(
                        "cannot store {} as {object}",
                        findings::shown(&asset.source)
                    ),
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
