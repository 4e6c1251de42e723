//! Where the snapshots of an instance outside of an Availability Zone are stored.

use crate::job::Job;
use crate::settings::modes::SnapshotLocation;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::Instance;

/// Refuses a place that CreateImage refuses: only of an instance in a Local Zone or on an Outpost
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>). Whether an Outpost supports local
/// snapshots EC2 alone knows.
pub(crate) async fn check(job: &Job, instance: &Instance, id: &str) -> Result<(), Failure> {
    let Some(location) = job.settings.snapshot_location else {
        return Ok(());
    };
    let is_on_outpost = instance.outpost_arn().is_some();
    let copies = !job.settings.publish.copy_to.is_empty();
    if is_on_outpost && location == SnapshotLocation::Local && copies {
        return Err(Failure::refused(format!(
            "EC2 copies no image from an Outpost to a Region, and the snapshots of {id} would stay on its Outpost; nothing was touched"
        ))
        .hint("set MAKE_AMI_SNAPSHOT_LOCATION=regional, or leave MAKE_AMI_COPY_TO out"));
    }
    if is_on_outpost {
        return Ok(());
    }
    let zone = instance
        .placement()
        .and_then(|placement| placement.availability_zone());
    let zone = zone.unwrap_or_default();
    let kind = zone_type(job, zone).await?;
    if kind == "local-zone" {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "instance {id} is in {zone}, of type {kind}: EC2 takes MAKE_AMI_SNAPSHOT_LOCATION only for instances in Local Zones and on Outposts; nothing was touched"
    )))
}

/// `availability-zone`, `local-zone` or `wavelength-zone`.
async fn zone_type(job: &Job, zone: &str) -> Result<String, Failure> {
    let call = job.home.ec2.describe_availability_zones().zone_names(zone);
    let reply = call.send().await.map_err(|error| {
        let operation = format!("cannot look at zone {zone} in {}", job.home.region);
        AwsError::of(&error).failure(operation, "ec2:DescribeAvailabilityZones")
    })?;
    let kind = reply
        .availability_zones()
        .iter()
        .find_map(|zone| zone.zone_type());
    Ok(kind.unwrap_or("unknown").to_owned())
}
