//! What a folder holds, compared with a tree by content, on all cores.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use bundle::digest::{Digest, Hasher};
use bundle::manifest::{Kind, Mode};
use bundle::names::bytes;
use bundle::parallel;
use rustix::io::Errno;

use crate::fault::{Fault, What};
use crate::tree::{SEGMENT, Tree, size};
use crate::within::Within;

/// How much is read at once, in bytes.
pub(crate) const BLOCK: usize = 256 * 1024;

/// Everything of a tree that a folder does not hold as it should. What else lies there is not looked at, nor is an empty
/// folder, which carries nothing.
pub(crate) fn faults(root: &OwnedFd, tree: &Tree) -> Vec<Fault> {
    let entries: Vec<(&String, &Kind)> = tree.iter().collect();
    let found = parallel::map(
        &entries,
        16,
        || Reader::new(root),
        |reader, (path, kind)| found(&mut reader.within, &mut reader.buffer, path, kind),
    );
    let mut wrong: Vec<Option<What>> = Vec::with_capacity(found.len());
    let mut segments = Vec::new();
    for (at, found) in found.into_iter().enumerate() {
        wrong.push(match found {
            Found::Fine => None,
            Found::Wrong(what) => Some(what),
            Found::Long => {
                let count = size(entries[at].1).div_ceil(SEGMENT);
                segments.extend((0..count).map(|n| (at, n)));
                None
            }
        });
    }
    let hashed = parallel::map(
        &segments,
        1,
        || Reader::new(root),
        |reader, (at, n)| {
            let (path, kind) = entries[*at];
            segment(&mut reader.within, &mut reader.buffer, path, size(kind), *n)
        },
    );
    let mut digests = segments.iter().zip(hashed).peekable();
    while let Some(((at, _), first)) = digests.next() {
        let mut all = vec![first];
        while let Some((_, next)) = digests.next_if(|((next, _), _)| next == at) {
            all.push(next);
        }
        wrong[*at] = match all.into_iter().collect::<Result<Vec<_>, _>>() {
            Err(what) => Some(what),
            Ok(all) if has(entries[*at].1, &Digest::of_segments(&all)) => None,
            Ok(_) => Some(What::Content),
        };
    }
    let wrong = entries.iter().zip(wrong);
    wrong
        .filter_map(|((path, _), what)| {
            Some(Fault {
                path: (*path).clone(),
                what: what?,
            })
        })
        .collect()
}

/// Whether a file shall have this content.
pub(crate) fn has(kind: &Kind, digest: &Digest) -> bool {
    matches!(kind, Kind::File { sha256, .. } if sha256 == digest)
}

/// What is wrong with one entry.
pub(crate) fn what_is_wrong(
    within: &mut Within<'_>,
    buffer: &mut [u8],
    path: &str,
    kind: &Kind,
) -> Option<What> {
    match found(within, buffer, path, kind) {
        Found::Fine => None,
        Found::Wrong(what) => Some(what),
        Found::Long => {
            let segment = |n| segment(within, buffer, path, size(kind), n);
            let digests = (0..size(kind).div_ceil(SEGMENT)).map(segment);
            match digests.collect::<Result<Vec<_>, _>>() {
                Err(what) => Some(what),
                Ok(all) => (!has(kind, &Digest::of_segments(&all))).then_some(What::Content),
            }
        }
    }
}

enum Found {
    Fine,
    Wrong(What),
    /// Its segments are still to be hashed.
    Long,
}

/// What one thread reads with.
struct Reader<'a> {
    within: Within<'a>,
    buffer: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn new(root: &'a OwnedFd) -> Self {
        Self {
            within: Within::new(root),
            buffer: vec![0; BLOCK],
        }
    }
}

fn found(within: &mut Within<'_>, buffer: &mut [u8], path: &str, kind: &Kind) -> Found {
    let name = bytes::to_bytes(path);
    match kind {
        Kind::EmptyDir => Found::Fine,
        Kind::Symlink { target } => match within.link(&name) {
            Ok(text) if text == bytes::to_bytes(target) => Found::Fine,
            _ => Found::Wrong(What::Link),
        },
        Kind::File { mode, size, .. } => {
            let Ok((file, stat)) = within.open(&name) else {
                return Found::Wrong(What::Missing);
            };
            if u64::try_from(stat.st_size) != Ok(*size) {
                return Found::Wrong(What::Content);
            }
            match of_mode(stat.st_mode, *mode) {
                None if *size > SEGMENT => Found::Long,
                Some(What::Mode) => Found::Wrong(What::Mode),
                otherwise => of_content(&file, kind, buffer, otherwise),
            }
        }
    }
}

/// That others may not read a file is told only of one that is right otherwise.
fn of_content(file: &File, kind: &Kind, buffer: &mut [u8], otherwise: Option<What>) -> Found {
    let size = size(kind);
    let digest = match size > SEGMENT {
        true => hash_by_segments(file, size, buffer),
        false => hash(file, 0, size, buffer),
    };
    match (digest, otherwise) {
        (Err(_), _) => Found::Wrong(What::Missing),
        (Ok(digest), _) if !has(kind, &digest) => Found::Wrong(What::Content),
        (Ok(_), Some(what)) => Found::Wrong(what),
        (Ok(_), None) => Found::Fine,
    }
}

fn segment(
    within: &mut Within<'_>,
    buffer: &mut [u8],
    path: &str,
    size: u64,
    n: u64,
) -> Result<Digest, What> {
    let (file, _) = within
        .open(&bytes::to_bytes(path))
        .map_err(|_| What::Missing)?;
    let from = n * SEGMENT;
    hash(&file, from, SEGMENT.min(size - from), buffer).map_err(|_| What::Missing)
}

/// What is wrong with the permissions of a file.
pub(crate) fn of_mode(found: u32, wanted: Mode) -> Option<What> {
    let is_private = found & 0o044 == 0;
    if (found & 0o100 != 0) != wanted.is_executable() || (wanted.is_private() && !is_private) {
        return Some(What::Mode);
    }
    (is_private && !wanted.is_private()).then_some(What::Private)
}

/// The digest of a part of a file, as far as it reaches.
pub(crate) fn hash(
    file: &File,
    from: u64,
    length: u64,
    buffer: &mut [u8],
) -> Result<Digest, Errno> {
    let mut hasher = Hasher::default();
    let (mut at, end) = (from, from + length);
    while at < end {
        let most = (end - at).min(buffer.len() as u64) as usize;
        match file.read_at(&mut buffer[..most], at) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                at += read as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        }
    }
    Ok(hasher.finish())
}

fn hash_by_segments(file: &File, size: u64, buffer: &mut [u8]) -> Result<Digest, Errno> {
    let count = size.div_ceil(SEGMENT);
    let segment = |n: u64| {
        let from = n * SEGMENT;
        hash(file, from, SEGMENT.min(size - from), buffer)
    };
    let digests = (0..count).map(segment).collect::<Result<Vec<_>, _>>()?;
    Ok(Digest::of_segments(&digests))
}
