//! Putting a large file together from the one of the release before and the parts that were sent.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;

use bundle::digest::Digest;
use bundle::manifest::Kind;
use bundle::names::bytes;
use bundle::parallel;
use rustix::io::Errno;

use super::before::Before;
use crate::compare::{BLOCK, has, hash};
use crate::copy;
use crate::error::StoreError;
use crate::fault::What;
use crate::pieces::Part;
use crate::stamp::Look;
use crate::stream::broken;
use crate::tree::{SEGMENT, size};
use crate::within::Within;

/// One such file.
pub(super) struct Assembly<'a> {
    pub(super) path: &'a str,
    pub(super) kind: &'a Kind,
    pub(super) parts: &'a [Part],
    pub(super) before: Option<&'a Before>,
    pub(super) folder: &'a OwnedFd,
}

/// Why it cannot be put together.
enum Unmade {
    /// The old file is gone, closed or shorter: the new one is sent whole.
    Old,
    Failed(StoreError),
}

impl Assembly<'_> {
    /// Makes the file; gives what is wrong with it.
    pub(super) fn make(&self, stream: &mut impl Read) -> Result<Option<What>, StoreError> {
        let total = self.parts.iter().try_fold(0_u64, |sum, part| {
            let (Part::Old { offset, length } | Part::New { offset, length }) = part;
            offset.checked_add(*length)?;
            sum.checked_add(*length)
        });
        if total != Some(size(self.kind)) {
            return Err(StoreError::Stream(
                "has parts that are not the whole file".to_owned(),
            ));
        }
        let mut left: u64 = self.parts.iter().filter_map(new).sum();
        let made = self.put_together(stream, &mut left);
        match made {
            Ok(what) => Ok(what),
            Err(Unmade::Failed(error)) => Err(error),
            Err(Unmade::Old) => {
                let passed = io::copy(&mut stream.take(left), &mut io::sink());
                if passed.map_err(|error| broken(&error))? != left {
                    return Err(broken(&io::ErrorKind::UnexpectedEof.into()));
                }
                let removed = Within::new(self.folder).remove(&bytes::to_bytes(self.path));
                removed.map_err(|error| StoreError::at("remove", self.path, error))?;
                Ok(Some(What::Missing))
            }
        }
    }

    fn put_together(&self, stream: &mut impl Read, left: &mut u64) -> Result<Option<What>, Unmade> {
        let name = bytes::to_bytes(self.path);
        let before = self.before.ok_or(Unmade::Old)?;
        let opened = Within::new(&before.folder).open(&name);
        let (old, stat) = opened.map_err(|_| Unmade::Old)?;
        let Kind::File { mode, size, .. } = self.kind else {
            return Err(Unmade::Old);
        };
        let failed = |error: io::Error| Unmade::Failed(StoreError::at("write", self.path, error));
        let new = Within::new(self.folder)
            .create(&name, mode.bits())
            .map_err(|error| failed(error.into()))?;
        let copied = |copied: io::Result<()>| {
            copied.map_err(|error| match Errno::from_io_error(&error) {
                Some(Errno::NOSPC | Errno::DQUOT) => failed(error),
                _ => Unmade::Old,
            })
        };
        let is_copy = in_place(self.parts) > size / 2;
        if is_copy {
            // By the kernel, or by the file system in no time at all.
            let length = (*size).min(u64::try_from(stat.st_size).unwrap_or(0));
            copied(copy::begin_with(&old, &new, length))?;
        }
        let mut at = 0;
        let mut buffer = vec![0; BLOCK];
        for part in self.parts {
            match *part {
                Part::Old { offset, length } if is_copy && offset == at => {
                    let is_there = offset + length <= u64::try_from(stat.st_size).unwrap_or(0);
                    if !is_there {
                        return Err(Unmade::Old);
                    }
                }
                Part::Old { offset, length } => {
                    copied(copy::range(&old, offset, &new, at, length))?;
                }
                Part::New { length, .. } => {
                    let mut put = at;
                    while put < at + length {
                        let most = (at + length - put).min(BLOCK as u64) as usize;
                        stream
                            .read_exact(&mut buffer[..most])
                            .map_err(|error| Unmade::Failed(broken(&error)))?;
                        *left -= most as u64;
                        new.write_all_at(&buffer[..most], put).map_err(failed)?;
                        put += most as u64;
                    }
                }
            }
            at += part.length();
        }
        let is_still = || {
            let stat = rustix::fs::fstat(&old).ok()?;
            let (known, look) = before.verified(self.path)?;
            (Look::of(&stat) == look).then_some(known)
        };
        let verified = is_still().map(|known| self.segments_of(before, known));
        Ok(self.check(&new, &verified.unwrap_or_default()))
    }

    /// The digests of the old file's segments that were verified, and that are the new one's too.
    fn segments_of(&self, before: &Before, old: &Kind) -> Vec<Option<Digest>> {
        let known = before.known.get(self.path);
        let Some(segments) = known.map(|known| known.segments.as_slice()) else {
            return Vec::new();
        };
        if size(old) <= SEGMENT || !has(old, &Digest::of_segments(segments)) {
            return Vec::new();
        }
        let end = |n: u64, size: u64| ((n + 1) * SEGMENT).min(size);
        let segments = segments.iter().enumerate().map(|(n, digest)| {
            let n = n as u64;
            let end = end(n, size(self.kind))
                .eq(&end(n, size(old)))
                .then(|| end(n, size(old)))?;
            self.is_unmoved(n * SEGMENT, end).then_some(*digest)
        });
        segments.collect()
    }

    /// Whether these bytes are the old file's at the same place.
    fn is_unmoved(&self, from: u64, end: u64) -> bool {
        let mut at = 0;
        self.parts.iter().any(|part| {
            let start = at;
            at += part.length();
            matches!(part, Part::Old { offset, .. } if *offset == start)
                && start <= from
                && end <= at
        })
    }

    /// What is wrong with the file by its content, of which these segments need not be read.
    fn check(&self, file: &File, verified: &[Option<Digest>]) -> Option<What> {
        let size = size(self.kind);
        let wanted = |digest: Result<Digest, Errno>| match digest {
            Ok(digest) if has(self.kind, &digest) => None,
            Ok(_) => Some(What::Content),
            Err(_) => Some(What::Missing),
        };
        if size <= SEGMENT {
            return wanted(hash(file, 0, size, &mut vec![0; BLOCK]));
        }
        let segments: Vec<u64> = (0..size.div_ceil(SEGMENT)).collect();
        let digests = parallel::map(
            &segments,
            1,
            || vec![0; BLOCK],
            |buffer, n| {
                let known = usize::try_from(*n).ok().and_then(|n| verified.get(n));
                match known {
                    Some(Some(digest)) => Ok(*digest),
                    _ => {
                        let from = n * SEGMENT;
                        hash(file, from, SEGMENT.min(size - from), buffer)
                    }
                }
            },
        );
        let digests = digests.into_iter().collect::<Result<Vec<_>, _>>();
        wanted(digests.map(|digests| Digest::of_segments(&digests)))
    }
}

fn new(part: &Part) -> Option<u64> {
    matches!(part, Part::New { .. }).then(|| part.length())
}

/// How many bytes lie where they lay in the old file.
fn in_place(parts: &[Part]) -> u64 {
    let (mut at, mut sum) = (0, 0);
    for part in parts {
        if matches!(part, Part::Old { offset, .. } if *offset == at) {
            sum += part.length();
        }
        at += part.length();
    }
    sum
}
