//! What fits into the value of a tag.

/// The most that the value of a tag may hold. AWS counts 256 characters; no character is less than a byte
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>).
pub(crate) const MAX_TAG_BYTES: usize = 256;

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
