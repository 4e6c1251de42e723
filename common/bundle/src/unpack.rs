//! Unpacking an archive that somebody else made, without trusting it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use crate::digest::Digest;
use crate::manifest::{Entry, Kind, Manifest, Mode};
use crate::names::{self, NameFault, Names};

/// How much an archive may unpack to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most entries.
    pub entries: usize,
    /// The most unpacked bytes, all entries together; counted while unpacking, not believed.
    pub bytes: u64,
}

impl Default for Limits {
    /// 100,000 entries and 10 GiB.
    fn default() -> Self {
        Self {
            entries: 100_000,
            bytes: 10 << 30,
        }
    }
}

/// Why an archive was not unpacked. What was unpacked before the fault stays in the folder.
#[derive(Debug, Error)]
pub enum UnpackError {
    /// Not a zip, or a damaged one.
    #[error("cannot read the archive: {0}")]
    Archive(ZipError),
    /// An entry's data is damaged, encrypted or compressed in an unknown way.
    #[error("cannot read the archive entry `{name}`: {source}")]
    Entry {
        /// The entry's name.
        name: String,
        /// What the reader said.
        source: ZipError,
    },
    /// An entry's name climbs, is absolute or cannot be used.
    #[error("refused the archive entry `{name}`: its name {fault}")]
    Name {
        /// The entry's name.
        name: String,
        /// What is wrong with it.
        fault: NameFault,
    },
    /// An entry's name is not UTF-8.
    #[error("refused the archive entry `{name}`: its name is not UTF-8")]
    NotUtf8 {
        /// The name with replacement characters.
        name: String,
    },
    /// A link leads out of the folder.
    #[error(
        "refused the archive entry `{name}`: it is a symbolic link out of the folder, to `{target}`"
    )]
    LinkOut {
        /// The entry's name.
        name: String,
        /// The link's text.
        target: String,
    },
    /// More entries or bytes than the limits allow.
    #[error("refused the archive: it unpacks to more than {entries} entries or {bytes} bytes", entries = .0.entries, bytes = .0.bytes)]
    TooLarge(Limits),
    /// The folder to unpack into has something in it.
    #[error("refused to unpack into `{}`: it is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A file or folder could not be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Unpacks into `folder`, which is created when absent and must be empty; gives the number of entries.
///
/// Nothing is written outside the folder: names and links are checked by their text, links are made
/// after everything else, so that no file is written through one, and are checked again on the disk. Permissions are
/// reduced to 0644 and 0755; owners and times are not kept.
///
/// # Errors
/// See [`UnpackError`].
pub fn unpack(
    archive: impl Read + Seek,
    folder: &Path,
    limits: Limits,
) -> Result<usize, UnpackError> {
    let mut zip = ZipArchive::new(archive).map_err(UnpackError::Archive)?;
    if zip.len() > limits.entries {
        return Err(UnpackError::TooLarge(limits));
    }
    make_dir(folder)?;
    let mut listing = fs::read_dir(folder).map_err(|source| write_error(folder, source))?;
    if listing.next().is_some() {
        return Err(UnpackError::NotEmpty(folder.to_owned()));
    }
    let mut left = limits.bytes;
    let mut links = BTreeMap::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|source| UnpackError::Entry {
            name: format!("number {index}"),
            source,
        })?;
        let name = checked_name(&entry)?;
        let path = folder.join(&name);
        if entry.is_dir() {
            make_dir(&path)?;
            continue;
        }
        if let Some(parent) = path.parent() {
            make_dir(parent)?;
        }
        let mut content = entry.by_ref().take(left.saturating_add(1));
        if content.get_ref().is_symlink() {
            // A link's text is a path, and no path is longer than this.
            let mut target = String::new();
            content
                .take(4096)
                .read_to_string(&mut target)
                .map_err(|source| UnpackError::Entry {
                    name: name.clone(),
                    source: ZipError::Io(source),
                })?;
            if !names::link_stays_inside(&name, &target) {
                return Err(UnpackError::LinkOut { name, target });
            }
            links.insert(name, target);
            continue;
        }
        let mode = Mode::from_bits(content.get_ref().unix_mode().unwrap_or(0)).bits();
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(|source| write_error(&path, source))?;
        let written = io::copy(&mut content, &mut file).map_err(|source| UnpackError::Entry {
            name: name.clone(),
            source: ZipError::Io(source),
        })?;
        left = left
            .checked_sub(written)
            .ok_or(UnpackError::TooLarge(limits))?;
    }
    make_links(folder, links)?;
    Ok(zip.len())
}

/// A file of an archive, in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Its name.
    pub name: String,
    /// Its permissions, reduced.
    pub mode: Mode,
    /// Its bytes; of a link, its target text.
    pub bytes: Vec<u8>,
}

/// The files and links of an archive in memory, sorted by name; folders are left out.
///
/// # Errors
/// As [`unpack`], save what needs a disk.
pub fn contents(archive: impl Read + Seek, limits: Limits) -> Result<Vec<Content>, UnpackError> {
    let mut all = Vec::new();
    each(archive, limits, |name, shape, bytes| {
        let (Shape::File(mode) | Shape::Link(mode)) = shape else {
            return;
        };
        all.push(Content { name, mode, bytes });
    })?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}

/// The digest of what an archive holds: that of the tree it was packed from, whatever compressed it.
///
/// # Errors
/// As [`contents`].
pub fn digest(archive: impl Read + Seek, limits: Limits) -> Result<Digest, UnpackError> {
    let mut kinds = BTreeMap::new();
    each(archive, limits, |name, shape, bytes| {
        let kind = match shape {
            Shape::Folder => Kind::EmptyDir,
            Shape::Link(_) => Kind::Symlink {
                target: String::from_utf8_lossy(&bytes).into_owned(),
            },
            Shape::File(mode) => Kind::File {
                mode,
                size: bytes.len() as u64,
                sha256: Digest::of(&bytes),
            },
        };
        kinds.insert(name, kind);
    })?;
    // Other packers list folders that hold something, too.
    let names: Vec<String> = kinds.keys().cloned().collect();
    let is_empty = |folder: &str| {
        let inside = format!("{folder}/");
        let next = names.partition_point(|name| *name < inside);
        !names
            .get(next)
            .is_some_and(|name| name.starts_with(&inside))
    };
    kinds.retain(|name, kind| *kind != Kind::EmptyDir || is_empty(name));
    let entries = kinds.into_iter().map(|(path, kind)| Entry {
        path,
        kind,
        source: PathBuf::new(),
        content: None,
        segments: Vec::new(),
    });
    Ok(Manifest::from_sorted(entries.collect()).digest())
}

/// What an entry of an archive is.
enum Shape {
    File(Mode),
    Link(Mode),
    Folder,
}

/// Shows every entry with its bytes.
fn each(
    archive: impl Read + Seek,
    limits: Limits,
    mut show: impl FnMut(String, Shape, Vec<u8>),
) -> Result<(), UnpackError> {
    let mut zip = ZipArchive::new(archive).map_err(UnpackError::Archive)?;
    if zip.len() > limits.entries {
        return Err(UnpackError::TooLarge(limits));
    }
    let mut left = limits.bytes;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|source| UnpackError::Entry {
            name: format!("number {index}"),
            source,
        })?;
        let name = checked_name(&entry)?;
        let mode = Mode::from_bits(entry.unix_mode().unwrap_or(0));
        let shape = match (entry.is_dir(), entry.is_symlink()) {
            (true, _) => Shape::Folder,
            (_, true) => Shape::Link(mode),
            _ => Shape::File(mode),
        };
        let mut bytes = Vec::new();
        entry
            .take(left.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|source| UnpackError::Entry {
                name: name.clone(),
                source: ZipError::Io(source),
            })?;
        left = left
            .checked_sub(bytes.len() as u64)
            .ok_or(UnpackError::TooLarge(limits))?;
        show(name, shape, bytes);
    }
    Ok(())
}

fn write_error(path: &Path, source: io::Error) -> UnpackError {
    UnpackError::Write {
        path: path.to_owned(),
        source,
    }
}

fn make_dir(path: &Path) -> Result<(), UnpackError> {
    fs::create_dir_all(path).map_err(|source| write_error(path, source))
}

/// The entry's name without the slash that marks a folder.
fn checked_name<R: Read>(entry: &ZipFile<'_, R>) -> Result<String, UnpackError> {
    let Ok(name) = std::str::from_utf8(entry.name_raw()) else {
        let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
        return Err(UnpackError::NotUtf8 { name });
    };
    let name = name.strip_suffix('/').unwrap_or(name);
    names::check(name, Names::Portable).map_err(|fault| UnpackError::Name {
        name: name.to_owned(),
        fault,
    })?;
    Ok(name.to_owned())
}

/// Makes all links, then looks where each of them ends: a chain of links can leave although no link does.
fn make_links(folder: &Path, links: BTreeMap<String, String>) -> Result<(), UnpackError> {
    let root = fs::canonicalize(folder).map_err(|source| write_error(folder, source))?;
    for (name, target) in &links {
        let path = root.join(name);
        // An earlier link may stand where this one's folder should be.
        let parent = path.parent().map(fs::canonicalize);
        if !matches!(parent, Some(Ok(parent)) if parent == *path.parent().unwrap_or(&root)) {
            return Err(UnpackError::LinkOut {
                name: name.clone(),
                target: target.clone(),
            });
        }
        symlink(target, &path).map_err(|source| write_error(&path, source))?;
    }
    for (name, target) in links {
        let path = root.join(&name);
        if fs::canonicalize(&path).is_ok_and(|end| !end.starts_with(&root)) {
            fs::remove_file(&path).map_err(|source| write_error(&path, source))?;
            return Err(UnpackError::LinkOut { name, target });
        }
    }
    Ok(())
}
