//! Writing a manifest as a zip whose bytes depend on nothing but the manifest.
//!
//! Entries are sorted, dated 1980-01-01 00:00, have the modes 0644 or 0755 and no extra field, and are
//! deflated with sizes in their local headers (no data descriptors, which some readers refuse). No
//! machine, user or time is in the archive. Compressed bytes may differ between versions of the
//! compressor; compare bundles by [`crate::digest`], not by archive.

use std::io::{self, Cursor, Write as _};
use std::path::PathBuf;

use thiserror::Error;
use zip::result::ZipError;
use zip::write::{PreparedZipFile, SimpleFileOptions, ZipFileBuilder, ZipWriter};
use zip::{CompressionMethod, DateTime, System};

use crate::digest::Digest;
use crate::manifest::{Entry, Kind, Manifest, Mode};
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
    let mut compressed = 0;
    for batch in manifest.entries().chunks(BATCH) {
        let parts = parallel::map(batch, 16, || (), |(), entry| compress(entry));
        for (entry, part) in batch.iter().zip(parts) {
            let part = part?;
            if let Part::File(file) = &part {
                compressed += file.compressed_size();
            }
            if compressed > limit {
                return Err(PackError::TooLarge {
                    size: compressed,
                    limit,
                });
            }
            add(&mut zip, entry, part).map_err(|source| PackError::Write {
                name: entry.path.clone(),
                source,
            })?;
        }
    }
    let bytes = zip.finish().map_err(PackError::Finish)?.into_inner();
    match bytes.len() as u64 {
        size if size > limit => Err(PackError::TooLarge { size, limit }),
        _ => Ok(bytes),
    }
}

/// How many entries are compressed before they are written: what bounds the memory beside the archive.
const BATCH: usize = 256;

/// An entry as far as it can be prepared away from the archive.
enum Part {
    File(PreparedZipFile),
    Link { target: String },
    Dir,
}

fn compress(entry: &Entry) -> Result<Part, PackError> {
    let (mode, sha256) = match &entry.kind {
        Kind::File { size, .. } if *size > FORMAT_LIMIT => {
            return Err(PackError::TooLarge {
                size: *size,
                limit: FORMAT_LIMIT,
            });
        }
        Kind::File { mode, sha256, .. } => (*mode, *sha256),
        Kind::Symlink { target } => {
            return Ok(Part::Link {
                target: target.clone(),
            });
        }
        Kind::EmptyDir => return Ok(Part::Dir),
    };
    let content = entry.read().map_err(|source| PackError::Read {
        path: entry.source.clone(),
        source,
    })?;
    if Digest::of(&content) != sha256 {
        return Err(PackError::Changed {
            path: entry.source.clone(),
        });
    }
    let deflate = || {
        let mut file = ZipFileBuilder::new(&entry.path, options(mode))?;
        file.write_all(&content)?;
        file.finish()
    };
    deflate()
        .map(Part::File)
        .map_err(|source| PackError::Write {
            name: entry.path.clone(),
            source,
        })
}

fn add(zip: &mut ZipWriter<Cursor<Vec<u8>>>, entry: &Entry, part: Part) -> Result<(), ZipError> {
    match part {
        Part::File(file) => zip.add_prepared_file(file),
        Part::Link { target } => zip.add_symlink(&entry.path, target, options(Mode::Executable)),
        Part::Dir => zip.add_directory(&entry.path, options(Mode::Executable)),
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
