//! What still names an image. EC2's own answer covers instances, launch templates, SSM parameters and
//! Image Builder recipes; launch templates' default and latest versions and running instances are asked
//! beside it, so that no one source decides alone. What other accounts do with an image nobody can see:
//! one that is shared counts as used (<https://github.com/trussworks/truss-aws-tools/issues/176>).

use crate::image::describe::is_unknown;
use crate::job::Regional;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::{
    Filter, ImageAttributeName, ImageReference, ImageReferenceOptionName,
    ImageReferenceResourceType, LaunchPermission, ResourceTypeOption, ResourceTypeRequest,
};
use std::collections::BTreeMap;

/// DescribeImageReferences takes so many images in a call
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageReferences.html>).
const IMAGES_A_CALL: usize = 10;
/// How many versions of a launch template are looked at, from the latest: the most that EC2 takes, where its
/// default is 10 (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResourceTypeOption.html>).
const VERSION_DEPTH: &str = "10000";

/// What names images.
#[derive(Debug, Default)]
pub(crate) struct References {
    /// The references of each image; an image without any is absent.
    pub(crate) of: Found,
    /// Images that EC2 says it does not know, with its words: of them it told nothing.
    pub(crate) unknown: BTreeMap<String, AwsError>,
}

/// The references of each image.
pub(crate) async fn of(regional: &Regional, images: &[String]) -> Result<References, Failure> {
    let mut found = References::default();
    for some in images.chunks(IMAGES_A_CALL) {
        told_by_ec2(regional, some, &mut found).await?;
        launch_templates(regional, some, &mut found.of).await?;
        instances(regional, some, &mut found.of).await?;
    }
    for references in found.of.values_mut() {
        references.sort();
        references.dedup();
    }
    Ok(found)
}

/// Whom an image is shared with, in words; EC2's own words when it does not know the image.
pub(crate) async fn shared_with(
    regional: &Regional,
    image_id: &str,
) -> Result<Result<Vec<String>, AwsError>, Failure> {
    let call = regional
        .ec2
        .describe_image_attribute()
        .image_id(image_id)
        .attribute(ImageAttributeName::LaunchPermission);
    match call.send().await {
        Ok(reply) => Ok(Ok(reply.launch_permissions().iter().map(whom).collect())),
        Err(error) => match AwsError::of(&error) {
            error if is_unknown(&error) => Ok(Err(error)),
            error => Err(failure(regional, &error, "ec2:DescribeImageAttribute")),
        },
    }
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

/// The references of images, by the images' ids.
type Found = BTreeMap<String, Vec<String>>;

/// One image that EC2 does not know makes it refuse the call for all: each is asked about alone then, so that the
/// refusal is of that one.
async fn told_by_ec2(
    regional: &Regional,
    images: &[String],
    found: &mut References,
) -> Result<(), Failure> {
    let error = match ask_ec2(regional, images).await {
        Ok(references) => {
            found.add(references);
            return Ok(());
        }
        Err(error) => error,
    };
    if !is_unknown(&error) {
        return Err(failure(regional, &error, "ec2:DescribeImageReferences"));
    }
    if let [image] = images {
        found.unknown.insert(image.clone(), error);
        return Ok(());
    }
    for image in images {
        Box::pin(told_by_ec2(regional, std::slice::from_ref(image), found)).await?;
    }
    Ok(())
}

impl References {
    fn add(&mut self, references: Vec<ImageReference>) {
        for reference in references {
            if let (Some(image), Some(arn)) = (reference.image_id, reference.arn) {
                self.of.entry(image).or_default().push(arn);
            }
        }
    }
}

async fn ask_ec2(regional: &Regional, images: &[String]) -> Result<Vec<ImageReference>, AwsError> {
    let call = regional
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
    all.map_err(|error| AwsError::of(&error))
}

fn images_filter(images: &[String]) -> Filter {
    Filter::builder()
        .name("image-id")
        .set_values(Some(images.to_vec()))
        .build()
}

async fn launch_templates(
    regional: &Regional,
    images: &[String],
    found: &mut Found,
) -> Result<(), Failure> {
    // Without a template's id, EC2 answers for all of them.
    let call = regional
        .ec2
        .describe_launch_template_versions()
        .versions("$Default")
        .versions("$Latest")
        .filters(images_filter(images));
    let pages = call.into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    let all = all.map_err(|error| {
        failure(
            regional,
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

async fn instances(
    regional: &Regional,
    images: &[String],
    found: &mut Found,
) -> Result<(), Failure> {
    let call = regional
        .ec2
        .describe_instances()
        .filters(images_filter(images));
    let pages = call.into_paginator().items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    let all =
        all.map_err(|error| failure(regional, &AwsError::of(&error), "ec2:DescribeInstances"))?;
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

/// The failure of a look for references.
pub(crate) fn failure(regional: &Regional, error: &AwsError, action: &str) -> Failure {
    let operation = format!(
        "cannot find out what refers to images in {}",
        regional.region
    );
    error.failure(operation, action)
}
