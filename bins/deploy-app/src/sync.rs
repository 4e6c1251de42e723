//! What the host has, what it shall have, and the one stream that makes the difference.
//!
//! Content is compared with content: SHA-256 of every file here against SHA-256 of the files as they
//! are on the host now. Modification times say nothing, because every checkout makes new ones.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest, Mode};
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};
use tokio::sync::mpsc;

/// Paths relative to the release, `/` between components, and what is there.
pub type Tree = BTreeMap<String, Kind>;

/// What shall be on the host: the application, and a link for each shared path.
///
/// # Errors
/// A shared path that the application itself has something at, above or below.
pub fn wanted(manifest: &Manifest, shared: &[String]) -> Result<Tree, String> {
    let mut tree: Tree = manifest
        .entries()
        .iter()
        .map(|entry| (entry.path.clone(), entry.kind.clone()))
        .collect();
    for path in shared {
        let clash = tree.keys().find(|known| {
            let (known, path) = (format!("{known}/"), format!("{path}/"));
            known.starts_with(&path) || path.starts_with(&known)
        });
        if let Some(clash) = clash {
            return Err(format!(
                "shared path `{path}` would replace `{clash}` of the application"
            ));
        }
        let up = "../".repeat(path.split('/').count() + 1);
        tree.insert(
            path.clone(),
            Kind::Symlink {
                target: format!("{up}shared/{path}"),
            },
        );
    }
    Ok(tree)
}

/// How the wanted tree differs from the current release.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diff {
    /// Paths that the current release does not have.
    pub added: Vec<String>,
    /// Paths whose content, mode or link text differs, also because the host's copy was altered.
    pub changed: Vec<String>,
    /// Paths that go.
    pub removed: Vec<String>,
    /// Files whose content the host has already: new path to path in the current release.
    pub kept: BTreeMap<String, String>,
}

impl Diff {
    /// Whether the current release is the wanted tree.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

/// Compares. `stored` is the current release's manifest as it was deployed, `actual` the hashes of
/// its files as they are now; files that the application wrote there itself are in `actual` only,
/// and stay behind with the old release.
#[must_use]
pub fn diff(wanted: &Tree, stored: &Tree, actual: &BTreeMap<String, Digest>) -> Diff {
    // Only files that we put there have a known mode.
    let mut by_content: BTreeMap<(String, u32), &str> = BTreeMap::new();
    for (path, kind) in stored {
        if let Kind::File { mode, sha256, .. } = kind
            && actual.get(path) == Some(sha256)
        {
            by_content.insert((sha256.to_string(), mode.bits()), path);
        }
    }
    let mut diff = Diff::default();
    for (path, kind) in wanted {
        if let Kind::File { mode, sha256, .. } = kind
            && let Some(from) = by_content.get(&(sha256.to_string(), mode.bits()))
        {
            // The same path when it fits, so that the usual case reads well.
            let is_own = stored.get(path) == Some(kind) && actual.get(path) == Some(sha256);
            let from = if is_own { path.as_str() } else { from };
            diff.kept.insert(path.clone(), from.to_owned());
        }
        match stored.get(path) {
            None => diff.added.push(path.clone()),
            Some(before) if before != kind => diff.changed.push(path.clone()),
            Some(_) => {
                if let Kind::File { sha256, .. } = kind
                    && actual.get(path) != Some(sha256)
                {
                    diff.changed.push(path.clone());
                }
            }
        }
    }
    diff.removed = stored
        .keys()
        .filter(|path| !wanted.contains_key(*path))
        .cloned()
        .collect();
    diff
}

/// The first line of a stored manifest.
const HEADING: &str = "deploy-app manifest 1";

/// The manifest as it is kept on the host: a line for each path.
#[must_use]
pub fn to_text(tree: &Tree) -> String {
    let mut text = format!("{HEADING}\n");
    for (path, kind) in tree {
        let (what, size) = match kind {
            Kind::File { size, sha256, .. } => (sha256.to_string(), *size),
            Kind::Symlink { target } => (escape(target), 0),
            Kind::EmptyDir => ("-".to_owned(), 0),
        };
        text.push_str(&format!(
            "{}\t{what}\t{size}\t{}\n",
            kind.git_mode(),
            escape(path)
        ));
    }
    text
}

/// Reads [`to_text`]; nothing when it is not such a text, which means that nothing is known.
#[must_use]
pub fn from_text(text: &str) -> Option<Tree> {
    let mut lines = text.lines();
    if lines.next()? != HEADING {
        return None;
    }
    lines
        .map(|line| {
            let mut fields = line.splitn(4, '\t');
            let (mode, what, size, path) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
            );
            let file = |mode| {
                Some(Kind::File {
                    mode,
                    size: size.parse().ok()?,
                    sha256: what.parse().ok()?,
                })
            };
            let kind = match mode {
                "100644" => file(Mode::Plain)?,
                "100755" => file(Mode::Executable)?,
                "120000" => Kind::Symlink {
                    target: unescape(what),
                },
                "040000" => Kind::EmptyDir,
                _ => return None,
            };
            Some((unescape(path), kind))
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace('\r', "\\r")
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}

/// Reads what `sha256sum` printed for `./path` arguments. Names that are not UTF-8 cannot be ours.
#[must_use]
pub fn hashes(output: &[u8]) -> BTreeMap<String, Digest> {
    output
        .split(|byte| *byte == b'\n')
        .filter_map(hash_line)
        .collect()
}

fn hash_line(line: &[u8]) -> Option<(String, Digest)> {
    let line = std::str::from_utf8(line).ok()?;
    // GNU marks a line whose name it had to escape.
    let (line, escaped) = match line.strip_prefix('\\') {
        Some(line) => (line, true),
        None => (line, false),
    };
    let (digest, name) = line.split_once(' ')?;
    let name = name.strip_prefix([' ', '*'])?;
    let name = if escaped {
        unescape(name)
    } else {
        name.to_owned()
    };
    Some((
        name.strip_prefix("./").unwrap_or(&name).to_owned(),
        digest.parse().ok()?,
    ))
}

/// What the host holds of a new release, as it says itself after unpacking.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Hashes of all files.
    pub hashes: BTreeMap<String, Digest>,
    /// Files that their owner may execute.
    pub executable: BTreeSet<String>,
    /// Links with their text.
    pub links: BTreeMap<String, String>,
}

impl Listing {
    /// Reads the three sections that the unpacking script prints.
    #[must_use]
    pub fn parse(output: &[u8]) -> Self {
        let mut listing = Self::default();
        let mut section = 0;
        for line in output.split(|byte| *byte == b'\n') {
            match line {
                b"== executable" => section = 1,
                b"== links" => section = 2,
                line if section == 0 => listing.hashes.extend(hash_line(line)),
                line => {
                    let Ok(line) = std::str::from_utf8(line) else {
                        continue;
                    };
                    let line = line.strip_prefix("./").unwrap_or(line);
                    if section == 1 && !line.is_empty() {
                        listing.executable.insert(line.to_owned());
                    } else if let Some((path, target)) = line.split_once('\t') {
                        listing.links.insert(path.to_owned(), target.to_owned());
                    }
                }
            }
        }
        listing
    }

    /// Everything in which the host's copy is not the wanted tree.
    #[must_use]
    pub fn faults(&self, wanted: &Tree) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, kind) in wanted {
            match kind {
                Kind::File { mode, sha256, .. } => {
                    match self.hashes.get(path) {
                        None => faults.push(format!("`{path}` is missing")),
                        Some(found) if found != sha256 => {
                            faults.push(format!("`{path}` has other content"))
                        }
                        Some(_) => {}
                    }
                    let is_executable = self.executable.contains(path);
                    if is_executable != (*mode == Mode::Executable)
                        && self.hashes.contains_key(path)
                    {
                        faults.push(format!("`{path}` has another mode"));
                    }
                }
                Kind::Symlink { target } => {
                    if self.links.get(path) != Some(target) {
                        faults.push(format!("link `{path}` is missing or leads elsewhere"));
                    }
                }
                Kind::EmptyDir => {}
            }
        }
        let found = self.hashes.keys().chain(self.links.keys());
        faults.extend(
            found
                .filter(|path| !wanted.contains_key(*path))
                .map(|path| format!("`{path}` does not belong there")),
        );
        faults
    }
}

/// Everything that the upload needs; moved to a thread of its own.
#[derive(Debug)]
pub struct Upload {
    /// Files and where to read them.
    pub manifest: Manifest,
    /// The tree of the new release.
    pub wanted: Tree,
    /// From [`Diff::kept`].
    pub kept: BTreeMap<String, String>,
    /// The current release's name, when there is one.
    pub current: Option<String>,
    /// The new release's name.
    pub release: String,
    /// Whether the host can decompress.
    pub gzip: bool,
    /// Modification time of what is sent, in seconds since 1970.
    pub mtime: u64,
}

impl Upload {
    /// Bytes of file content that the host does not have.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.wanted
            .iter()
            .filter(|(path, _)| !self.kept.contains_key(*path))
            .map(|(_, kind)| match kind {
                Kind::File { size, .. } => *size,
                Kind::Symlink { .. } | Kind::EmptyDir => 0,
            })
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
            self.write(GzEncoder::new(chunks, Compression::new(3)))
                .and_then(|encoder| encoder.finish())
        } else {
            self.write(chunks)
        };
        if let Err(error) = sent.and_then(|mut chunks| chunks.flush()) {
            // Nobody listens when the command has ended already; its own error is the better one.
            drop(tell.blocking_send(Err(error.to_string())));
        }
    }

    /// A tar whose members are `releases/.NAME.partial/…`; what the host has is a hard link to the
    /// current release, so cloning, copying and exact deletion are this one stream.
    fn write<W: Write>(&self, out: W) -> io::Result<W> {
        let mut tar = tar::Builder::new(out);
        tar.sparse(false);
        let partial = partial(&self.release);
        for (path, kind) in &self.wanted {
            let name = format!("{partial}/{path}");
            match kind {
                Kind::File { mode, size, .. } => match (self.kept.get(path), &self.current) {
                    (Some(from), Some(current)) => {
                        let mut header = self.header(EntryType::Link, mode.bits());
                        link(
                            &mut tar,
                            &mut header,
                            &name,
                            &format!("releases/{current}/{from}"),
                        )?;
                    }
                    _ => {
                        let Some(entry) = self.manifest.get(path) else {
                            return Err(io::Error::other(format!("`{path}` has no source")));
                        };
                        let at = |error: io::Error| {
                            io::Error::other(format!("{}: {error}", entry.source.display()))
                        };
                        let file = std::fs::File::open(&entry.source).map_err(at)?;
                        let mut header = self.header(EntryType::Regular, mode.bits());
                        header.set_size(*size);
                        // A file that grows meanwhile must not shift the stream; verification finds it.
                        let exact = io::Read::take(io::Read::chain(file, io::repeat(0)), *size);
                        tar.append_data(&mut header, &name, exact)?;
                    }
                },
                Kind::Symlink { target } => {
                    let mut header = self.header(EntryType::Symlink, 0o777);
                    link(&mut tar, &mut header, &name, target)?;
                }
                Kind::EmptyDir => {
                    let mut header = self.header(EntryType::Directory, 0o755);
                    tar.append_data(&mut header, format!("{name}/"), io::empty())?;
                }
            }
        }
        let text = to_text(&self.wanted);
        let mut header = self.header(EntryType::Regular, 0o644);
        header.set_size(text.len() as u64);
        tar.append_data(
            &mut header,
            format!(".deploy/manifests/{}", self.release),
            text.as_bytes(),
        )?;
        tar.into_inner()
    }

    fn header(&self, kind: EntryType, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(self.mtime);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        header
    }
}

/// Where a release is unpacked: never a name that could be taken for a release.
#[must_use]
pub fn partial(release: &str) -> String {
    format!("releases/.{release}.partial")
}

/// Appends a hard or symbolic link with exactly this text. The library's own way would tidy the
/// text (`a/./b` becomes `a/b`), and then the released link would not be the one of the tree.
fn link<W: Write>(
    tar: &mut tar::Builder<W>,
    header: &mut Header,
    name: &str,
    target: &str,
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
        tar.append(&long, [target.as_bytes(), b"\0"].concat().as_slice())?;
    }
    tar.append_data(header, name, io::empty())
}

/// How much is handed over at once, in bytes.
const CHUNK: usize = 256 * 1024;

/// Hands bytes to the connection in large pieces.
struct Chunks {
    tell: mpsc::Sender<Result<Vec<u8>, String>>,
    buffer: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
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

#[cfg(test)]
#[path = "sync_tests.rs"]
mod tests;
