//! Writing a manifest as a zip whose bytes depend on nothing but the manifest.
//!
//! Entries are sorted, dated 1980-01-01 00:00, have the modes 0644 or 0755 and no extra field, and are
//! deflated with sizes in their local headers (no data descriptors, which some readers refuse). No
//! machine, user or time is in the archive. Compressed bytes may differ between versions of the
//! compressor; compare bundles by [`crate::digest`], not by archive.

use std::io::{self, Cursor, Read as _, Write as _};
use std::path::PathBuf;

use thiserror::Error;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime, System, ZipArchive};

use crate::digest::Digest;
use crate::manifest::{Entry, Kind, Manifest, Mode};
use crate::opener::Opener;
use crate::parallel;

/// The most entries an archive without zip64 has.
pub const MAX_ENTRIES: usize = 65_535;

/// Sizes without zip64 have 32 bits.
const FORMAT_LIMIT: u64 = 0xffff_ffff;

/// Why a manifest could not be packed.
#[derive(Debug, Error)]
pub enum PackError {
    /// More entries than [`MAX_ENTRIES`].
    #[error("cannot pack {count} entries: a zip that every reader opens has at most {MAX_ENTRIES}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The archive would be larger than the caller allows.
    #[error("cannot pack {size} bytes: the archive may have {limit}")]
    TooLarge {
        /// What it has or would have, in bytes.
        size: u64,
        /// What it may have, in bytes.
        limit: u64,
    },
    /// A file is gone or unreadable since the manifest was made.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file's content is no longer what the manifest says.
    #[error("`{}` changed while it was being packed", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The archive writer refused.
    #[error("cannot write the archive entry `{name}`: {source}")]
    Write {
        /// The entry's name.
        name: String,
        /// What the writer said.
        source: ZipError,
    },
    /// The archive writer could not finish.
    #[error("cannot finish the archive: {0}")]
    Finish(ZipError),
}

/// Packs in memory. `limit` bounds the archive, in bytes; 4 GiB bounds it in any case.
///
/// Each file is read again and must still have the digest of the manifest.
///
/// # Errors
/// See [`PackError`].
pub fn pack(manifest: &Manifest, limit: u64) -> Result<Vec<u8>, PackError> {
    let limit = limit.min(FORMAT_LIMIT);
    let count = manifest.entries().len();
    if count > MAX_ENTRIES {
        return Err(PackError::TooMany { count });
    }
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut written = 0;
    for batch in groups(manifest.entries()).chunks(BATCH) {
        for part in parallel::map(batch, 1, Worker::default, Worker::pack) {
            let part = part?;
            written += part.central_directory_start();
            if written > limit {
                return Err(PackError::TooLarge {
                    size: written,
                    limit,
                });
            }
            zip.merge_archive(part).map_err(PackError::Finish)?;
        }
    }
    let bytes = zip.finish().map_err(PackError::Finish)?.into_inner();
    match bytes.len() as u64 {
        size if size > limit => Err(PackError::TooLarge { size, limit }),
        _ => Ok(bytes),
    }
}

/// How many groups are compressed before they are written: what bounds the memory beside the archive.
const BATCH: usize = 64;

/// What small files are grouped by: a compressor is 300 KiB of memory, and getting that takes longer than
/// compressing one of them.
const GROUP_BYTES: u64 = 256 << 10;
const GROUP_ENTRIES: usize = 64;

/// Consecutive entries that one thread packs. A large file is a group of its own.
fn groups(entries: &[Entry]) -> Vec<&[Entry]> {
    let mut groups = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, entry) in entries.iter().enumerate() {
        let size = match entry.kind {
            Kind::File { size, .. } => size,
            Kind::Symlink { .. } | Kind::EmptyDir => 0,
        };
        let is_full = bytes + size > GROUP_BYTES || at - from == GROUP_ENTRIES;
        if is_full && at > from {
            groups.push(&entries[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += size;
    }
    if from < entries.len() {
        groups.push(&entries[from..]);
    }
    groups
}

/// An archive in memory.
type Part = ZipArchive<Cursor<Vec<u8>>>;

/// What a thread reads files with.
#[derive(Default)]
struct Worker {
    opener: Opener,
    content: Vec<u8>,
}

impl Worker {
    /// The archive of a group.
    fn pack(&mut self, group: &&[Entry]) -> Result<Part, PackError> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for entry in *group {
            self.add(&mut zip, entry)?;
        }
        zip.finish_into_readable().map_err(PackError::Finish)
    }

    fn add(
        &mut self,
        zip: &mut ZipWriter<Cursor<Vec<u8>>>,
        entry: &Entry,
    ) -> Result<(), PackError> {
        let added = match &entry.kind {
            Kind::File { size, .. } if *size > FORMAT_LIMIT => {
                return Err(PackError::TooLarge {
                    size: *size,
                    limit: FORMAT_LIMIT,
                });
            }
            Kind::File { mode, sha256, .. } => {
                let content = self.read(entry).map_err(|source| PackError::Read {
                    path: entry.source.clone(),
                    source,
                })?;
                if Digest::of(content) != *sha256 {
                    return Err(PackError::Changed {
                        path: entry.source.clone(),
                    });
                }
                zip.start_file(&entry.path, options(*mode))
                    .and_then(|()| Ok(zip.write_all(content)?))
            }
            Kind::Symlink { target } => {
                zip.add_symlink(&entry.path, target, options(Mode::Executable))
            }
            Kind::EmptyDir => zip.add_directory(&entry.path, options(Mode::Executable)),
        };
        added.map_err(|source| PackError::Write {
            name: entry.path.clone(),
            source,
        })
    }

    /// What a file holds now.
    fn read<'a>(&'a mut self, entry: &'a Entry) -> io::Result<&'a [u8]> {
        if let Some(kept) = &entry.content {
            return Ok(kept);
        }
        self.content.clear();
        self.opener
            .open(&entry.source)?
            .read_to_end(&mut self.content)?;
        Ok(&self.content)
    }
}

fn options(mode: Mode) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(6))
        .last_modified_time(DateTime::default())
        .system(System::Unix)
        .unix_permissions(mode.bits())
}
