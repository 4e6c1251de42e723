//! Whether an image can be shared at all, asked before one is made: an image whose snapshots are
//! encrypted with AWS's own key cannot (<https://github.com/hashicorp/packer/issues/7410>).

use super::instance::Source;
use crate::job::Job;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::types::KeyManagerType;
use std::collections::BTreeSet;

/// Refuses what could not be shared in the end.
///
/// # Errors
/// The refusal, or a failed call.
pub async fn check(job: &Job, source: &Source) -> Result<(), Failure> {
    let publish = &job.settings.publish;
    if publish.share_with.is_empty() {
        return Ok(());
    }
    let keys: BTreeSet<&String> = source
        .volumes
        .iter()
        .filter_map(|disk| disk.kms_key.as_ref())
        .collect();
    for key in &keys {
        refuse_key_of_aws(job, &job.home.region, key).await?;
    }
    for region in &publish.copy_to {
        match &publish.kms_key {
            Some(key) => refuse_key_of_aws(job, region, key).await?,
            None if keys.is_empty() => {}
            None => {
                return Err(Failure::refused(format!(
                    "the copy in {region} would be encrypted with that Region's default key, and could then not be shared; nothing was touched"
                ))
                .hint("name a key of your own with MAKE_AMI_KMS_KEY, as an alias that each Region has"));
            }
        }
    }
    Ok(())
}

async fn refuse_key_of_aws(job: &Job, region: &str, key: &str) -> Result<(), Failure> {
    let config = job.session.config.to_builder();
    let config = config.region(Region::new(region.to_owned())).build();
    let kms = aws_sdk_kms::Client::new(&config);
    let reply = kms
        .describe_key()
        .key_id(key)
        .send()
        .await
        .map_err(|error| {
            let deed = format!("cannot look at the key {key} in {region}");
            AwsError::of(&error).failure(deed, "kms:DescribeKey")
        })?;
    let manager = reply
        .key_metadata()
        .and_then(|metadata| metadata.key_manager());
    if manager == Some(&KeyManagerType::Aws) {
        return Err(Failure::refused(format!(
            "an image encrypted with {key} in {region} cannot be shared: it is AWS's own key, and other accounts cannot use it; nothing was touched"
        ))
        .hint("encrypt the instance's volumes with a customer-managed key that the other accounts may use"));
    }
    Ok(())
}
