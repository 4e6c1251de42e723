//! What EC2 refuses to do to Spot Instances.

use crate::ec2::Instance;
use crate::fake_aws::Reply;

/// StopInstances' refusal of most Spot Instances
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html>).
pub(super) fn refuse_stop(instance: &Instance) -> Result<(), Reply> {
    match instance.spot.as_deref() {
        None | Some("persistent") => Ok(()),
        Some(_) => Err(Reply::error(
            400,
            "UnsupportedOperation",
            format!(
                "You can't stop the Spot Instance '{}' because it is associated with a one-time Spot Instance request. \
                 You can only stop Spot Instances associated with persistent Spot Instance requests.",
                instance.id
            ),
        )),
    }
}
