//! Removing the image of a failed run.

use crate::steps::available::snapshot_ids;
use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ec2::Client;

/// Deregisters the image, deletes its snapshots, and adds to `failure` whatever could not be
/// removed, with the command that removes it.
pub async fn image(ec2: &Client, session: &Session, image_id: &str, failure: Failure) -> Failure {
    tracing::warn!(image_id, "removing the unfinished image");
    let region = &session.region;
    // Asked before deregistering: afterwards nobody knows which snapshots were its own.
    let described = ec2
        .describe_images()
        .image_ids(image_id)
        .include_disabled(true)
        .send()
        .await;
    let (snapshots, unlisted) = match described {
        Ok(reply) => {
            let images = reply.images.unwrap_or_default();
            (
                images.iter().flat_map(snapshot_ids).collect::<Vec<_>>(),
                images.is_empty(),
            )
        }
        Err(_) => (Vec::new(), true),
    };
    let mut failure = failure;
    let deregister = format!(
        "aws ec2 deregister-image --region {region} --image-id {image_id} --delete-associated-snapshots"
    );
    let call = ec2
        .deregister_image()
        .image_id(image_id)
        .delete_associated_snapshots(true);
    if let Err(error) = call.send().await {
        let error = AwsError::of(&error);
        let gone = error.is("InvalidAMIID.NotFound") || error.is("InvalidAMIID.Unavailable");
        // An image that was never listed may still appear; one that was listed is gone.
        if !gone || unlisted {
            return failure.remains(format!("image {image_id} ({error})"), deregister);
        }
    }
    for snapshot in snapshots {
        let Err(error) = ec2.delete_snapshot().snapshot_id(&snapshot).send().await else {
            continue;
        };
        let error = AwsError::of(&error);
        if !error.is("InvalidSnapshot.NotFound") {
            let command =
                format!("aws ec2 delete-snapshot --region {region} --snapshot-id {snapshot}");
            failure = failure.remains(format!("snapshot {snapshot} ({error})"), command);
        }
    }
    // Exit 6 promises that the run can be resumed; after cleaning up there is nothing to resume.
    if failure.exit() == Exit::Deadline {
        failure = failure.with_exit(Exit::Failed);
    }
    if failure.remainders().is_empty() {
        tracing::info!(
            image_id,
            "the unfinished image and its snapshots are removed"
        );
    }
    failure
}
