//! The bucket: what the key holds now, whether that must change, and at most one PutObject.
//!
//! A pipeline's S3 source action watches one fixed key, so every write is a deployment. "Unchanged"
//! is therefore judged by what the object holds, which S3's checksum of it proves, or its bytes; and a
//! write replaces only the object that was compared (`If-Match`), never one that came in between.

mod assets;
mod checksum;
pub(crate) mod current;
pub(crate) mod decision;
mod object;
mod proof;
mod reply;
mod summary;
pub(crate) mod uploader;
mod versioning;

use action::exit::Exit;
use action::failure::Failure;
use aws::error::{AwsError, Kind};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, ChecksumAlgorithm, ServerSideEncryption};
use aws_smithy_types::base64;

use crate::archive::Archive;
use crate::upload::decision::Decision;
use crate::upload::uploader::{DIGEST_KEY, Seen, Uploader, client};

/// What CodePipeline shows for a revision of an S3 source (CodePipeline user guide, "Amazon S3
/// source action reference").
const SUMMARY_KEY: &str = "codepipeline-artifact-revision-summary";

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Done {
    /// The version that has the content.
    pub version: String,
    /// Whether it was written now.
    pub changed: bool,
}

/// How often an upload is sent that S3 refuses for a conflict with another operation.
const MAX_TRIES: u32 = 3;

impl Uploader<'_> {
    /// Checks that the bucket is versioned and looks at the key. Reads only. Goes over to the
    /// bucket's region when that is another one.
    pub(crate) async fn look(&mut self) -> Result<Option<Seen>, Failure> {
        if let Some(region) = self.check_versioning().await? {
            tracing::info!("the bucket {} is in {region}", self.target.name);
            self.client = client(&self.session, self.path_style, &region);
            self.session.region = region;
            if self.check_versioning().await?.is_some() {
                let deed = format!(
                    "S3 keeps redirecting requests for the bucket {} from region to region",
                    self.target.name
                );
                return Err(
                    Failure::refused(deed).hint("name its region with PACKAGE_TEMPLATE_REGION")
                );
            }
        }
        self.look_at_key().await
    }

    /// Gives another region when S3 says that the bucket is there and the user has named none.
    async fn check_versioning(&self) -> Result<Option<String>, Failure> {
        let bucket = &self.target.name;
        let call = self
            .client
            .get_bucket_versioning()
            .bucket(bucket)
            .set_expected_bucket_owner(self.target.owner.clone())
            .send();
        let enabled = match self.bounded("the bucket was checked", call).await? {
            Ok(reply) => reply.status() == Some(&BucketVersioningStatus::Enabled),
            Err(error) => {
                let elsewhere = error
                    .raw_response()
                    .filter(|response| matches!(response.status().as_u16(), 301 | 307 | 400))
                    .and_then(|response| response.headers().get("x-amz-bucket-region"))
                    .filter(|region| *region != self.session.region);
                if let Some(region) = elsewhere
                    && self.target.region.is_none()
                {
                    return Ok(Some(region.to_owned()));
                }
                let body = error
                    .raw_response()
                    .filter(|response| response.status().is_success());
                let body = body.and_then(|response| response.body().bytes());
                body.and_then(versioning::enabled).ok_or_else(|| {
                    let error = AwsError::of(&error);
                    let deed = format!(
                        "cannot ask whether the bucket {bucket} is versioned; nothing was touched"
                    );
                    let failure = error.failure(deed, "s3:GetBucketVersioning");
                    let failure = match error.kind {
                        Kind::Refused => failure.with_exit(Exit::Refused).hint(
                            "a pipeline starts from the versions of an object: use S3, or a server that has versions",
                        ),
                        _ => failure,
                    };
                    reply::explain(&error, &failure, self.target)
                })?
            }
        };
        if enabled {
            return Ok(None);
        }
        Err(Failure::refused(format!(
            "the bucket {bucket} is not versioned, and a pipeline starts from versions; nothing was touched"
        ))
        .hint(format!(
            "aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
        )))
    }

    /// Decides what must happen; reads what is there where only its bytes prove what it is.
    pub(crate) async fn decide(
        &self,
        seen: Option<Seen>,
        archive: &Archive,
    ) -> Result<Decision, Failure> {
        let is_ours = match &seen {
            Some(seen) if seen.version.is_some() && !self.target.force => {
                self.holds(seen, archive).await?
            }
            _ => false,
        };
        Ok(Decision::of(seen, is_ours))
    }

    /// Does what was decided.
    pub(crate) async fn carry_out(
        &self,
        decision: Decision,
        archive: &Archive,
    ) -> Result<Done, Failure> {
        if let Decision::Unchanged { version } = decision {
            tracing::info!(
                "{} holds this content already in version {version}",
                self.object()
            );
            return Ok(Done {
                version,
                changed: false,
            });
        }
        let mut tries = 1;
        loop {
            let put = match &decision {
                Decision::Replace { etag, .. } => self.put(archive).if_match(etag),
                _ => self.put(archive).if_none_match("*"),
            };
            let error = match self.bounded("the upload was confirmed", put.send()).await? {
                Ok(reply) => {
                    let version = self.verified(&reply, archive).await?;
                    tracing::info!(
                        "uploaded {} ({} bytes) as version {version}",
                        self.object(),
                        archive.bytes.len()
                    );
                    return Ok(Done {
                        version,
                        changed: true,
                    });
                }
                Err(error) => AwsError::of(&error),
            };
            // "On a 409 failure you should fetch the object's ETag and retry the upload" (S3 API reference,
            // PutObject): what was compared must still be there.
            let conflict = error.status == Some(409) && tries < MAX_TRIES;
            if !conflict || !decision.still_holds(self.look_at_key().await?.as_ref()) {
                return self.after_failure(&error, archive, &decision).await;
            }
            tries += 1;
            tracing::info!(
                "{} is being written by another process; trying again",
                self.object()
            );
        }
    }

    fn put(&self, archive: &Archive) -> PutObjectFluentBuilder {
        let target = self.target;
        let put = self
            .client
            .put_object()
            .bucket(&target.name)
            .key(&target.key)
            .body(ByteStream::from(archive.bytes.clone()))
            .content_type("application/zip")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .checksum_sha256(base64::encode(archive.sha256.as_bytes()))
            .metadata(DIGEST_KEY, archive.digest.to_string())
            .metadata(
                SUMMARY_KEY,
                summary::with_digest(&self.summary, archive.digest),
            )
            .set_expected_bucket_owner(target.owner.clone());
        match &target.kms_key {
            None => put,
            Some(key) => put
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id(key),
        }
    }

    /// An upload that failed may be there: its answer was lost, and the SDK's second try then met
    /// our own object. So the key is looked at before anything is said.
    async fn after_failure(
        &self,
        error: &AwsError,
        archive: &Archive,
        decision: &Decision,
    ) -> Result<Done, Failure> {
        let replaced = match decision {
            Decision::Replace { version, .. } => version.as_ref(),
            _ => None,
        };
        let lost_race = matches!(error.status, Some(409 | 412));
        let may_be_there =
            lost_race || matches!(error.kind, Kind::Lost | Kind::Unavailable | Kind::Nonsense);
        if may_be_there
            && let Ok(Some(now)) = self.look_at_key().await
            && let Some(version) = now.version.clone()
            && Some(&version) != replaced
            && matches!(self.holds(&now, archive).await, Ok(true))
        {
            tracing::info!(
                "{} has this content as version {version}, although the upload was not confirmed",
                self.object()
            );
            return Ok(Done {
                version,
                changed: true,
            });
        }
        let deed = format!("cannot upload {}", self.object());
        if lost_race {
            return Err(Failure::new(
                Exit::Lost,
                format!("{deed}: it changed since it was compared"),
            )
            .cause(error)
            .hint("another build wrote it; run again to compare with what is there now"));
        }
        // S3 answers If-Match so when the key holds nothing any more (user guide, "Conditional writes").
        let was_there = matches!(decision, Decision::Replace { .. });
        if was_there && error.status == Some(404) && !error.is("NoSuchBucket") {
            return Err(Failure::new(
                Exit::Lost,
                format!("{deed}: it was deleted since it was compared"),
            )
            .cause(error)
            .hint("run again: it is then written where nothing is"));
        }
        let action = "s3:PutObject (and kms:GenerateDataKey with a KMS key)";
        let failure = error.failure(deed, action);
        let failure = match error.status {
            Some(501) => failure.hint(
                "this server has no conditional writes (If-Match, If-None-Match); without them two builds can overwrite each other",
            ),
            _ => failure,
        };
        Err(reply::explain(error, &failure, self.target))
    }
}
