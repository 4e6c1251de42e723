//! What a finished run made.

use crate::cost::Stored;
use crate::image::spec::ImageSpec;
use crate::image::wait_available::Verified;
use crate::publish::image_copy::ImageCopy;
use crate::retention::retire;
use crate::scan::outcome::Scanned;
use crate::warm::measure::WarmStart;
use jiff::Timestamp;
use std::time::Duration;

/// All that a finished run has to tell.
#[derive(Debug)]
pub(crate) struct Finished {
    /// What was made.
    pub(crate) spec: ImageSpec,
    /// The image, proven.
    pub(crate) verified: Verified,
    pub(crate) copies: Vec<ImageCopy>,
    /// What it stores.
    pub(crate) stored: Stored,
    /// What became of older images.
    pub(crate) retired: Vec<retire::Step>,
    /// How long the instance stood still, where that was measured.
    pub(crate) frozen: Option<Duration>,
    /// What its warm start saved, where it had one.
    pub(crate) warm_start: Option<WarmStart>,
    /// When the image was found available.
    pub(crate) available: Timestamp,
    /// What its scan found, where there was one.
    pub(crate) scanned: Option<Scanned>,
}
