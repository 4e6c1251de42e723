//! The one stream that makes a new release: a tar of hard links to the release before, new files, pieces
//! of large ones, links and folders. Cloning, copying and exact deletion are all in it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::slice;
use std::sync::Arc;

use bundle::manifest::{Kind, Manifest};
use bundle::names::bytes;
use bundle::opener::Opener;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};
use tokio::sync::mpsc;

use super::pieces::{self, LARGE, Part, Pieces, Recipe, Segments};
use super::{SEEDS, SEGMENT, Tree, size, to_text};
use crate::layout::Paths;
use action::export::quote::posix as quote;

/// Everything that the upload needs; moved to a thread of its own.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Where each file is read here.
    pub sources: Arc<Manifest>,
    /// The tree of the new release.
    pub wanted: Arc<Tree>,
    /// From [`super::Diff::kept`].
    pub kept: BTreeMap<String, String>,
    /// What is known of the current release's large files.
    pub pieces: Pieces,
    /// The current release's name, when there is one.
    pub current: Option<String>,
    /// The new release's name.
    pub release: String,
    /// Where releases are.
    pub paths: Paths,
    /// Whether the stream is compressed.
    pub gzip: bool,
    /// Only these paths, whole, into what was unpacked before: what did not arrive.
    pub only: Option<BTreeSet<String>>,
}

impl Upload {
    /// Whether this file is a link to one of the release before.
    #[must_use]
    pub fn is_linked(&self, path: &str) -> bool {
        self.only.is_none() && self.current.is_some() && self.kept.contains_key(path)
    }

    /// Bytes of file content that the host does not have, as far as whole files tell.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.wanted
            .iter()
            .filter(|(path, _)| !self.kept.contains_key(*path))
            .map(|(_, kind)| size(kind))
            .sum()
    }

    /// Writes the tar stream into `tell` until it is whole, fails, or nobody listens any more.
    /// Blocks; run it on a thread for blocking work.
    pub fn send(self, tell: mpsc::Sender<Result<Vec<u8>, String>>) {
        let chunks = Chunks {
            tell: tell.clone(),
            buffer: Vec::with_capacity(CHUNK),
        };
        let sent = if self.gzip {
            self.write(GzEncoder::new(chunks, Compression::fast()))
                .and_then(|encoder| encoder.finish())
        } else {
            self.write(chunks)
        };
        if let Err(error) = sent.and_then(|mut chunks| chunks.flush()) {
            // Nobody listens when the command has ended already; its own error is the better one.
            drop(tell.blocking_send(Err(error.to_string())));
        }
    }

    fn write<W: Write>(&self, out: W) -> io::Result<W> {
        let mut tar = tar::Builder::new(out);
        tar.sparse(false);
        let mut made = Made::default();
        for (path, kind) in self.wanted.iter() {
            if self.only.as_ref().is_none_or(|only| only.contains(path)) {
                self.entry(&mut tar, path, kind, &mut made)?;
            }
        }
        if self.only.is_none() {
            self.own_files(&mut tar, made)?;
        }
        tar.into_inner()
    }

    fn entry<W: Write>(
        &self,
        tar: &mut tar::Builder<W>,
        path: &str,
        kind: &Kind,
        made: &mut Made,
    ) -> io::Result<()> {
        let name = bytes::to_path(&format!("{}/{path}", self.paths.partial(&self.release)));
        match kind {
            Kind::File { mode, size, sha256 } => {
                let from = self.kept.get(path).filter(|_| self.only.is_none());
                if let (Some(from), Some(current)) = (from, &self.current) {
                    if let Some(known) = self.pieces.get(from) {
                        made.pieces.insert(path.to_owned(), known.clone());
                    }
                    let mut header = Self::header(EntryType::Link, mode.bits());
                    let stored = format!("{}/{from}", self.paths.stored(current));
                    return link(tar, &mut header, &name, &bytes::to_bytes(&stored));
                }
                let here = path.strip_prefix(SEEDS).unwrap_or(path);
                let Some(source) = self.sources.get(here) else {
                    return Err(io::Error::other(format!("`{path}` has no source")));
                };
                let at = |error: io::Error| {
                    io::Error::other(format!("{}: {error}", source.source.display()))
                };
                let mut file = made.opener.open(&source.source).map_err(at)?;
                if *size >= LARGE && self.only.is_none() {
                    let old = self.pieces.get(path).cloned().unwrap_or_default();
                    let segments = Segments {
                        length: SEGMENT,
                        digests: match source.segments.as_slice() {
                            [] => slice::from_ref(sha256),
                            several => several,
                        },
                    };
                    let recipe = pieces::recipe(&file, *size, segments, &old).map_err(at)?;
                    made.pieces.insert(path.to_owned(), recipe.known.clone());
                    if let (true, Some(current)) = (recipe.sent() <= *size / 2, &self.current) {
                        let n = made.deltas;
                        made.deltas += 1;
                        self.delta(&mut made.script, n, path, mode.bits(), current, &recipe);
                        return self.new_parts(tar, n, &mut file, &recipe.parts).map_err(at);
                    }
                    file.rewind().map_err(at)?;
                }
                let mut header = Self::header(EntryType::Regular, mode.bits());
                header.set_size(*size);
                // A file that grows meanwhile must not shift the stream; verification finds it.
                let exact = Read::take(Read::chain(file, io::repeat(0)), *size);
                tar.append_data(&mut header, &name, exact)
            }
            Kind::Symlink { target } => {
                let mut header = Self::header(EntryType::Symlink, 0o777);
                link(tar, &mut header, &name, &bytes::to_bytes(target))
            }
            Kind::EmptyDir => {
                let mut header = Self::header(EntryType::Directory, 0o755);
                let mut name = name.into_os_string();
                name.push("/");
                tar.append_data(&mut header, name, io::empty())
            }
        }
    }

    /// The folder of the pieces that are sent, relative to the target.
    fn delta_folder(&self) -> String {
        format!("{}.pieces", self.paths.partial(&self.release))
    }

    /// The commands that put a file together on the host.
    fn delta(
        &self,
        script: &mut Vec<u8>,
        n: usize,
        path: &str,
        mode: u32,
        current: &str,
        recipe: &Recipe,
    ) {
        let old = quoted(&format!("{}/{path}", self.paths.stored(current)));
        let new = quoted(&format!("{}/{n}", self.delta_folder()));
        let made = quoted(&format!("{}/{path}", self.paths.partial(&self.release)));
        let mut add = |words: &[&[u8]]| {
            script.extend_from_slice(&words.join(&b' '));
            script.push(b'\n');
        };
        let size: u64 = recipe.parts.iter().map(Part::length).sum();
        add(&[b"file", &made]);
        // A copy is made by the kernel, or by the file system in no time at all.
        if recipe.in_place() > size / 2 {
            add(&[b"copy", &old, size.to_string().as_bytes()]);
        }
        let (mut at, mut sent) = (0, 0);
        for part in &recipe.parts {
            let (from, offset) = match part {
                Part::Old { offset, .. } => (&old, *offset),
                Part::New { .. } => (&new, sent),
            };
            let length = part.length();
            add(&[b"part", from, format!("{offset} {length} {at}").as_bytes()]);
            if matches!(part, Part::New { .. }) {
                sent += length;
            }
            at += length;
        }
        add(&[b"done_with", format!("{mode:o}").as_bytes()]);
    }

    /// The new parts of a file, one after the other, as one member.
    fn new_parts<W: Write>(
        &self,
        tar: &mut tar::Builder<W>,
        n: usize,
        file: &mut std::fs::File,
        parts: &[Part],
    ) -> io::Result<()> {
        let new = parts.iter().filter(|part| matches!(part, Part::New { .. }));
        let length = new.map(Part::length).sum();
        let mut header = Self::header(EntryType::Regular, 0o600);
        header.set_size(length);
        let parts = NewParts {
            file,
            parts: parts.iter(),
            left: 0,
        };
        let exact = Read::take(Read::chain(parts, io::repeat(0)), length);
        tar.append_data(&mut header, format!("{}/{n}", self.delta_folder()), exact)
    }

    /// What is kept beside the release: its manifest, the list of its files, the pieces of the large ones,
    /// and, until they are put together, how.
    fn own_files<W: Write>(&self, tar: &mut tar::Builder<W>, made: Made) -> io::Result<()> {
        let release = &self.release;
        let mut files = vec![
            (
                format!(".deploy/manifests/{release}"),
                to_text(&self.wanted).into_bytes(),
            ),
            (format!(".deploy/lists/{release}"), list(&self.wanted)),
            (
                format!(".deploy/pieces/{release}"),
                pieces::to_text(&made.pieces).into_bytes(),
            ),
        ];
        if made.deltas > 0 {
            let script = [include_bytes!("assemble.sh").as_slice(), &made.script].concat();
            files.push((format!("{}/assemble", self.delta_folder()), script));
        }
        for (name, content) in files {
            let mut header = Self::header(EntryType::Regular, 0o644);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, content.as_slice())?;
        }
        Ok(())
    }

    /// Without a time: the host's clock tells it there.
    pub(crate) fn header(kind: EntryType, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header
    }
}

/// Reads the new parts of a file, one after the other.
struct NewParts<'a> {
    file: &'a mut std::fs::File,
    parts: slice::Iter<'a, Part>,
    /// Bytes of the present part that are still to come.
    left: u64,
}

impl Read for NewParts<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            match self.parts.next() {
                None => return Ok(0),
                Some(Part::Old { .. }) => {}
                Some(Part::New { offset, length }) => {
                    self.file.seek(SeekFrom::Start(*offset))?;
                    self.left = *length;
                }
            }
        }
        let read = Read::take(&mut *self.file, self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}

/// What comes of writing, for the end of the stream.
#[derive(Default)]
struct Made {
    opener: Opener,
    pieces: Pieces,
    deltas: usize,
    script: Vec<u8>,
}

/// The files and links of a tree as `xargs -0` reads them.
#[must_use]
pub fn list(tree: &Tree) -> Vec<u8> {
    let paths = tree
        .iter()
        .filter(|(_, kind)| !matches!(kind, Kind::EmptyDir));
    null_separated(paths.map(|(path, _)| path.as_str()))
}

/// Paths as `xargs -0` reads them, none of which can be taken for an option.
#[must_use]
pub fn null_separated<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut list = Vec::new();
    for path in paths {
        list.extend_from_slice(b"./");
        list.extend_from_slice(&bytes::to_bytes(path));
        list.push(0);
    }
    list
}

/// A path as a word of a shell script, in the host's bytes.
fn quoted(path: &str) -> Vec<u8> {
    bytes::to_bytes(&quote(path))
}

/// Appends a hard or symbolic link with exactly this text. The library's own way would tidy the
/// text (`a/./b` becomes `a/b`), and then the released link would not be the one of the tree.
pub(crate) fn link<W: Write>(
    tar: &mut tar::Builder<W>,
    header: &mut Header,
    name: &std::path::Path,
    target: &[u8],
) -> io::Result<()> {
    if target.len() < 100 {
        header.set_link_name_literal(target)?;
    } else {
        let mut long = Header::new_gnu();
        let name = b"././@LongLink";
        long.as_old_mut().name[..name.len()].copy_from_slice(name);
        long.set_entry_type(EntryType::GNULongLink);
        long.set_mode(0o644);
        long.set_uid(0);
        long.set_gid(0);
        long.set_mtime(0);
        long.set_size(target.len() as u64 + 1);
        long.set_cksum();
        tar.append(&long, [target, b"\0"].concat().as_slice())?;
    }
    tar.append_data(header, name, io::empty())
}

/// How much is handed over at once, in bytes: about as much as OpenSSH takes in one packet (32 KiB), and, with what
/// an allocator keeps beside it, little enough that none asks the kernel for new memory each time.
const CHUNK: usize = 32 * 1024 - 64;

/// Hands bytes to the connection in large pieces.
struct Chunks {
    tell: mpsc::Sender<Result<Vec<u8>, String>>,
    buffer: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fits = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..fits]);
        if self.buffer.len() == CHUNK {
            self.flush()?;
        }
        Ok(fits)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::replace(&mut self.buffer, Vec::with_capacity(CHUNK));
        self.tell
            .blocking_send(Ok(chunk))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the command has ended"))
    }
}
