//! Sending a release: what the host does not have of it, in one stream.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::slice;
use std::sync::Arc;

use bundle::manifest::{Kind, Manifest};
use bundle::opener::Opener;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::compare::BLOCK;
use crate::pieces::{self, LARGE, Part, Pieces, Segments};
use crate::receive::Incoming;
use crate::stored::to_text;
use crate::stream::{Item, write_exactly};
use crate::tree::{SEEDS, SEGMENT, Tree, size};

/// Everything that is needed to send a release.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Where each file is read here.
    pub sources: Arc<Manifest>,
    /// The tree of the new release.
    pub wanted: Arc<Tree>,
    /// From [`crate::Diff::kept`].
    pub kept: BTreeMap<String, String>,
    /// What is known of the current release's large files.
    pub pieces: Pieces,
    /// The current release's name, when there is one.
    pub current: Option<String>,
    /// The new release's name.
    pub release: String,
    /// Whether the stream is compressed.
    pub compressed: bool,
    /// Only these paths, whole, into what arrived before: what did not arrive as it should.
    pub only: Option<BTreeSet<String>>,
}

impl Upload {
    /// What the host must know before it reads the stream.
    #[must_use]
    pub fn incoming(&self) -> Incoming {
        Incoming {
            release: self.release.clone(),
            current: self.current.clone(),
            compressed: self.compressed,
            completes: self.only.is_some(),
        }
    }

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

    /// Writes the whole stream. Gives back what was written to, not flushed.
    ///
    /// # Errors
    /// When a file cannot be read, or the stream not be written.
    pub fn send<W: Write>(&self, out: W) -> io::Result<W> {
        if !self.compressed {
            return self.write(out);
        }
        self.write(ZlibEncoder::new(out, Compression::fast()))
            .and_then(ZlibEncoder::finish)
    }

    fn write<W: Write>(&self, mut out: W) -> io::Result<W> {
        let mut sender = Sender {
            upload: self,
            opener: Opener::default(),
            pieces: Pieces::new(),
            buffer: vec![0; BLOCK],
        };
        if self.only.is_none() {
            let text = to_text(&self.wanted);
            let length = text.len() as u64;
            Item::Manifest { length }.write(&mut out)?;
            out.write_all(text.as_bytes())?;
        }
        for (entry, (path, kind)) in self.wanted.iter().enumerate() {
            if self.only.as_ref().is_none_or(|only| only.contains(path)) {
                let entry = u32::try_from(entry).map_err(io::Error::other)?;
                sender.entry(&mut out, entry, path, kind)?;
            }
        }
        if self.only.is_none() {
            let text = pieces::to_text(&sender.pieces);
            let length = text.len() as u64;
            Item::Pieces { length }.write(&mut out)?;
            out.write_all(text.as_bytes())?;
        }
        Item::End.write(&mut out)?;
        Ok(out)
    }
}

struct Sender<'a> {
    upload: &'a Upload,
    opener: Opener,
    /// What will be known of large files.
    pieces: Pieces,
    buffer: Vec<u8>,
}

impl Sender<'_> {
    /// Links and folders are made as the manifest says.
    fn entry(
        &mut self,
        out: &mut impl Write,
        entry: u32,
        path: &str,
        kind: &Kind,
    ) -> io::Result<()> {
        let Kind::File { size, sha256, .. } = kind else {
            return Ok(());
        };
        let upload = self.upload;
        if let Some(from) = upload.kept.get(path).filter(|_| upload.is_linked(path)) {
            if let Some(known) = upload.pieces.get(from) {
                self.pieces.insert(path.to_owned(), known.clone());
            }
            let from = (from != path).then(|| from.clone());
            return Item::Kept { entry, from }.write(out);
        }
        let here = path.strip_prefix(SEEDS).unwrap_or(path);
        let Some(source) = upload.sources.get(here) else {
            return Err(io::Error::other(format!("`{path}` has no source")));
        };
        let at =
            |error: io::Error| io::Error::other(format!("{}: {error}", source.source.display()));
        let mut file = self.opener.open(&source.source).map_err(at)?;
        if *size >= LARGE && upload.only.is_none() {
            let old = upload.pieces.get(path).cloned().unwrap_or_default();
            let segments = Segments {
                length: SEGMENT,
                digests: match source.segments.as_slice() {
                    [] => slice::from_ref(sha256),
                    several => several,
                },
            };
            let recipe = pieces::recipe(&file, *size, segments, &old).map_err(at)?;
            let sent = recipe.sent();
            self.pieces.insert(path.to_owned(), recipe.known);
            if sent <= *size / 2 && upload.current.is_some() {
                let parts = recipe.parts;
                let new = NewParts {
                    file: &mut file,
                    parts: parts.clone().into_iter(),
                    left: 0,
                };
                Item::Parts { entry, parts }.write(out)?;
                return write_exactly(out, new, sent, &mut self.buffer).map_err(at);
            }
            file.rewind().map_err(at)?;
        }
        Item::Whole { entry }.write(out)?;
        write_exactly(out, file, *size, &mut self.buffer).map_err(at)
    }
}

/// Reads the new parts of a file, one after the other.
struct NewParts<'a> {
    file: &'a mut File,
    parts: std::vec::IntoIter<Part>,
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
                    self.file.seek(SeekFrom::Start(offset))?;
                    self.left = length;
                }
            }
        }
        let read = Read::take(&mut *self.file, self.left).read(buffer)?;
        self.left -= read as u64;
        Ok(read)
    }
}
