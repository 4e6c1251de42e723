//! What happens to an available image: copies, sharing, deprecation, the SSM parameter last of all.

pub(crate) mod image_copy;
pub(crate) mod instance_types;
pub(crate) mod preconditions;
pub(crate) mod protect;

use crate::cleanup::undo;
use crate::image::create::{is_good, is_worthless};
use crate::image::describe::{by_id, tagged};
use crate::image::tags::sdk_tags;
use crate::image::wait_available::{self, Verified};
use crate::job::{Job, Regional, timestamp_of};
use crate::journal::Journal;
use crate::plan::RUN_TAG;
use crate::publish::image_copy::ImageCopy;
use crate::settings::modes::Protect;
use crate::settings::values::Principal;
use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::{self, Ended, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Image, LaunchPermission,
    LaunchPermissionModifications, ResourceType, SnapshotAttributeName, TagSpecification,
};
use aws_sdk_ssm::types::ParameterType;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Does everything that the settings ask, in order; notes each copy in the journal as soon as its id is known.
pub(crate) async fn publish(
    job: &Job,
    tags: &BTreeMap<String, String>,
    verified: &Verified,
    journal: &mut Journal,
) -> Result<Vec<ImageCopy>, Failure> {
    let publish = &job.settings.publish;
    let mut copies = Vec::new();
    // All are asked for before the first is waited for: they go on at the same time.
    for region in &publish.copy_to {
        let regional = job.regional(region);
        let image_id = copy(job, &regional, tags, verified, journal).await?;
        journal.note(&regional, &image_id);
        copies.push((regional, image_id));
    }
    in_time(job)?;
    // Before anybody else may launch it.
    let restricting = instance_types::restrict(job, &job.home, &verified.image_id);
    job.unless_stopped(STOPPED, restricting).await??;
    let sharing = share(&job.home, verified, &publish.share_with);
    job.unless_stopped(STOPPED, sharing).await??;
    let deprecate_at = deprecate_at(job, &verified.image_id).await?;
    let mut done = Vec::new();
    for (regional, image_id) in copies {
        if publish.copy_wait {
            let volumes = verified.snapshots.len();
            let copied = match wait_available::wait(job, &regional, &image_id, volumes).await {
                Ok(copied) => copied,
                // The image itself is good and stays; a bad copy of it does not.
                Err(bad) if bad.failure.exit() == Exit::Failed => {
                    journal.made.retain(|made| made.image_id != image_id);
                    job.give_time_to_undo();
                    return Err(undo::copy(
                        journal,
                        &regional,
                        &image_id,
                        bad.is_gone,
                        bad.failure,
                    )
                    .await);
                }
                Err(unfinished) => return Err(unfinished.failure),
            };
            let restricting = instance_types::restrict(job, &regional, &image_id);
            job.unless_stopped(STOPPED, restricting).await??;
            let sharing = share(&regional, &copied, &publish.share_with);
            job.unless_stopped(STOPPED, sharing).await??;
        }
        let deprecating = deprecate(&regional, &image_id, deprecate_at);
        job.unless_stopped(STOPPED, deprecating).await??;
        done.push(ImageCopy {
            region: regional.region,
            image_id,
            available: publish.copy_wait,
        });
    }
    let deprecating = deprecate(&job.home, &verified.image_id, deprecate_at);
    job.unless_stopped(STOPPED, deprecating).await??;
    in_time(job)?;
    if publish.protect != Protect::No {
        journal.protected = true;
        protect::protect(job, &verified.image_id, &done).await?;
    }
    if let Some(name) = &publish.ssm_parameter {
        parameter(job, name, &verified.image_id).await?;
    }
    Ok(done)
}

const STOPPED: &str = "stopped before the image was published";

/// Whether there is no signal and no deadline yet.
fn in_time(job: &Job) -> Result<(), Failure> {
    if let Some(signal) = job.context.interrupt.pending() {
        return Err(Failure::interrupted(signal, STOPPED));
    }
    if Instant::now() >= job.context.deadline {
        let late = "the deadline passed before the image was published";
        return Err(Failure::new(Exit::Deadline, late));
    }
    Ok(())
}

/// Copies the image to a Region, once: CopyImage has a client token, and an earlier try's copy is found
/// by its tag when the token is forgotten.
async fn copy(
    job: &Job,
    regional: &Regional,
    tags: &BTreeMap<String, String>,
    verified: &Verified,
    journal: &mut Journal,
) -> Result<String, Failure> {
    let run = &journal.run.clone();
    let earlier = tagged(regional, RUN_TAG, run).await?;
    if let Some(id) = good(&earlier, verified) {
        tracing::info!("adopting the copy {id} in {}", regional.region);
        return Ok(id);
    }
    let stale = earlier.iter().filter(|image| is_good(image));
    for id in stale.clone().filter_map(|image| image.image_id()) {
        tracing::warn!(
            "{id} in {} carries this run's key and is no copy of {}; it stays as it is",
            regional.region,
            verified.image_id
        );
    }
    remove_failed(regional, &earlier).await?;
    let (id, name) = (&verified.image_id, &verified.name);
    let token = token(run, id, &regional.region, &job.clock.start_nanos_key());
    let call = copy_request(job, regional, tags, id, name).client_token(token);
    let operation = format!(
        "cannot copy image {} from {} to {}",
        verified.image_id, job.home.region, regional.region
    );
    // Not raced against signals: an id that is on its way must be seen.
    let reply = match call.send().await {
        Ok(reply) => reply,
        Err(error) => {
            let error = AwsError::of(&error);
            // Where no answer of EC2's own came back, the copy may have been made all the same.
            if error.code.is_none() || error.status >= Some(500) {
                journal.lost_copies.push(regional.clone());
            }
            // The copy of a try that was killed a moment ago, which was not listed before.
            if error.is("InvalidAMIName.Duplicate")
                && let Some(id) = appears(job, regional, run, verified)
                    .await
                    .map_err(|failure| failure.cause(format!("CopyImage met last: {error}")))?
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
fn good(images: &[Image], of: &Verified) -> Option<String> {
    let is_copy = |image: &&Image| match image.source_image_id() {
        Some(source) => source == of.image_id,
        // Where the source is not told, the name has to do.
        None => image.name() == Some(of.name.as_str()),
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
) -> Result<Option<String>, Failure> {
    let look = async || {
        let images = tagged(regional, RUN_TAG, run).await?;
        Ok(match good(&images, verified) {
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

/// The request that copies an image of this Region to another, but for its token.
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

/// Shares an image: its snapshots first, or the other account could see an image that it cannot launch.
async fn share(regional: &Regional, image: &Verified, with: &[Principal]) -> Result<(), Failure> {
    if with.is_empty() {
        return Ok(());
    }
    let words = with.iter().map(ToString::to_string).collect::<Vec<_>>();
    let words = words.join(", ");
    // Organizations are not known to snapshots: the image's permission reaches them.
    let accounts: Vec<&String> = with
        .iter()
        .filter_map(|principal| match principal {
            Principal::Account(id) => Some(id),
            Principal::Organization(_) | Principal::OrganizationalUnit(_) => None,
        })
        .collect();
    for snapshot in image.snapshots.iter().filter(|_| !accounts.is_empty()) {
        let added = accounts
            .iter()
            .map(|id| CreateVolumePermission::builder().user_id(*id).build());
        let added = CreateVolumePermissionModifications::builder().set_add(Some(added.collect()));
        let call = regional
            .ec2
            .modify_snapshot_attribute()
            .snapshot_id(&snapshot.id)
            .attribute(SnapshotAttributeName::CreateVolumePermission)
            .create_volume_permission(added.build());
        call.send().await.map_err(|error| {
            let operation = format!(
                "cannot share snapshot {} in {} with {words}",
                snapshot.id, regional.region
            );
            AwsError::of(&error).failure(operation, "ec2:ModifySnapshotAttribute")
        })?;
    }
    let added = with.iter().map(|principal| {
        let permission = LaunchPermission::builder();
        match principal {
            Principal::Account(id) => permission.user_id(id),
            Principal::Organization(arn) => permission.organization_arn(arn),
            Principal::OrganizationalUnit(arn) => permission.organizational_unit_arn(arn),
        }
        .build()
    });
    let added = LaunchPermissionModifications::builder().set_add(Some(added.collect()));
    let call = regional
        .ec2
        .modify_image_attribute()
        .image_id(&image.image_id)
        .launch_permission(added.build());
    call.send().await.map_err(|error| {
        let operation = format!(
            "cannot share image {} in {} with {words}",
            image.image_id, regional.region
        );
        AwsError::of(&error).failure(operation, "ec2:ModifyImageAttribute")
    })?;
    tracing::info!(
        "shared {} in {} with {words}",
        image.image_id,
        regional.region
    );
    Ok(())
}

/// When image and copies are deprecated: so long after the image was made, whenever it is published.
async fn deprecate_at(job: &Job, image_id: &str) -> Result<Option<DateTime>, Failure> {
    let Some(after) = job.settings.publish.deprecate_after else {
        return Ok(None);
    };
    let image = by_id(&job.home, image_id).await?;
    let made = image.and_then(|image| timestamp_of(image.creation_date()?));
    let now = job.clock.now();
    let seconds = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
    let at = made.unwrap_or(now).as_second().saturating_add(seconds);
    // EC2 refuses a date that is less than a minute away.
    Ok(Some(DateTime::from_secs(at.max(now.as_second() + 60))))
}

async fn deprecate(
    regional: &Regional,
    image_id: &str,
    at: Option<DateTime>,
) -> Result<(), Failure> {
    let Some(at) = at else { return Ok(()) };
    let call = regional.ec2.enable_image_deprecation().image_id(image_id);
    call.deprecate_at(at).send().await.map_err(|error| {
        let operation = format!(
            "cannot set when image {image_id} in {} is deprecated",
            regional.region
        );
        AwsError::of(&error).failure(operation, "ec2:EnableImageDeprecation")
    })?;
    tracing::info!("{image_id} in {} is deprecated from {at}", regional.region);
    Ok(())
}

/// SSM checks an image's id after it has answered, and keeps the old value when it does not like it
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html>).
const READ_BACK_WITHIN: Duration = Duration::from_secs(60);
const PACE: Pace = Pace {
    first: Duration::from_millis(300),
    longest: Duration::from_secs(5),
};

async fn parameter(job: &Job, name: &str, image_id: &str) -> Result<(), Failure> {
    let region = &job.home.region;
    let ssm = aws_sdk_ssm::Client::new(&job.session.config);
    let put = ssm
        .put_parameter()
        .name(name)
        .value(image_id)
        .r#type(ParameterType::String)
        .data_type("aws:ec2:image")
        .overwrite(true);
    put.send().await.map_err(|error| {
        let operation = format!("cannot write {image_id} to parameter {name} in {region}");
        AwsError::of(&error).failure(operation, "ssm:PutParameter and ec2:DescribeImages")
    })?;
    let what = format!("parameter {name} in {region} to hold {image_id}");
    let look = async || {
        let reply = ssm.get_parameter().name(name).send().await;
        let found = match reply {
            Ok(reply) => reply
                .parameter()
                .and_then(|parameter| parameter.value())
                .unwrap_or_default()
                .to_owned(),
            Err(error) => {
                let error = AwsError::of(&error);
                if error.is("ParameterNotFound") {
                    return Ok(Look::NotYet("it is not there yet".to_owned()));
                }
                let operation = format!("cannot read parameter {name} in {region} back");
                return Err(error.failure(operation, "ssm:GetParameter"));
            }
        };
        Ok(if found == image_id {
            Look::There(())
        } else {
            Look::NotYet(format!("it holds {found:?}"))
        })
    };
    // From here on the parameter may hold the image: neither signal nor deadline may end in its removal.
    let deadline = Instant::now() + READ_BACK_WITHIN;
    job.session.limit.extend(deadline);
    let waited = wait::until(&what, deadline, &Interrupt::never(), PACE, look).await;
    waited.map_err(|ended| match ended {
        wait::Ended::Deadline(seen) => Failure::failed(format!(
            "parameter {name} in {region} did not take {image_id}; {seen}"
        ))
        .hint("SSM keeps the old value when it finds the image not available to it"),
        ended => ended.into_failure(&what),
    })?;
    tracing::info!("parameter {name} holds {image_id}");
    Ok(())
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
