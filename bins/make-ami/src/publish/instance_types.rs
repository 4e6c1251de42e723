//! The instance types that an image may be launched on: RunInstances refuses every other one
//! (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceImageInstanceTypeSpecification.html>).

use crate::job::{Job, Regional};
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::InstanceTypeSpecificationRequest;

/// Restricts an image to the instance types of the settings, where they name some.
pub(crate) async fn restrict(
    job: &Job,
    regional: &Regional,
    image_id: &str,
) -> Result<(), Failure> {
    let Some(types) = specification(job) else {
        return Ok(());
    };
    let call = regional.ec2.replace_image_instance_type_specification();
    let call = call.image_id(image_id).instance_type_specification(types);
    call.send().await.map_err(|error| {
        let operation = format!(
            "cannot restrict image {image_id} in {} to instance types",
            regional.region
        );
        let action = "ec2:ReplaceImageInstanceTypeSpecification";
        AwsError::of(&error).failure(operation, action)
    })?;
    Ok(())
}

/// What the settings say of instance types, if anything.
pub(crate) fn specification(job: &Job) -> Option<InstanceTypeSpecificationRequest> {
    let types = &job.settings.publish.instance_types;
    let request = InstanceTypeSpecificationRequest::builder();
    let request = request.set_supported_instance_types(Some(types.clone()));
    (!types.is_empty()).then(|| request.build())
}
