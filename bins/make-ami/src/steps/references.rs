//! What still names an image. EC2's own answer covers instances, launch templates, SSM parameters and
//! Image Builder recipes; launch templates' default and latest versions and running instances are asked
//! beside it, so that no one source decides alone. What other accounts do with an image nobody can see:
//! one that is shared counts as used (<https://github.com/trussworks/truss-aws-tools/issues/176>).

use crate::job::Place;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::{
    Filter, ImageAttributeName, ImageReferenceOptionName, ImageReferenceResourceType,
    LaunchPermission, ResourceTypeOption, ResourceTypeRequest,
};
use std::collections::BTreeMap;

/// DescribeImageReferences takes so many images in a call
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html>).
const IMAGES_A_CALL: usize = 10;
/// How many versions of a launch template are looked at, from the latest: the most that EC2 takes, where its
/// default is 10 (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResourceTypeOption.html>).
const VERSION_DEPTH: &str = "10000";

/// The references of each image; an image without any is absent.
///
/// # Errors
/// A failed call: then nobody may conclude that there is none.
pub async fn of(
    place: &Place,
    images: &[String],
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for some in images.chunks(IMAGES_A_CALL) {
        told_by_ec2(place, some, &mut found).await?;
        launch_templates(place, some, &mut found).await?;
        instances(place, some, &mut found).await?;
    }
    for references in found.values_mut() {
        references.sort();
        references.dedup();
    }
    Ok(found)
}

/// Whom an image is shared with, in words.
///
/// # Errors
/// A failed call: then nobody may conclude that there is none.
pub async fn shared_with(place: &Place, image_id: &str) -> Result<Vec<String>, Failure> {
    let call = place
        .ec2
        .describe_image_attribute()
        .image_id(image_id)
        .attribute(ImageAttributeName::LaunchPermission);
    let reply = call
        .send()
        .await
        .map_err(|error| unknown(place, &AwsError::of(&error), "ec2:DescribeImageAttribute"))?;
    Ok(reply.launch_permissions().iter().map(whom).collect())
}

fn whom(permission: &LaunchPermission) -> String {
    let arn = permission
        .organization_arn()
        .or(permission.organizational_unit_arn());
    match (permission.user_id(), arn) {
        (Some(id), _) => format!("a launch permission of account {id}"),
        (None, Some(arn)) => format!("a launch permission of {arn}"),
        (None, None) => "a launch permission of everybody".to_owned(),
    }
}

type Found = BTreeMap<String, Vec<String>>;

async fn told_by_ec2(place: &Place, images: &[String], found: &mut Found) -> Result<(), Failure> {
    let call = place
        .ec2
        .describe_image_references()
        .set_image_ids(Some(images.to_vec()))
        .include_all_resource_types(true)
        // Beside all, this overrides the one default that is too small.
        .resource_types(
            ResourceTypeRequest::builder()
                .resource_type(ImageReferenceResourceType::Ec2LaunchTemplate)
                .resource_type_options(
                    ResourceTypeOption::builder()
                        .option_name(ImageReferenceOptionName::VersionDepth)
                        .option_values(VERSION_DEPTH)
                        .build(),
                )
                .build(),
        );
    let pages = call.into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    let all =
        all.map_err(|error| unknown(place, &AwsError::of(&error), "ec2:DescribeImageReferences"))?;
    for reference in all {
        let (Some(image), Some(arn)) = (reference.image_id(), reference.arn()) else {
            continue;
        };
        found
            .entry(image.to_owned())
            .or_default()
            .push(arn.to_owned());
    }
    Ok(())
}

fn images_filter(images: &[String]) -> Filter {
    Filter::builder()
        .name("image-id")
        .set_values(Some(images.to_vec()))
        .build()
}

async fn launch_templates(
    place: &Place,
    images: &[String],
    found: &mut Found,
) -> Result<(), Failure> {
    // Without a template's id, EC2 answers for all of them.
    let call = place
        .ec2
        .describe_launch_template_versions()
        .versions("$Default")
        .versions("$Latest")
        .filters(images_filter(images));
    let pages = call.into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    let all = all.map_err(|error| {
        unknown(
            place,
            &AwsError::of(&error),
            "ec2:DescribeLaunchTemplateVersions",
        )
    })?;
    for version in all {
        let image = version
            .launch_template_data()
            .and_then(|data| data.image_id());
        let (Some(image), Some(id)) = (image, version.launch_template_id()) else {
            continue;
        };
        let number = version.version_number().unwrap_or_default();
        let reference = format!("launch template {id} version {number}");
        found.entry(image.to_owned()).or_default().push(reference);
    }
    Ok(())
}

async fn instances(place: &Place, images: &[String], found: &mut Found) -> Result<(), Failure> {
    let call = place
        .ec2
        .describe_instances()
        .filters(images_filter(images));
    let pages = call.into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    let all =
        all.map_err(|error| unknown(place, &AwsError::of(&error), "ec2:DescribeInstances"))?;
    for instance in all.iter().flat_map(|one| one.instances()) {
        let state = instance.state().and_then(|state| state.name());
        let is_gone =
            state.is_some_and(|state| ["terminated", "shutting-down"].contains(&state.as_str()));
        let (Some(image), Some(id), false) = (instance.image_id(), instance.instance_id(), is_gone)
        else {
            continue;
        };
        let reference = format!("instance {id}");
        found.entry(image.to_owned()).or_default().push(reference);
    }
    Ok(())
}

fn unknown(place: &Place, error: &AwsError, action: &str) -> Failure {
    let deed = format!("cannot find out what refers to images in {}", place.region);
    error.failure(deed, action)
}
