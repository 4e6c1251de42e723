//! What still names an image. EC2's own answer covers instances, launch templates, SSM parameters and
//! Image Builder recipes; launch templates' default and latest versions and running instances are asked
//! beside it, so that no one source decides alone. What other accounts do with an image nobody can see:
//! one that is shared counts as used (<https://github.com/trussworks/truss-aws-tools/issues/176>).

use super::images::is_unknown;
use crate::job::Place;
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
pub struct References {
    /// The references of each image; an image without any is absent.
    pub of: Found,
    /// Images that EC2 says it does not know, with its words: of them it told nothing.
    pub unknown: BTreeMap<String, AwsError>,
}

/// The references of each image.
///
/// # Errors
/// A failed call: then nobody may conclude that there is none.
pub async fn of(place: &Place, images: &[String]) -> Result<References, Failure> {
    let mut found = References::default();
    for some in images.chunks(IMAGES_A_CALL) {
        told_by_ec2(place, some, &mut found).await?;
        launch_templates(place, some, &mut found.of).await?;
        instances(place, some, &mut found.of).await?;
    }
    for references in found.of.values_mut() {
        references.sort();
        references.dedup();
    }
    Ok(found)
}

/// Whom an image is shared with, in words; EC2's own words when it does not know the image.
///
/// # Errors
/// A failed call: then nobody may conclude that there is none.
pub async fn shared_with(
    place: &Place,
    image_id: &str,
) -> Result<Result<Vec<String>, AwsError>, Failure> {
    let call = place
        .ec2
        .describe_image_attribute()
        .image_id(image_id)
        .attribute(ImageAttributeName::LaunchPermission);
    match call.send().await {
        Ok(reply) => Ok(Ok(reply.launch_permissions().iter().map(whom).collect())),
        Err(error) => match AwsError::of(&error) {
            error if is_unknown(&error) => Ok(Err(error)),
            error => Err(failure(place, &error, "ec2:DescribeImageAttribute")),
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

/// One image that EC2 does not know makes it refuse the call for all: it is left out, and the rest asked about again.
async fn told_by_ec2(
    place: &Place,
    images: &[String],
    found: &mut References,
) -> Result<(), Failure> {
    let mut known = images.to_vec();
    while !known.is_empty() {
        let error = match ask_ec2(place, &known).await {
            Ok(references) => {
                for reference in references {
                    if let (Some(image), Some(arn)) = (reference.image_id, reference.arn) {
                        found.of.entry(image).or_default().push(arn);
                    }
                }
                return Ok(());
            }
            Err(error) => error,
        };
        // One at least in each round, so that there are no more rounds than images.
        let named = named_unknown(&error, &known);
        if named.is_empty() {
            return Err(failure(place, &error, "ec2:DescribeImageReferences"));
        }
        known.retain(|id| !named.contains(id));
        let unknown = named.into_iter().map(|id| (id, error.clone()));
        found.unknown.extend(unknown);
    }
    Ok(())
}

/// Those of the images that EC2 names as unknown: `The image id '[ami-1]' does not exist`, or several of them
/// (<https://github.com/cloud-custodian/cloud-custodian/pull/3630>).
fn named_unknown(error: &AwsError, images: &[String]) -> Vec<String> {
    if !is_unknown(error) {
        return Vec::new();
    }
    let said = error.to_string();
    let words: Vec<&str> = said
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .collect();
    let is_named = |id: &&String| words.contains(&id.as_str());
    images.iter().filter(is_named).cloned().collect()
}

async fn ask_ec2(place: &Place, images: &[String]) -> Result<Vec<ImageReference>, AwsError> {
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
    all.map_err(|error| AwsError::of(&error))
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
        failure(
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
        all.map_err(|error| failure(place, &AwsError::of(&error), "ec2:DescribeInstances"))?;
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
pub(super) fn failure(place: &Place, error: &AwsError, action: &str) -> Failure {
    let deed = format!("cannot find out what refers to images in {}", place.region);
    error.failure(deed, action)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::named_unknown;
    use aws::error::AwsError;
    use aws_sdk_ec2::error::SdkError;
    use aws_sdk_ec2::operation::describe_image_references::DescribeImageReferencesError;
    use aws_smithy_runtime_api::http::{Response, StatusCode};

    fn refusal(code: &str, message: &str) -> AwsError {
        let metadata = aws_sdk_ec2::error::ErrorMetadata::builder();
        let metadata = metadata.code(code).message(message).build();
        let error = DescribeImageReferencesError::generic(metadata);
        let status = StatusCode::try_from(400).unwrap();
        AwsError::of(&SdkError::service_error(
            error,
            Response::new(status, "".into()),
        ))
    }

    #[test]
    fn the_images_that_ec2_names_are_found_in_its_words() {
        let ids = [
            "ami-1a2b3c4d",
            "ami-1a2b3c4d5e6f78901",
            "ami-0ffffffffffffffff",
        ];
        let ids = ids.map(str::to_owned);
        let named = |code, message| named_unknown(&refusal(code, message), &ids);
        let one = "The image id '[ami-1a2b3c4d5e6f78901]' does not exist";
        assert_eq!(named("InvalidAMIID.NotFound", one), ids[1..2]);
        let two = "The image ids '[ami-1a2b3c4d, ami-1a2b3c4d5e6f78901]' do not exist";
        assert_eq!(named("InvalidAMIID.NotFound", two), ids[..2]);
        let gone = "The image ID 'ami-0ffffffffffffffff' is no longer available";
        assert_eq!(named("InvalidAMIID.Unavailable", gone), ids[2..]);
        // Nothing is left out for another reason, or without a name.
        assert_eq!(named("InvalidParameterValue", one), [] as [String; 0]);
        assert_eq!(named("InvalidAMIID.NotFound", "no"), [] as [String; 0]);
    }
}
