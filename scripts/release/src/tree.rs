//! A packed release as it lies in a folder, `scripts/pack-release`'s, read whole and checked.
//!
//! ```text
//! latest                               the newest version, a line
//! releases/VERSION/SHA256SUMS          the sum of every file of the release, with its name
//! releases/VERSION/SHA256SUMS.minisig  the signature over it
//! blobs/SHA256                         the files, by their sums
//! ```
//!
//! The bucket has the same layout below its prefix, and `scripts/install-actions` reads either.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use action::failure::Failure;
use bundle::digest::Digest;

use crate::version::Version;

/// A release that was found whole.
#[derive(Debug)]
pub struct Release {
    /// Its version.
    pub version: Version,
    /// The files by their sums: lower-case hexadecimal SHA-256, and where the file lies.
    pub blobs: BTreeMap<String, PathBuf>,
    /// The list of sums.
    pub sums: Vec<u8>,
    /// Its signature.
    pub signature: Vec<u8>,
}

/// Reads the release that the folder's `latest` names, and compares every file with its sum.
///
/// # Errors
/// A refusal: something is missing, or is not what the list of sums says.
pub fn read(folder: &Path) -> Result<Release, Failure> {
    let refused = |what: String| {
        Failure::refused(format!("{what}; nothing was published"))
            .hint("scripts/pack-release makes such a folder")
    };
    let file = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| refused(format!("cannot read {}", path.display())).cause(error))
    };
    let latest = String::from_utf8_lossy(&file(&folder.join("latest"))?)
        .trim()
        .to_owned();
    let version: Version = latest.parse().map_err(refused)?;
    let of_version = folder.join("releases").join(&latest);
    let sums = file(&of_version.join("SHA256SUMS"))?;
    let signature = file(&of_version.join("SHA256SUMS.minisig"))?;
    let signed = format!("trusted comment: pipeline-actions {version}");
    let text = String::from_utf8_lossy(&signature).into_owned();
    if text.lines().nth(2) != Some(signed.as_str()) {
        return Err(refused(format!(
            "the signature is not one of release {version}"
        )));
    }
    let mut blobs = BTreeMap::new();
    for line in String::from_utf8_lossy(&sums).lines() {
        let sum = line.split_once("  ").map(|(sum, _)| sum);
        let sum: Digest = match sum.map(str::parse) {
            Some(Ok(sum)) => sum,
            _ => return Err(refused(format!("SHA256SUMS has a line {line:?}"))),
        };
        let name = sum.to_string();
        let path = folder.join("blobs").join(&name);
        if Digest::of(&file(&path)?) != sum {
            return Err(refused(format!(
                "{} is not what its name says",
                path.display()
            )));
        }
        blobs.insert(name, path);
    }
    if blobs.is_empty() {
        return Err(refused("SHA256SUMS names no file".to_owned()));
    }
    Ok(Release {
        version,
        blobs,
        sums,
        signature,
    })
}
