//! Reading and hashing many files, on all cores.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::error::TreeError;
use super::found::Item;
use super::rules::Rules;
use crate::digest::Digest;
use crate::manifest::Mode;
use crate::opener::Opener;
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

/// Reads all files; the result has their order, with none for what is no file. The first unreadable file, in that
/// order, is the error.
pub(super) fn read_all(items: &[Item], rules: &Rules) -> Result<Vec<Option<Content>>, TreeError> {
    let failed = |item: &Item, source| TreeError::Read {
        path: item.shown(),
        source,
    };
    let read = parallel::map(items, 16, Reader::default, |reader, item| {
        if item.kind.is_some() {
            return Ok(None);
        }
        let read = reader.read(&item.source, rules);
        read.map(Some).map_err(|source| failed(item, source))
    });
    let mut contents = read.into_iter().collect::<Result<Vec<_>, _>>()?;
    let Some(length) = rules.segments else {
        return Ok(contents);
    };
    let segments: Vec<(usize, u64, u64)> = contents
        .iter()
        .enumerate()
        .filter_map(|(at, content)| Some((at, content.as_ref()?.size)))
        .filter(|(_, size)| *size > length)
        .flat_map(|(at, size)| (0..size.div_ceil(length)).map(move |n| (at, size, n)))
        .collect();
    let hashed = parallel::map(&segments, 1, Reader::default, |reader, (at, size, n)| {
        let (from, item) = (n * length, &items[*at]);
        hash_segment(
            &item.source,
            from,
            length.min(size - from),
            &mut reader.buffer,
        )
        .map_err(|source| failed(item, source))
    });
    for ((at, ..), digest) in segments.iter().zip(hashed) {
        let digest = digest?;
        if let Some(content) = &mut contents[*at] {
            content.segments.push(digest);
        }
    }
    for content in contents.iter_mut().flatten() {
        if !content.segments.is_empty() {
            content.sha256 = Digest::of_segments(&content.segments);
        }
    }
    Ok(contents)
}

/// What one thread reads with.
struct Reader {
    /// What it reads into. Most files fit whole.
    buffer: Vec<u8>,
    opener: Opener,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            buffer: vec![0; secrets::SCAN_LIMIT],
            opener: Opener::default(),
        }
    }
}

impl Reader {
    /// Reads a file to its end; one that is hashed by segments only as far as keys are looked for.
    fn read(&mut self, path: &Path, rules: &Rules) -> io::Result<Content> {
        let mut file = self.opener.open(path)?;
        let buffer = &mut self.buffer;
        let metadata = file.metadata()?;
        let bits = metadata.permissions().mode();
        let mode = Mode::from_bits(bits);
        let (mut size, mut private_key) = (0, None);
        let mut hasher = Sha256::new();
        let sha256 = loop {
            let left = metadata.len().saturating_sub(size);
            let read = fill(&mut file, buffer, left)?;
            let found = &buffer[..read];
            if size == 0 && rules.refuse_private_keys {
                private_key = secrets::private_key(found);
            }
            if rules.segments.is_some_and(|length| metadata.len() > length) {
                size = metadata.len();
                // Of its segments, once they are hashed.
                break Digest::of_segments(&[]);
            }
            hasher.update(found);
            size += read as u64;
            if read < buffer.len() {
                break Digest::finish(hasher);
            }
        };
        Ok(Content {
            mode: match rules.private_modes && bits & 0o044 == 0 {
                true => mode.private(),
                false => mode,
            },
            size,
            sha256,
            segments: Vec::new(),
            private_key,
        })
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
