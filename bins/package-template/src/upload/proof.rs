//! What proves that an object holds what it should: S3's own SHA-256 of its bytes, or the bytes.
//!
//! Metadata proves nothing. It comes with the upload, so that it says the right thing of an upload that
//! something changed on its way.

use std::io::Cursor;

use action::failure::Failure;
use aws_sdk_s3::operation::put_object::PutObjectOutput;
use bundle::digest::Digest;
use bundle::unpack::{self, Limits};

use crate::archive::Archive;
use crate::limits::MAX_ARCHIVE;
use crate::references::Asset;
use crate::upload::object::Place;
use crate::upload::reply;
use crate::upload::uploader::{Seen, Uploader};

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
            tracing::warn!("{place} claims to hold this content, but holds other content");
        }
        Ok(is_ours)
    }

    /// Whether what is under an asset's key is that asset, by proof.
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
