//! Asking for images and snapshots.

use crate::job::Regional;
use crate::plan::RUN_TAG;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::{Filter, Image, Snapshot};

/// The account's images with a tag of just this value; disabled and deprecated ones too.
pub(crate) async fn tagged(
    regional: &Regional,
    key: &str,
    value: &str,
) -> Result<Vec<Image>, Failure> {
    let mut images = own(regional, &format!("tag:{key}"), value).await?;
    // What is adopted and removed by its tag must have it, whatever the endpoint makes of a filter.
    images.retain(|image| tag(image, key) == Some(value));
    Ok(images)
}

/// The account's images with this name: one at most, unless EC2 errs.
pub(crate) async fn named(regional: &Regional, name: &str) -> Result<Vec<Image>, Failure> {
    let mut images = own(regional, "name", name).await?;
    images.retain(|image| image.name() == Some(name));
    Ok(images)
}

/// The ids of the account's images that hold a snapshot.
pub(crate) async fn using(regional: &Regional, snapshot_id: &str) -> Result<Vec<String>, Failure> {
    let images = own(regional, "block-device-mapping.snapshot-id", snapshot_id).await?;
    Ok(images
        .into_iter()
        .filter_map(|image| image.image_id)
        .collect())
}

async fn own(regional: &Regional, filter: &str, value: &str) -> Result<Vec<Image>, Failure> {
    let filter = ec2::equals(filter, value);
    // A disabled image still owns its name, and is hidden unless asked for.
    let pages = regional
        .ec2
        .describe_images()
        .owners("self")
        .include_disabled(true)
        .include_deprecated(true)
        .filters(filter)
        .into_paginator();
    let all: Result<Vec<Image>, _> = pages.items().send().collect().await;
    all.map_err(|error| {
        let operation = format!("cannot look for images in {}", regional.region);
        AwsError::of(&error).failure(operation, "ec2:DescribeImages")
    })
}

/// An image of the account by its id; nothing when EC2 does not know it (yet, or any more), or it is of another
/// account: tags on a shared image are our own, and say nothing of who made it.
pub(crate) async fn by_id(regional: &Regional, image_id: &str) -> Result<Option<Image>, Failure> {
    let call = regional
        .ec2
        .describe_images()
        .image_ids(image_id)
        .owners("self")
        .include_disabled(true);
    match call.send().await {
        Ok(reply) => Ok(reply
            .images
            .unwrap_or_default()
            .into_iter()
            .find(|image| image.image_id() == Some(image_id))),
        Err(error) => {
            let error = AwsError::of(&error);
            if is_unknown(&error) {
                return Ok(None);
            }
            let operation = format!("cannot look up image {image_id} in {}", regional.region);
            Err(error.failure(operation, "ec2:DescribeImages"))
        }
    }
}

/// Whether EC2 does not know an image that it was asked for: never made, not listed yet, or deregistered. `.Malformed`
/// would be an answer about the id itself.
pub(crate) fn is_unknown(error: &AwsError) -> bool {
    error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable")
}

/// The snapshots of an image's mapping.
pub(crate) fn snapshot_ids(image: &Image) -> Vec<String> {
    image
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| mapping.ebs()?.snapshot_id())
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The key of the run that made an image, if its tag names one.
pub(crate) fn run(image: &Image) -> Option<&str> {
    tag(image, RUN_TAG).filter(|run| !run.is_empty())
}

/// The value of an image's tag.
pub(crate) fn tag<'a>(image: &'a Image, key: &str) -> Option<&'a str> {
    let tags = image.tags().iter();
    tags.filter(|tag| tag.key() == Some(key))
        .find_map(|tag| tag.value())
}

/// The snapshots of an image as far as they are known: those of its mapping, or, while EC2 does not
/// show the mapping (<https://github.com/bottlerocket-os/bottlerocket/issues/1066>), those whose
/// description names the image, as CreateImage writes it.
pub(crate) async fn snapshots_of(
    regional: &Regional,
    image_id: &str,
    mapped: &[String],
) -> Result<Vec<Snapshot>, Failure> {
    if mapped.is_empty() {
        let described = format!("Created by CreateImage(*) for {image_id}*");
        let described = Filter::builder().name("description").values(described);
        let mut snapshots = snapshots(regional, described.build()).await?;
        // An id of eight digits may be the start of a longer one.
        snapshots.retain(|snapshot| names(snapshot.description().unwrap_or_default(), image_id));
        return Ok(snapshots);
    }
    let call = regional
        .ec2
        .describe_snapshots()
        .set_snapshot_ids(Some(mapped.to_vec()));
    match call.send().await {
        Ok(reply) => Ok(reply.snapshots.unwrap_or_default()),
        Err(error) => {
            let error = AwsError::of(&error);
            if error.is("InvalidSnapshot.NotFound") {
                return Ok(Vec::new());
            }
            let operation = format!(
                "cannot look up snapshots {} in {}",
                mapped.join(", "),
                regional.region
            );
            Err(error.failure(operation, "ec2:DescribeSnapshots"))
        }
    }
}

/// Whether a description holds this id as a word of its own.
fn names(description: &str, id: &str) -> bool {
    description.split_whitespace().any(|word| word == id)
}

/// The account's snapshots with a tag of just this value.
pub(crate) async fn snapshots_tagged(
    regional: &Regional,
    key: &str,
    value: &str,
) -> Result<Vec<Snapshot>, Failure> {
    let mut snapshots = snapshots(regional, ec2::equals(&format!("tag:{key}"), value)).await?;
    snapshots.retain(|snapshot| {
        let mut tags = snapshot.tags().iter();
        tags.any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
    });
    Ok(snapshots)
}

/// The account's snapshots by one filter.
pub(crate) async fn snapshots(
    regional: &Regional,
    filter: Filter,
) -> Result<Vec<Snapshot>, Failure> {
    let call = regional.ec2.describe_snapshots().owner_ids("self");
    let pages = call.filters(filter).into_paginator();
    let all: Result<Vec<Snapshot>, _> = pages.items().send().collect().await;
    all.map_err(|error| {
        let operation = format!("cannot look for snapshots in {}", regional.region);
        AwsError::of(&error).failure(operation, "ec2:DescribeSnapshots")
    })
}
