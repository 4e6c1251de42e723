//! What the version in the bucket holds, to tell what an upload would change.

use std::io::Cursor;

use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_s3::primitives::ByteStream;
use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest};
use bundle::unpack::{Content, Limits, contents};
use contract::diff::{self, Changes};
use contract::template::Template;

use crate::archive::Archive;
use crate::limits::MAX_ARCHIVE;
use crate::upload::decision::Decision;
use crate::upload::uploader::Uploader;

/// The archive in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Current {
    /// There is none, or it is the same.
    Nothing,
    /// What is there cannot be read as an archive: why.
    Unreadable(String),
    /// Its files.
    Files(Vec<Content>),
}

/// What an upload would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Files of the archive.
    pub entries: Changes,
    /// Sections of the template with what changes in them; nothing when the old one cannot be read.
    pub template: Option<Vec<(&'static str, Changes)>>,
}

impl Uploader<'_> {
    /// Fetches what would be replaced. Reads only.
    pub(crate) async fn current(&self, decision: &Decision) -> Result<Current, Failure> {
        let Decision::Replace { version, .. } = decision else {
            return Ok(Current::Nothing);
        };
        let deed = format!("cannot read {} to compare with it", self.object());
        let ask = async || {
            let call = self.client.get_object().bucket(&self.target.name);
            let call = call
                .key(&self.target.key)
                .set_version_id(version.clone())
                .set_expected_bucket_owner(self.target.owner.clone());
            let answer = call.send().await.map_err(|error| {
                let action = "s3:GetObject (and s3:GetObjectVersion) on the key";
                AwsError::of(&error).failure(&deed, action)
            })?;
            let length = u64::try_from(answer.content_length().unwrap_or_default());
            if let Ok(length) = length
                && length > MAX_ARCHIVE
            {
                return Ok((Some(length), ByteStream::default()));
            }
            Ok((None, answer.body))
        };
        let reading = aws::body::whole(&deed, ask);
        let (too_long, body) = self
            .bounded("the present version was read", reading)
            .await??;
        if let Some(length) = too_long {
            return Ok(Current::Unreadable(format!("it has {length} bytes")));
        }
        let bytes = body.into_bytes();
        let limits = Limits {
            bytes: 4 * MAX_ARCHIVE,
            ..Limits::default()
        };
        Ok(match contents(Cursor::new(bytes), limits) {
            Ok(files) => Current::Files(files),
            Err(error) => Current::Unreadable(error.to_string()),
        })
    }
}

/// What would change, by the names in the archive and by the meaning of the template.
pub(crate) fn difference(files: &[Content], archive: &Archive) -> Difference {
    let template = || {
        let old = files.iter().find(|file| file.name == archive.template)?;
        let old = Template::parse(&old.name, &old.bytes).ok()?;
        let new = archive.manifest.get(&archive.template)?.read().ok()?;
        let new = Template::parse(&archive.template, &new).ok()?;
        Some(diff::changes(&old, &new))
    };
    Difference {
        entries: entries(files, &archive.manifest),
        template: template(),
    }
}

fn entries(files: &[Content], manifest: &Manifest) -> Changes {
    let mut changes = Changes::default();
    for entry in manifest.entries() {
        let old = files.iter().find(|file| file.name == entry.path);
        let same = match (&entry.kind, old) {
            // Folders were left out of what was read.
            (Kind::EmptyDir, _) => continue,
            (_, None) => {
                changes.added.push(entry.path.clone());
                continue;
            }
            (Kind::File { mode, sha256, .. }, Some(old)) => {
                *mode == old.mode && *sha256 == Digest::of(&old.bytes)
            }
            (Kind::Symlink { target }, Some(old)) => target.as_bytes() == old.bytes,
        };
        if !same {
            changes.changed.push(entry.path.clone());
        }
    }
    for file in files {
        if manifest.get(&file.name).is_none() {
            changes.removed.push(file.name.clone());
        }
    }
    changes
}
