//! A copy of the image.

/// A copy in another Region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageCopy {
    /// The Region.
    pub(crate) region: String,
    /// The copy's id.
    pub(crate) image_id: String,
    /// Whether it was seen available; otherwise it was not waited for.
    pub(crate) available: bool,
    /// The ids of its snapshots; none where it was not waited for.
    pub(crate) snapshots: Vec<String>,
}
