//! One object of a bucket: looked at with its checksum, and read whole.

use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::builders::HeadObjectFluentBuilder;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_types::byte_stream::AggregatedBytes;

use crate::upload::checksum::whole_sha256;
use crate::upload::reply;
use crate::upload::uploader::{DIGEST_KEY, Seen, Uploader};

/// Where an object is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) client: &'a Client,
    pub(crate) bucket: &'a str,
    pub(crate) key: &'a str,
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl Uploader<'_> {
    pub(crate) async fn look_at_key(&self) -> Result<Option<Seen>, Failure> {
        self.head(&self.archive_place()).await
    }

    pub(crate) fn archive_place(&self) -> Place<'_> {
        Place {
            client: &self.client,
            bucket: &self.target.name,
            key: &self.target.key,
        }
    }

    fn ask(&self, place: &Place<'_>) -> HeadObjectFluentBuilder {
        place
            .client
            .head_object()
            .bucket(place.bucket)
            .key(place.key)
            .set_expected_bucket_owner(self.target.owner.clone())
    }

    /// Looks at an object; `None` when there is none. Reads only.
    ///
    /// The checksum of an object that is encrypted with a KMS key needs `kms:Decrypt`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>). Who may not have it is
    /// told the rest: an object that is replaced needs no proof.
    pub(crate) async fn head(&self, place: &Place<'_>) -> Result<Option<Seen>, Failure> {
        let before = format!("{place} was looked at");
        let call = self.ask(place).checksum_mode(ChecksumMode::Enabled).send();
        let mut answer = self.bounded(&before, call).await?;
        if let Err(error) = &answer
            && AwsError::of(error).status == Some(403)
        {
            answer = self.bounded(&before, self.ask(place).send()).await?;
        }
        let reply = match answer {
            Ok(reply) => reply,
            Err(error) => {
                let error = AwsError::of(&error);
                if error.status == Some(404) {
                    return Ok(None);
                }
                let action = "s3:GetObject on the object, and s3:ListBucket on the bucket,";
                let failure = error.failure(format!("cannot look up {place}"), action);
                return Err(reply::explain(&error, &failure, self.target));
            }
        };
        // Every S3 object has an entity tag; a web page in its place usually has none.
        let etag = reply.e_tag().ok_or_else(|| {
            Failure::new(Exit::Unavailable, format!("cannot look up {place}"))
                .cause("the answer has no ETag")
                .hint("something other than S3 answered: check AWS_ENDPOINT_URL, HTTPS_PROXY and AWS_REGION")
        })?;
        let metadata = reply.metadata();
        let claim = metadata.and_then(|metadata| metadata.get(DIGEST_KEY));
        Ok(Some(Seen {
            etag: etag.to_owned(),
            version: reply
                .version_id()
                .filter(|version| *version != "null")
                .map(str::to_owned),
            claim: claim.and_then(|text| text.parse().ok()),
            sha256: whole_sha256(reply.checksum_sha256(), reply.checksum_type()),
            size: reply
                .content_length()
                .and_then(|length| u64::try_from(length).ok())
                .unwrap_or_default(),
        }))
    }

    /// Reads what was seen, and nothing that took its place since.
    pub(crate) async fn read(
        &self,
        place: &Place<'_>,
        seen: &Seen,
    ) -> Result<AggregatedBytes, Failure> {
        let deed = format!("cannot read {place}, and without it its content cannot be verified");
        let ask = async || {
            let call = place
                .client
                .get_object()
                .bucket(place.bucket)
                .key(place.key);
            let call = call
                .if_match(&seen.etag)
                .set_expected_bucket_owner(self.target.owner.clone());
            match call.send().await {
                Ok(answer) => Ok(((), answer.body)),
                Err(error) => {
                    let error = AwsError::of(&error);
                    let action = "s3:GetObject on it (and kms:Decrypt on its KMS key, where it is encrypted with one)";
                    let failure = error.failure(&deed, action);
                    Err(match error.status {
                        Some(404 | 412) => failure
                            .with_exit(Exit::Lost)
                            .hint("it has changed since it was read; run again to compare with what is there now"),
                        _ => failure,
                    })
                }
            }
        };
        let reading = aws::body::whole(&deed, ask);
        let ((), bytes) = self
            .bounded(&format!("{place} was read"), reading)
            .await??;
        Ok(bytes)
    }
}
