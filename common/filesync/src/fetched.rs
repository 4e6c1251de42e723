//! The stream of a release that the host fetched itself, from elsewhere than the connection.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};

use bundle::digest::{Digest, Hasher};

use crate::error::StoreError;
use crate::layout::Paths;
use crate::receive::{Incoming, Received, receive};

/// Receives a release whose stream lies at [`Paths::fetched`], once it has this digest. The file goes in any case.
///
/// # Errors
/// As [`receive()`], and when the file is not there or is another one.
pub fn receive_fetched(
    paths: &Paths,
    incoming: &Incoming,
    digest: Digest,
) -> Result<Received, StoreError> {
    let path = paths.fetched(&incoming.release);
    let failed = |error| StoreError::at("read", &path, error);
    let mut file = File::open(paths.below(&path)).map_err(failed)?;
    // It has no name any more, so that nothing of it stays behind whatever comes.
    fs::remove_file(paths.below(&path)).map_err(failed)?;
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).map_err(failed)? {
            0 => break,
            count => hasher.update(&buffer[..count]),
        }
    }
    if hasher.finish() != digest {
        return Err(StoreError::Stream(
            "is not what was stored for the host".to_owned(),
        ));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    receive(paths, incoming, file)
}
