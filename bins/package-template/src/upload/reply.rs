//! What S3 answers: proof of what was stored, and errors in words that can be acted on.

use action::failure::{Failure, Resource, ResourceKind};
use aws::error::AwsError;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_smithy_types::base64;

use crate::archive::Archive;
use crate::settings::Bucket;

/// The version of the object just stored, once the answer proves what it is.
pub(super) fn verified(
    reply: &PutObjectOutput,
    archive: &Archive,
    target: &Bucket,
) -> Result<String, Failure> {
    let Bucket { name, key, .. } = target;
    let remains = |deed: String, version: &str| {
        Failure::failed(deed).remains(
            Resource::new(
                ResourceKind::Object,
                format!("s3://{name}/{key}?versionId={version}"),
                "",
            ),
            format!("version {version} of s3://{name}/{key}"),
            format!("aws s3api delete-object --bucket {name} --key '{key}' --version-id {version}"),
        )
    };
    let version = match reply.version_id() {
        Some(version) if version != "null" => version,
        _ => {
            let deed = format!(
                "s3://{name}/{key} was written without a version: the bucket's versioning was turned off meanwhile"
            );
            return Err(remains(deed, "null").hint("turn the versioning on and run again"));
        }
    };
    let sent = base64::encode(archive.sha256.as_bytes());
    match reply.checksum_sha256() {
        Some(stored) if stored == sent => Ok(version.to_owned()),
        Some(stored) => {
            let deed = format!(
                "s3://{name}/{key} was stored with the SHA-256 {stored}, and {sent} was sent"
            );
            Err(remains(deed, version)
                .hint("delete that version, and find out what changes requests in transit"))
        }
        None => {
            // S3 always answers it; some that speak S3's language do not.
            let deed = format!(
                "s3://{name}/{key} was stored, and the answer holds no SHA-256 to prove what"
            );
            Err(remains(deed, version)
                .hint("something other than S3 answered, or something between here and S3 removes headers: check AWS_ENDPOINT_URL and HTTPS_PROXY"))
        }
    }
}

/// Makes a failure more precise where the answer says more than its kind.
pub(super) fn explain(error: &AwsError, failure: &Failure, target: &Bucket) -> Failure {
    let failure = failure.clone();
    let name = &target.name;
    if error.is("NoSuchBucket") {
        return failure.with_exit(action::exit::Exit::Refused).hint(format!(
            "create the bucket {name} first (cfn/buckets.yml), or correct PACKAGE_TEMPLATE_BUCKET"
        ));
    }
    if error.is("PermanentRedirect") || error.status == Some(301) {
        return failure.with_exit(action::exit::Exit::Refused).hint(format!(
            "the bucket {name} is in another region; name it with PACKAGE_TEMPLATE_REGION"
        ));
    }
    match (&target.owner, error.status) {
        (Some(owner), Some(403)) => failure.hint(format!(
            "either the role lacks the permission, or the bucket {name} does not belong to account {owner}"
        )),
        _ => failure,
    }
}
