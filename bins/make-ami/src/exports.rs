//! What the next action gets.

use crate::image::wait_available::Verified;
use action::export::Exports;
use action::failure::Failure;
use action::program::Output;

pub(crate) fn exports(verified: &Verified) -> Result<Output, Failure> {
    let mut exports = Exports::new();
    let fault = |fault| Failure::failed("cannot export the image").cause(fault);
    exports.add("AMI_ID", &verified.image_id).map_err(fault)?;
    exports.add("AMI_NAME", &verified.name).map_err(fault)?;
    exports
        .add("AMI_SNAPSHOT_IDS", verified.snapshot_ids().join(","))
        .map_err(fault)?;
    Ok(Output::Exports(exports))
}

/// The exports of `start`: the image is requested, and nothing more is known of it.
pub(crate) fn started(image_id: &str, name: &str) -> Result<Output, Failure> {
    tracing::warn!(
        "{image_id} is requested, not available: finish it with `make-ami wait --image {image_id}` before anything uses it"
    );
    let mut exports = Exports::new();
    let fault = |fault| Failure::failed("cannot export the image").cause(fault);
    exports.add("AMI_ID", image_id).map_err(fault)?;
    exports.add("AMI_NAME", name).map_err(fault)?;
    Ok(Output::Exports(exports))
}
