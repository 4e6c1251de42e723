//! Reading and hashing many files, on all cores.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::{FoundFile, TreeError};
use crate::digest::Digest;
use crate::parallel;
use crate::secrets;

/// What reading one file tells.
pub(super) struct Content {
    pub(super) size: u64,
    pub(super) sha256: Digest,
    pub(super) private_key: Option<String>,
}

/// Reads all files; the result has their order. The first unreadable file, in that order, is the error.
pub(super) fn read_all(files: &[FoundFile], scan: bool) -> Result<Vec<Content>, TreeError> {
    parallel::map(files, |file| {
        read_one(&file.source, scan).map_err(|source| TreeError::Read {
            path: file.shown.clone(),
            source,
        })
    })
    .into_iter()
    .collect()
}

fn read_one(path: &Path, scan: bool) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut size = 0;
    // Most files fit whole; of larger ones the beginning is searched for keys, the rest streamed.
    let mut buffer = Vec::new();
    let limit = secrets::SCAN_LIMIT as u64;
    file.by_ref().take(limit).read_to_end(&mut buffer)?;
    let private_key = if scan {
        secrets::private_key(&buffer)
    } else {
        None
    };
    while !buffer.is_empty() {
        hasher.update(&buffer);
        size += buffer.len() as u64;
        if (buffer.len() as u64) < limit {
            break;
        }
        buffer.clear();
        file.by_ref().take(limit).read_to_end(&mut buffer)?;
    }
    Ok(Content {
        size,
        sha256: Digest::finish(hasher),
        private_key,
    })
}
