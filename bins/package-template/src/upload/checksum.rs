//! What S3 says of an object's bytes.

use aws_sdk_s3::types::ChecksumType;
use aws_smithy_types::base64;
use bundle::digest::Digest;

/// The SHA-256 of an object's bytes, from what S3 tells. An upload in parts has a checksum of
/// checksums (`COMPOSITE`, or with `-` and the number of parts), which says nothing about one archive.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>
pub(super) fn whole_sha256(checksum: Option<&str>, kind: Option<&ChecksumType>) -> Option<Digest> {
    if kind.is_some_and(|kind| *kind != ChecksumType::FullObject) {
        return None;
    }
    let bytes = base64::decode(checksum?).ok()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::whole_sha256;
    use aws_sdk_s3::types::ChecksumType;
    use bundle::digest::Digest;

    #[test]
    fn only_the_sum_of_all_bytes_is_one() {
        let nothing = Digest::of(b"");
        let sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        assert_eq!(
            whole_sha256(Some(sum), Some(&ChecksumType::FullObject)),
            Some(nothing)
        );
        // Some servers do not tell the type.
        assert_eq!(whole_sha256(Some(sum), None), Some(nothing));
        assert_eq!(
            whole_sha256(Some(sum), Some(&ChecksumType::Composite)),
            None
        );
        assert_eq!(whole_sha256(Some(&format!("{sum}-2")), None), None);
        assert_eq!(whole_sha256(Some("AAAA"), None), None);
        assert_eq!(whole_sha256(None, Some(&ChecksumType::FullObject)), None);
    }
}
