//! What the host says it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use bundle::digest::Digest;
use bundle::manifest::Kind;
use bundle::names::bytes;

pub use filesync::{Fault, SEGMENT, What};

use super::Tree;
use action::export::quote::posix as quote;

/// Which folder is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// A release's own.
    Release,
    /// In-place: the target folder, without what this program keeps there.
    Target,
}

/// A script that prints what the working folder holds, in the sections that [`Listing::parse`] reads. It fails when
/// some of that cannot be read, and tells the rest all the same.
///
/// `has_long` is whether a file longer than [`SEGMENT`] may be right.
#[must_use]
pub fn script(folder: Folder, has_long: bool) -> String {
    let segments = if has_long {
        quote(include_str!("segments.py"))
    } else {
        String::new()
    };
    let skip = match folder {
        Folder::Release => "",
        // All kept releases lie there.
        Folder::Target => "'-path ./.deploy -prune -o'",
    };
    format!(
        "skip={skip} segments={segments}\n{}",
        include_str!("listing.sh")
    )
}

/// What a folder on the host holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Hashes of all files.
    pub hashes: BTreeMap<String, Digest>,
    /// Files that their owner may execute.
    pub executable: BTreeSet<String>,
    /// Files that nobody but their owner may read.
    pub private: BTreeSet<String>,
    /// Links with their text.
    pub links: BTreeMap<String, String>,
}

impl Listing {
    /// Reads what [`script`] prints.
    #[must_use]
    pub fn parse(output: &[u8]) -> Self {
        const MARK: &[u8] = b"== segments\n";
        let mut listing = Self::default();
        let mut rest = output;
        // A line of a hash never starts like the mark, whatever the names are.
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            if line == MARK {
                break;
            }
            listing.hashes.extend(hash_line(&line[..end]));
        }
        let mut items = rest.split(|byte| *byte == 0);
        let mut segments: BTreeMap<(String, usize), Digest> = BTreeMap::new();
        while let Some(hash) = items.next().filter(|item| !item.is_empty()) {
            let Some(path) = items.next() else { break };
            if hash.contains(&b' ') {
                segments.extend(segment_of(hash, path));
            } else {
                listing.hashes.extend(whole(hash, path));
            }
        }
        listing.hashes.extend(joined(segments));
        while let Some(item) = items.next() {
            if let Some(path) = item.strip_prefix(b"x") {
                listing.executable.extend(path_of(path));
            } else if let Some(path) = item.strip_prefix(b"p") {
                listing.private.extend(path_of(path));
            } else if let (Some(link), Some(target)) = (item.strip_prefix(b"l"), items.next())
                && let Some(link) = path_of(link)
            {
                let target = bytes::to_text(OsStr::from_bytes(target));
                listing.links.insert(link, target);
            }
        }
        listing
    }

    /// Everything in which the host's copy is not the wanted tree. An empty folder is not looked for:
    /// it carries nothing.
    #[must_use]
    pub fn faults(&self, wanted: &Tree) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut add = |path: &str, what| {
            faults.push(Fault {
                path: path.to_owned(),
                what,
            });
        };
        for (path, kind) in wanted {
            match kind {
                Kind::File { mode, sha256, .. } => match self.hashes.get(path) {
                    None => add(path, What::Missing),
                    Some(found) if found != sha256 => add(path, What::Content),
                    Some(_) => {
                        let is_private = self.private.contains(path);
                        if self.executable.contains(path) != mode.is_executable()
                            || (mode.is_private() && !is_private)
                        {
                            add(path, What::Mode);
                        } else if is_private && !mode.is_private() {
                            add(path, What::Private);
                        }
                    }
                },
                Kind::Symlink { target } => {
                    if self.links.get(path) != Some(target) {
                        add(path, What::Link);
                    }
                }
                Kind::EmptyDir => {}
            }
        }
        for path in self.hashes.keys().chain(self.links.keys()) {
            if !wanted.contains_key(path) {
                add(path, What::Foreign);
            }
        }
        faults
    }
}

/// A name as `find .` gives it, without the `./`.
fn path_of(name: &[u8]) -> Option<String> {
    let name = name.strip_prefix(b"./")?;
    Some(bytes::to_text(OsStr::from_bytes(name)))
}

/// Reads the number and the hash of a segment, and its file's name.
fn segment_of(segment: &[u8], path: &[u8]) -> Option<((String, usize), Digest)> {
    let (n, sha256) = std::str::from_utf8(segment).ok()?.split_once(' ')?;
    Some(((path_of(path)?, n.parse().ok()?), sha256.parse().ok()?))
}

/// Reads the hash of a file whose name no line can carry, and that name.
fn whole(hash: &[u8], path: &[u8]) -> Option<(String, Digest)> {
    let sha256 = std::str::from_utf8(hash).ok()?.parse().ok()?;
    Some((path_of(path)?, sha256))
}

/// The digest of each file of which all segments are there.
fn joined(segments: BTreeMap<(String, usize), Digest>) -> BTreeMap<String, Digest> {
    let mut files: BTreeMap<String, Vec<Digest>> = BTreeMap::new();
    for ((path, n), digest) in segments {
        let digests = files.entry(path).or_default();
        if digests.len() == n {
            digests.push(digest);
        }
    }
    files
        .into_iter()
        .map(|(path, digests)| (path, Digest::of_segments(&digests)))
        .collect()
}

fn hash_line(line: &[u8]) -> Option<(String, Digest)> {
    // GNU marks a line whose name it had to escape.
    let (line, escaped) = match line.strip_prefix(b"\\") {
        Some(line) => (line, true),
        None => (line, false),
    };
    let at = line.iter().position(|byte| *byte == b' ')?;
    let digest = std::str::from_utf8(&line[..at]).ok()?.parse().ok()?;
    let name = match line.get(at + 1)? {
        b' ' | b'*' => &line[at + 2..],
        _ => return None,
    };
    if !escaped {
        return Some((path_of(name)?, digest));
    }
    let mut plain = Vec::with_capacity(name.len());
    let mut bytes = name.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (byte, *byte == b'\\') {
            (_, true) => match bytes.next()? {
                b'n' => b'\n',
                b'r' => b'\r',
                other => *other,
            },
            (byte, false) => *byte,
        });
    }
    Some((path_of(&plain)?, digest))
}
