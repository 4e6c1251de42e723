//! Whether an image can be copied and shared as the settings ask, before one is made: an image whose snapshots
//! are encrypted with AWS's own key cannot be shared (<https://github.com/hashicorp/packer/issues/7410>).

use crate::image::create::{is_foreign, is_good, is_worthless, name_is_taken};
use crate::image::describe::named;
use crate::instance::Source;
use crate::job::Job;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::Image;
use aws_sdk_kms::config::Region;
use aws_sdk_kms::types::{KeyManagerType, KeyMetadata};
use std::collections::BTreeSet;

/// Refuses copies that could not be made in the end: in the image's own Region, with a key that a Region
/// does not have, or under a name that another image has there.
pub(crate) async fn check_copies(job: &Job, name: &str, run: &str) -> Result<(), Failure> {
    let publish = &job.settings.publish;
    let home = &job.home.region;
    if publish.copy_to.contains(home) {
        return Err(Failure::refused(format!(
            "MAKE_AMI_COPY_TO names {home}, where the image is made; nothing was touched"
        ))
        .hint("name the other Regions only"));
    }
    for region in &publish.copy_to {
        let regional = job.regional(region);
        let holders = named(&regional, name).await?;
        // A copy that an earlier try made is adopted, and a failed one is removed.
        let is_usable = |image: &Image| is_good(image) || is_worthless(image);
        let in_the_way = |image: &&Image| is_foreign(image, run) || !is_usable(image);
        if let Some(holder) = holders.iter().find(in_the_way) {
            return Err(name_is_taken(&regional, name, run, holder));
        }
    }
    let Some(key) = &publish.kms_key else {
        return Ok(());
    };
    let own = publish.encrypt.then_some(home);
    for region in publish.copy_to.iter().chain(own) {
        let found = look_at_key(job, region, key).await?;
        if !found.enabled() {
            let state = found
                .key_state()
                .map_or("not enabled", |state| state.as_str());
            return Err(Failure::refused(format!(
                "the key {key} in {region} is {state}, and a copy could not be encrypted with it; nothing was touched"
            )));
        }
    }
    Ok(())
}

/// Refuses what could not be shared in the end.
pub(crate) async fn check(job: &Job, source: &Source) -> Result<(), Failure> {
    let publish = &job.settings.publish;
    if publish.share_with.is_empty() {
        return Ok(());
    }
    if let (true, Some(key)) = (publish.encrypt, &publish.kms_key) {
        for region in publish.copy_to.iter().chain([&job.home.region]) {
            refuse_key_of_aws(job, region, key).await?;
        }
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

/// What KMS says of a key in a Region.
pub(crate) async fn look_at_key(
    job: &Job,
    region: &str,
    key: &str,
) -> Result<KeyMetadata, Failure> {
    let config = job.session.config.to_builder();
    let config = config.region(Region::new(region.to_owned())).build();
    let kms = aws_sdk_kms::Client::new(&config);
    let reply = kms
        .describe_key()
        .key_id(key)
        .send()
        .await
        .map_err(|error| {
            let error = AwsError::of(&error);
            if error.is("NotFoundException") {
                let absent = format!("there is no key {key} in {region}; nothing was touched");
                return Failure::refused(absent).cause(error).hint(
                    "an alias must exist in each Region; a multi-Region key must be replicated",
                );
            }
            let operation = format!("cannot look up the key {key} in {region}");
            error.failure(operation, "kms:DescribeKey")
        })?;
    let absent = || Failure::failed(format!("KMS says nothing about the key {key} in {region}"));
    reply.key_metadata.ok_or_else(absent)
}

async fn refuse_key_of_aws(job: &Job, region: &str, key: &str) -> Result<(), Failure> {
    let found = look_at_key(job, region, key).await?;
    if found.key_manager() == Some(&KeyManagerType::Aws) {
        return Err(Failure::refused(format!(
            "an image encrypted with {key} in {region} cannot be shared: it is AWS's own key, and other accounts cannot use it; nothing was touched"
        ))
        .hint("encrypt the instance's volumes with a customer-managed key that the other accounts may use"));
    }
    Ok(())
}
