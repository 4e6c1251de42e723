//! What proves that an object holds what it should: S3's own SHA-256 of its bytes, or the bytes.
//!
//! Metadata proves nothing. It comes with the upload, so that it says the right thing of an upload that
//! something changed on its way.

use std::io::Cursor;

use action::failure::Failure;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use aws_sdk_s3::types::ChecksumType;
use aws_smithy_types::base64;
use bundle::digest::Digest;
use bundle::unpack::{self, Limits};

use super::object::Place;
use super::{Seen, Uploader, reply};
use crate::archive::{Archive, MAX_ARCHIVE};
use crate::references::Asset;

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

/// The digest of what an archive holds; none when it cannot be read as one.
fn digest_of(archive: &[u8]) -> Option<Digest> {
    let limits = Limits {
        bytes: 4 * MAX_ARCHIVE,
        ..Limits::default()
    };
    unpack::digest(Cursor::new(archive), limits).ok()
}

impl Uploader<'_> {
    /// Whether the key holds this archive's content, by proof. Other bytes may hold the same content,
    /// from another version of the compressor: what claims to is read.
    ///
    /// # Errors
    /// It must be read and cannot be.
    pub(super) async fn holds(&self, seen: &Seen, archive: &Archive) -> Result<bool, Failure> {
        if seen.sha256 == Some(archive.sha256) {
            return Ok(true);
        }
        if seen.claim != Some(archive.digest) || seen.size > MAX_ARCHIVE {
            return Ok(false);
        }
        let place = self.archive_place();
        let bytes = self.read(&place, seen).await?.into_bytes();
        let is_ours = digest_of(&bytes) == Some(archive.digest);
        if !is_ours {
            tracing::warn!("{place} says that it holds this content, and holds another");
        }
        Ok(is_ours)
    }

    /// Whether what is under an asset's key is that asset, by proof.
    ///
    /// # Errors
    /// It must be read and cannot be.
    pub(super) async fn holds_asset(
        &self,
        place: &Place<'_>,
        seen: &Seen,
        asset: &Asset,
    ) -> Result<bool, Failure> {
        if seen.sha256 == Some(asset.sha256) {
            return Ok(true);
        }
        if seen.size > MAX_ARCHIVE.max(asset.bytes.len() as u64) {
            return Ok(false);
        }
        let bytes = self.read(place, seen).await?.into_bytes();
        if Digest::of(&bytes) == asset.sha256 {
            return Ok(true);
        }
        let digest = digest_of(&bytes);
        Ok(digest.is_some() && digest == digest_of(&asset.bytes))
    }

    /// The version of the archive just stored, once it is proven: by the checksum in the answer, or, from
    /// servers that answer none, by what is there now.
    ///
    /// # Errors
    /// Something was stored that is not what was sent, or that has no version; it is named.
    pub(super) async fn verified(
        &self,
        answer: &PutObjectOutput,
        archive: &Archive,
    ) -> Result<String, Failure> {
        let unproven = match reply::verified(answer, archive, self.target) {
            Ok(version) => return Ok(version),
            Err(failure) => failure,
        };
        let (None, Some(version)) = (answer.checksum_sha256(), answer.version_id()) else {
            return Err(unproven);
        };
        let now = self.look_at_key().await;
        let now = now.map_err(|blind| unproven.clone().and(blind))?;
        let is_ours = match &now {
            Some(now) if now.version.as_deref() == Some(version) => self
                .holds(now, archive)
                .await
                .map_err(|blind| unproven.clone().and(blind))?,
            _ => false,
        };
        if is_ours {
            Ok(version.to_owned())
        } else {
            Err(unproven)
        }
    }
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
