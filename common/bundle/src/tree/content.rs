//! Reading and hashing many files, on all cores.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::found::FoundFile;
use super::{Rules, TreeError};
use crate::digest::Digest;
use crate::manifest::Mode;
use crate::parallel;
use crate::secrets;

/// What reading one file tells.
pub(super) struct Content {
    pub(super) mode: Mode,
    pub(super) size: u64,
    pub(super) sha256: Digest,
    pub(super) segments: Vec<Digest>,
    pub(super) private_key: Option<String>,
}

/// Reads all files; the result has their order. The first unreadable file, in that order, is the error.
pub(super) fn read_all(files: &[FoundFile], rules: &Rules) -> Result<Vec<Content>, TreeError> {
    let failed = |file: &FoundFile, source| TreeError::Read {
        path: file.shown.clone(),
        source,
    };
    let read = parallel::map(files, 16, buffer, |buffer, file| {
        read_one(&file.source, rules, buffer).map_err(|source| failed(file, source))
    });
    let mut contents = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let Some(length) = rules.segments else {
        return Ok(contents);
    };
    let segments: Vec<(usize, u64)> = contents
        .iter()
        .enumerate()
        .filter(|(_, content)| content.size > length)
        .flat_map(|(at, content)| (0..content.size.div_ceil(length)).map(move |n| (at, n)))
        .collect();
    let hashed = parallel::map(&segments, 1, buffer, |buffer, (at, n)| {
        let (from, all) = (n * length, contents[*at].size);
        hash_segment(&files[*at].source, from, length.min(all - from), buffer)
            .map_err(|source| failed(&files[*at], source))
    });
    for ((at, _), digest) in segments.iter().zip(hashed) {
        contents[*at].segments.push(digest?);
    }
    for content in &mut contents {
        if !content.segments.is_empty() {
            content.sha256 = Digest::of_segments(&content.segments);
        }
    }
    Ok(contents)
}

/// What a thread reads into. Most files fit whole.
fn buffer() -> Vec<u8> {
    vec![0; secrets::SCAN_LIMIT]
}

/// Reads a file to its end; one that is hashed by segments only as far as keys are looked for.
fn read_one(path: &Path, rules: &Rules, buffer: &mut [u8]) -> io::Result<Content> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    let bits = metadata.permissions().mode();
    let mode = Mode::from_bits(bits);
    let mut content = Content {
        mode: match rules.private_modes && bits & 0o044 == 0 {
            true => mode.private(),
            false => mode,
        },
        size: 0,
        sha256: Digest::of(b""),
        segments: Vec::new(),
        private_key: None,
    };
    let mut hasher = Sha256::new();
    loop {
        let left = metadata.len().saturating_sub(content.size);
        let read = fill(&mut file, buffer, left)?;
        let found = &buffer[..read];
        if content.size == 0 && rules.refuse_private_keys {
            content.private_key = secrets::private_key(found);
        }
        if rules.segments.is_some_and(|length| metadata.len() > length) {
            content.size = metadata.len();
            return Ok(content);
        }
        hasher.update(found);
        content.size += read as u64;
        if read < buffer.len() {
            content.sha256 = Digest::finish(hasher);
            return Ok(content);
        }
    }
}

/// Fills the buffer as far as the file reaches. That it ends where its length says so is not asked
/// again: a system call for each of many small files.
fn fill(file: &mut File, buffer: &mut [u8], left: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if filled as u64 == left {
            break;
        }
    }
    Ok(filled)
}

fn hash_segment(path: &Path, from: u64, length: u64, buffer: &mut [u8]) -> io::Result<Digest> {
    let file = File::open(path)?;
    let mut hasher = Sha256::new();
    let (mut at, end) = (from, from + length);
    while at < end {
        let most = (end - at).min(buffer.len() as u64) as usize;
        // A file that became shorter meanwhile is an error, not another content.
        file.read_exact_at(&mut buffer[..most], at)?;
        hasher.update(&buffer[..most]);
        at += most as u64;
    }
    Ok(Digest::finish(hasher))
}
