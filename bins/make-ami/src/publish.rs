//! What happens to an available image: watermarks, copies, sharing, deprecation, the SSM parameter last of all.

pub(crate) mod encrypted_copy;
pub(crate) mod image_copy;
pub(crate) mod imds;
mod in_time;
pub(crate) mod instance_types;
pub(crate) mod preconditions;
pub(crate) mod protect;

use crate::cleanup::undo;
use crate::image::describe::by_id;
use crate::image::wait_available::{self, Verified};
use crate::job::{Job, Regional, timestamp_of};
use crate::journal::Journal;
use crate::provenance::watermark;
use crate::publish::image_copy::{ImageCopy, copy};
use crate::publish::in_time::{STOPPED, in_time};
use crate::settings::modes::Protect;
use crate::settings::values::Principal;
use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use action::wait::{self, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName,
};
use aws_sdk_ssm::types::ParameterType;
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
    // Before it is copied: a copy inherits what the image has.
    let attaching = Box::pin(watermark::attach(job, &job.home, &verified.image_id));
    job.unless_stopped(STOPPED, attaching).await??;
    let mut copies = Vec::new();
    // All are asked for before the first is waited for: they go on at the same time.
    for region in &publish.copy_to {
        let regional = job.regional(region);
        let image_id = copy(job, &regional, tags, verified, &verified.name, journal).await?;
        journal.note(&regional, &image_id);
        copies.push((regional, image_id));
    }
    in_time(job)?;
    // Before anybody else may launch it.
    let restricting = instance_types::restrict(job, &job.home, &verified.image_id);
    job.unless_stopped(STOPPED, restricting).await??;
    imds::require(job, &job.home, &verified.image_id).await?;
    let sharing = share(&job.home, verified, &publish.share_with);
    job.unless_stopped(STOPPED, sharing).await??;
    let deprecate_at = deprecate_at(job, &verified.image_id).await?;
    let mut done = Vec::new();
    for (regional, image_id) in copies {
        let mut snapshots = Vec::new();
        if publish.copy_wait {
            let volumes = verified.snapshots.len();
            let copied = match wait_available::wait(job, &regional, &image_id, volumes).await {
                Ok(copied) => copied,
                // The image itself is good and stays; a bad copy of it does not.
                Err(bad) if bad.failure.exit() == Exit::Failed => {
                    journal.made.retain(|made| made.image_id != image_id);
                    job.give_time_to_undo();
                    return Err(undo::copy(journal, &regional, &image_id, &[], bad).await);
                }
                Err(unfinished) => return Err(unfinished.failure),
            };
            // One that an earlier try made, or of an endpoint that passes none on, has none yet.
            let attaching = Box::pin(watermark::attach(job, &regional, &image_id));
            job.unless_stopped(STOPPED, attaching).await??;
            let restricting = instance_types::restrict(job, &regional, &image_id);
            job.unless_stopped(STOPPED, restricting).await??;
            imds::require(job, &regional, &image_id).await?;
            let sharing = share(&regional, &copied, &publish.share_with);
            job.unless_stopped(STOPPED, sharing).await??;
            snapshots = copied.snapshot_ids();
        }
        let deprecating = deprecate(&regional, &image_id, deprecate_at);
        job.unless_stopped(STOPPED, deprecating).await??;
        done.push(ImageCopy {
            region: regional.region,
            image_id,
            available: publish.copy_wait,
            snapshots,
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
