//! What templates name, under keys made of content: stored once, never overwritten.

use action::exit::Exit;
use action::failure::{Failure, Resource, ResourceKind};
use aws::error::{AwsError, Kind};
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ServerSideEncryption};
use aws_smithy_types::base64;

use crate::references::Asset;

use crate::upload::object::Place;
use crate::upload::uploader::{Uploader, client};

/// What is under an asset's key.
#[derive(Debug, PartialEq, Eq)]
enum Shelved {
    Nothing,
    It,
    Another { etag: String },
}

impl Uploader<'_> {
    /// Goes to the bucket of packaged files and gives its region. Reads only.
    pub(crate) async fn open_shelf(&mut self, bucket: &str) -> Result<String, Failure> {
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
                            format!("cannot look up the bucket {bucket}; nothing was touched");
                        let failure = error.failure(deed, "s3:ListBucket on the asset bucket");
                        return Err(match (error.status, error.kind) {
                            (Some(404), _) => failure.with_exit(Exit::Refused).hint(
                                "create the bucket first, or correct PACKAGE_TEMPLATE_ASSET_BUCKET",
                            ),
                            (_, Kind::Refused) => failure.with_exit(Exit::Refused),
                            _ => failure,
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
        self.shelf = Some(client(&self.session, self.path_style, &region));
        Ok(region)
    }

    /// The client for the bucket of packaged files.
    fn shelf(&self) -> &Client {
        self.shelf.as_ref().unwrap_or(&self.client)
    }

    fn asset_place<'a>(&'a self, bucket: &'a str, asset: &'a Asset) -> Place<'a> {
        Place {
            client: self.shelf(),
            bucket,
            key: &asset.key,
        }
    }

    /// What is under an asset's key. Reads only.
    async fn shelved(&self, bucket: &str, asset: &Asset) -> Result<Shelved, Failure> {
        let place = self.asset_place(bucket, asset);
        let Some(seen) = self.head(&place).await? else {
            return Ok(Shelved::Nothing);
        };
        Ok(if self.holds_asset(&place, &seen, asset).await? {
            Shelved::It
        } else {
            Shelved::Another { etag: seen.etag }
        })
    }

    /// Whether an asset is there already, proven by a checksum of its content or by its bytes: its key
    /// says only what should be there. Reads only.
    pub(crate) async fn has_asset(&self, bucket: &str, asset: &Asset) -> Result<bool, Failure> {
        Ok(self.shelved(bucket, asset).await? == Shelved::It)
    }

    /// Stores the assets that are not there yet; gives how many that were. Whoever stored one in between
    /// stored the same content, for the key says so. What is not the content that its key names was
    /// spoilt on its way and is replaced.
    pub(crate) async fn store_assets(
        &self,
        bucket: &str,
        assets: &[Asset],
    ) -> Result<usize, Failure> {
        let mut stored = 0;
        for asset in assets {
            let over = match self.shelved(bucket, asset).await? {
                Shelved::It => continue,
                Shelved::Nothing => None,
                Shelved::Another { etag } => {
                    let place = self.asset_place(bucket, asset);
                    tracing::warn!("the content of {place} does not match its key; it is replaced");
                    Some(etag)
                }
            };
            if self.store_asset(bucket, asset, over.as_deref()).await? {
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

    /// Stores one where nothing is, or over what has this entity tag; gives whether it was written now.
    async fn store_asset(
        &self,
        bucket: &str,
        asset: &Asset,
        over: Option<&str>,
    ) -> Result<bool, Failure> {
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
            .set_expected_bucket_owner(self.target.owner.clone());
        let put = match over {
            None => put.if_none_match("*"),
            Some(etag) => put.if_match(etag),
        };
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
                None if self.has_asset(bucket, asset).await.is_ok_and(|there| there) => Ok(true),
                stored => Err(Failure::failed(format!(
                    "{object} was stored with the SHA-256 {}, and {checksum} was sent",
                    stored.unwrap_or("(none given)")
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
                if matches!(error.status, Some(409 | 412)) && self.has_asset(bucket, asset).await? {
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
