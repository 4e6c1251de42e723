//! What can come back: where a retention rule of the Recycle Bin covers an image, EC2 keeps it there when it is
//! deregistered, with its snapshots, whose storage is billed until then
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/recycle-bin-working-with-amis.html>).

use crate::job::{Regional, timestamp};
use aws::error::AwsError;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// How many ids a call takes
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ListImagesInRecycleBin.html>).
const IDS_A_CALL: usize = 20;

/// Until when each deregistered image can be restored; says it, and when it cannot be found out.
pub(crate) async fn restorable(
    regional: &Regional,
    gone: &[String],
) -> BTreeMap<String, Timestamp> {
    let region = &regional.region;
    let mut found = BTreeMap::new();
    for some in gone.chunks(IDS_A_CALL) {
        let call = regional.ec2.list_images_in_recycle_bin();
        let reply = call.set_image_ids(Some(some.to_vec())).send().await;
        let reply = match reply {
            Ok(reply) => reply,
            Err(error) => {
                let error = AwsError::of(&error);
                tracing::info!(
                    "whether images are in the Recycle Bin of {region} is not known: ec2:ListImagesInRecycleBin: {error}"
                );
                return found;
            }
        };
        for image in reply.images() {
            let (Some(id), Some(until)) = (image.image_id(), image.recycle_bin_exit_time()) else {
                continue;
            };
            let until = timestamp(until);
            tracing::info!(
                "image {id} is in the Recycle Bin until {until}; `aws ec2 restore-image-from-recycle-bin --region {region} --image-id {id}` brings it back"
            );
            found.insert(id.to_owned(), until);
        }
    }
    found
}
