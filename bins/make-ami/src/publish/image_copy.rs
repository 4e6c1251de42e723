//! Copies of the image: asked for once, found again, in other Regions or its own.

use crate::cleanup::undo;
use crate::image::create::{is_good, is_worthless};
use crate::image::describe::tagged;
use crate::image::passing_limits::is_passing_limit;
use crate::image::tags::sdk_tags;
use crate::image::wait_available::Verified;
use crate::job::{Job, Regional};
use crate::journal::Journal;
use crate::plan::RUN_TAG;
use crate::publish::in_time::{STOPPED, in_time};
use action::failure::Failure;
use action::wait::{self, Ended, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::{Image, ResourceType, TagSpecification};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The pause after a copy that a limit did not allow.
const LIMIT_PAUSE: Duration = Duration::from_secs(30);

/// A copy in another Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageCopy {
    /// The Region.
    pub(crate) region: String,
    /// The copy's id.
    pub(crate) image_id: String,
    /// Whether it was seen available; otherwise it was not waited for.
    pub(crate) available: bool,
}

/// Copies the image to a Region, once: CopyImage has a client token, and an earlier try's copy is found
/// by its tag when the token is forgotten. `name` is the copy's; the Region may be the image's own.
pub(crate) async fn copy(
    job: &Job,
    regional: &Regional,
    tags: &BTreeMap<String, String>,
    verified: &Verified,
    name: &str,
    journal: &mut Journal,
) -> Result<String, Failure> {
    let run = &journal.run.clone();
    let mut earlier = tagged(regional, RUN_TAG, run).await?;
    earlier.retain(|image| image.image_id() != Some(&verified.image_id));
    if let Some(id) = good(&earlier, verified, name) {
        tracing::info!("adopting the copy {id} in {}", regional.region);
        return Ok(id);
    }
    let stale = earlier.iter().filter(|image| is_good(image));
    for id in stale.clone().filter_map(|image| image.image_id()) {
        tracing::warn!(
            "{id} in {} has this run's key, but is not a copy of {}; it stays as it is",
            regional.region,
            verified.image_id
        );
    }
    remove_failed(regional, &earlier).await?;
    let id = &verified.image_id;
    let token = token(run, id, &regional.region, &job.clock.start_nanos_key());
    let operation = format!(
        "cannot copy image {} from {} to {}",
        verified.image_id, job.home.region, regional.region
    );
    let asked = loop {
        let call = copy_request(job, regional, tags, id, name).client_token(&token);
        let call = call.set_description(verified.description.clone());
        // Not raced against signals: an id that is on its way must be seen.
        let asked = call.send().await.map_err(|error| AwsError::of(&error));
        match asked {
            Err(error) if is_passing_limit(&error) => {
                tracing::warn!("{operation}, trying again: {error}");
                job.pause(LIMIT_PAUSE).await;
                in_time(job).map_err(|failure| {
                    failure.cause(format!("the last error of CopyImage: {error}"))
                })?;
            }
            asked => break asked,
        }
    };
    let reply = match asked {
        Ok(reply) => reply,
        Err(error) => {
            // Where no answer of EC2's own came back, the copy may have been made all the same.
            if error.code.is_none() || error.status >= Some(500) {
                journal.lost_copies.push(regional.clone());
            }
            // The copy of a try that was killed a moment ago, which was not listed before.
            if error.is("InvalidAMIName.Duplicate")
                && let Some(id) =
                    appears(job, regional, run, verified, name)
                        .await
                        .map_err(|failure| {
                            failure.cause(format!("the last error of CopyImage: {error}"))
                        })?
            {
                tracing::info!("adopting the copy {id} in {}", regional.region);
                return Ok(id);
            }
            let failure = error.failure(&operation, "ec2:CopyImage and ec2:CreateTags");
            let mut holders = stale.filter(|image| image.name() == Some(name));
            let holder = holders.find_map(|image| image.image_id());
            return Err(match holder {
                Some(holder) if error.is("InvalidAMIName.Duplicate") => failure.hint(format!(
                    "{holder} holds the name: it is the copy of another image of this run; where nothing uses it, `aws ec2 deregister-image --region {} --image-id {holder} --delete-associated-snapshots` frees the name",
                    regional.region
                )),
                _ => failure,
            });
        }
    };
    let id = reply
        .image_id
        .ok_or_else(|| Failure::failed(operation).cause("the reply holds no image id"))?;
    tracing::info!("copying to {}: {id}", regional.region);
    Ok(id)
}

/// The good one among these images of the run that is a copy of the image: not of one that an earlier try made.
fn good(images: &[Image], of: &Verified, name: &str) -> Option<String> {
    let is_copy = |image: &&Image| match image.source_image_id() {
        Some(source) => source == of.image_id,
        // Where the source is not told, the name has to do.
        None => image.name() == Some(name),
    };
    let mut good = images.iter().filter(|image| is_good(image));
    good.find(is_copy)?.image_id.clone()
}

/// How long a copy that holds the name may not be listed.
const LISTED_WITHIN: Duration = Duration::from_secs(14);
const LIST_PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(2),
};

/// Looks for this run's copy until it is listed.
async fn appears(
    job: &Job,
    regional: &Regional,
    run: &str,
    verified: &Verified,
    name: &str,
) -> Result<Option<String>, Failure> {
    let look = async || {
        let images = tagged(regional, RUN_TAG, run).await?;
        Ok(match good(&images, verified, name) {
            Some(id) => Look::There(id),
            None => Look::NotYet("it is not listed".to_owned()),
        })
    };
    let what = format!("the copy of this run in {}", regional.region);
    let deadline = job.context.deadline.min(Instant::now() + LISTED_WITHIN);
    match wait::until(&what, deadline, &job.context.interrupt, LIST_PACE, look).await {
        Ok(id) => Ok(Some(id)),
        Err(Ended::Deadline(_)) => in_time(job).map(|()| None),
        Err(Ended::Signal(signal)) => Err(Failure::interrupted(signal, STOPPED)),
        Err(Ended::Failed(failure)) => Err(failure),
    }
}

/// Removes the copies of earlier tries that failed: they may hold the name.
async fn remove_failed(regional: &Regional, earlier: &[Image]) -> Result<(), Failure> {
    for image in earlier.iter().filter(|image| is_worthless(image)) {
        let Some(id) = image.image_id() else { continue };
        let region = &regional.region;
        tracing::info!("removing {id} in {region}, which an earlier try left failed");
        let left = undo::remove(regional, id).await;
        if !left.is_empty() {
            let operation = format!("cannot remove the failed copy {id} in {region}");
            return Err(left
                .into_iter()
                .fold(Failure::failed(operation), Failure::leaving));
        }
    }
    Ok(())
}

/// The request that copies an image of the run's Region, but for its token.
pub(crate) fn copy_request(
    job: &Job,
    regional: &Regional,
    tags: &BTreeMap<String, String>,
    image_id: &str,
    name: &str,
) -> aws_sdk_ec2::operation::copy_image::builders::CopyImageFluentBuilder {
    let tagged = |kind| {
        TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(sdk_tags(tags)))
            .build()
    };
    let key = &job.settings.publish.kms_key;
    regional
        .ec2
        .copy_image()
        .source_image_id(image_id)
        .source_region(&job.home.region)
        .name(name)
        .set_encrypted(key.as_ref().map(|_| true))
        .set_kms_key_id(key.clone())
        .set_snapshot_copy_completion_duration_minutes(job.settings.publish.copy_within)
        .tag_specifications(tagged(ResourceType::Image))
        .tag_specifications(tagged(ResourceType::Snapshot))
}

/// 64 characters of ASCII at most:
/// <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>. It makes one copy of one
/// try's calls. The next try has another: with the same one EC2 would give a copy that failed again.
fn token(run: &str, image_id: &str, region: &str, started: &str) -> String {
    let digest = Sha256::digest(format!("{run}\n{image_id}\n{region}\n{started}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn a_token_is_the_same_for_the_same_copy_and_fits() {
        let one = token("run", "ami-1", "us-east-1", "now");
        assert_eq!(one, token("run", "ami-1", "us-east-1", "now"));
        assert_ne!(one, token("run", "ami-1", "us-east-2", "now"));
        assert_ne!(one, token("run", "ami-1", "us-east-1", "later"));
        assert_eq!(one.len(), 64);
    }
}
