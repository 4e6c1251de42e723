//! Receiving a release: writing and hashing it in one pass, by several threads.

mod assemble;
mod before;
mod workers;

use std::fs;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;

use bundle::manifest::Kind;
use bundle::names::{self, Names, bytes};
use flate2::read::ZlibDecoder;
use serde::{Deserialize, Serialize};

use crate::compare::{self, BLOCK};
use crate::error::StoreError;
use crate::fault::{Fault, What};
use crate::layout::Paths;
use crate::release::{self, is_name};
use crate::stamp::{self, Look, Stamp};
use crate::stream::{Item, broken, read_text};
use crate::tree::{Tree, size};
use crate::within::{Within, root, split};

use assemble::Assembly;
use before::Before;
use workers::{Batch, Job, Link, Workers};

/// What the host must know before it reads a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// The release that is made.
    pub release: String,
    /// The current release, of which files are taken.
    pub current: Option<String>,
    /// Whether the stream is compressed.
    pub compressed: bool,
    /// Whether this completes what came before, see [`crate::Upload::only`].
    pub completes: bool,
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// What tells whether it is still the same later.
    pub stamp: Option<Stamp>,
    /// What did not arrive as it should.
    pub faults: Vec<Fault>,
}

/// How much of a stream is read at once, in bytes.
const READ: usize = 64 * 1024;

/// Receives a release into its partial folder. Whatever else is partial belongs to a deployment that died, and goes.
///
/// # Errors
/// When it cannot be written, or the stream ends early; what is there then goes with the next one.
pub fn receive(
    paths: &Paths,
    incoming: &Incoming,
    stream: impl Read,
) -> Result<Received, StoreError> {
    for name in [Some(&incoming.release), incoming.current.as_ref()] {
        if let Some(name) = name.filter(|name| !is_name(name)) {
            return Err(StoreError::Stream(format!("names `{name}`, no release")));
        }
    }
    if incoming.compressed {
        let mut stream = BufReader::with_capacity(READ, ZlibDecoder::new(stream));
        let received = read(paths, incoming, &mut stream)?;
        // The checksum of what was compressed is behind its last byte.
        match io::copy(&mut stream, &mut io::sink()) {
            Ok(0) => Ok(received),
            Ok(_) => Err(StoreError::Stream("goes on after its end".to_owned())),
            Err(error) => Err(broken(&error)),
        }
    } else {
        read(paths, incoming, &mut BufReader::with_capacity(READ, stream))
    }
}

fn read(
    paths: &Paths,
    incoming: &Incoming,
    stream: &mut impl Read,
) -> Result<Received, StoreError> {
    let release = &incoming.release;
    let partial = paths.partial(release);
    if !incoming.completes {
        release::remove_partial(paths)?;
        release::remove_old_logs(paths);
        let folder = paths.below(&partial);
        let failed = |error| StoreError::at("make the folder", &partial, error);
        fs::create_dir(&folder).map_err(failed)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        let Item::Manifest { length } = Item::read(stream).map_err(|error| broken(&error))? else {
            return Err(StoreError::Stream(
                "does not begin with a manifest".to_owned(),
            ));
        };
        let text = read_text(stream, length).map_err(|error| broken(&error))?;
        release::write_own(paths, "manifests", release, &text)?;
    }
    let tree = release::manifest(paths, release)?;
    check(&tree)?;
    let failed = |error| StoreError::at("open", &partial, error);
    let folder = root(&paths.below(&partial)).map_err(failed)?;
    let entries: Vec<(&String, &Kind)> = tree.iter().collect();
    let mut receiver = Receiver {
        paths,
        incoming,
        entries: &entries,
        came: vec![false; tree.len()],
        folder: &folder,
        vouched: Vec::new(),
        faults: Vec::new(),
    };
    receiver.make_folders()?;
    receiver.items(stream)?;
    receiver.make_links()?;
    begin_to_sync(paths);
    let mut faults = receiver.faults(&tree);
    let stamp = receiver.stamp(&tree, &mut faults);
    Ok(Received { stamp, faults })
}

/// Whether all entries of a tree can be there at once, and none lies outside.
fn check(tree: &Tree) -> Result<(), StoreError> {
    let wrong =
        |path: &str| StoreError::Stream(format!("has no place for `{}`", bytes::shown(path)));
    for path in tree.keys() {
        names::check(path, Names::Bytes).map_err(|_| wrong(path))?;
        if path.contains('\0') {
            return Err(wrong(path));
        }
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            if tree.contains_key(folder) {
                return Err(wrong(path));
            }
            above = folder;
        }
    }
    Ok(())
}

/// Receives one stream.
struct Receiver<'a> {
    paths: &'a Paths,
    incoming: &'a Incoming,
    /// The manifest, in order.
    entries: &'a [(&'a String, &'a Kind)],
    /// Whether something came for an entry.
    came: Vec<bool>,
    folder: &'a OwnedFd,
    /// Files that were not read, because they are what they were: they must still be so in the end.
    vouched: Vec<(usize, Look)>,
    faults: Vec<(usize, What)>,
}

impl<'a> Receiver<'a> {
    fn make_folders(&self) -> Result<(), StoreError> {
        let mut within = Within::new(self.folder);
        let mut made: Vec<u8> = Vec::new();
        for (path, kind) in self.entries {
            let name = bytes::to_bytes(path);
            let folder = match kind {
                Kind::EmptyDir => name.as_slice(),
                _ => split(&name).0,
            };
            if folder.is_empty() || folder == made {
                continue;
            }
            within
                .make_folder(folder)
                .map_err(|error| StoreError::at("make the folder", path, error))?;
            folder.clone_into(&mut made);
        }
        Ok(())
    }

    fn items(&mut self, stream: &mut impl Read) -> Result<(), StoreError> {
        let workers = Workers::new(self.entries, self.folder, self.incoming.completes);
        let before = Before::of(self.paths, self.incoming.current.as_deref());
        let ended = thread::scope(|scope| {
            let threads = workers.start(scope, before.as_ref().map(|before| &before.folder));
            let ended = self.read_items(stream, before.as_ref(), &workers);
            workers.close();
            for thread in threads {
                if let Err(panic) = thread.join() {
                    std::panic::resume_unwind(panic);
                }
            }
            ended
        });
        let results = workers.results();
        self.faults.extend(results.faults);
        // What could not be written is why nothing more was taken.
        match results.failed {
            Some(failed) => Err(failed),
            None => ended,
        }
    }

    fn read_items(
        &mut self,
        stream: &mut impl Read,
        before: Option<&Before>,
        workers: &Workers<'_>,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        let mut links = Vec::new();
        loop {
            let item = Item::read(stream).map_err(|error| broken(&error))?;
            match item {
                Item::Kept { entry, from } => {
                    let (at, path, kind) = self.entry(entry)?;
                    let from = from.as_ref().unwrap_or(path);
                    let vouches = before.and_then(|before| before.verified(from));
                    // What people keep to themselves was fine there, and is not in a new release.
                    let is_same = |known: &Kind, look: &Look| {
                        let Kind::File { mode, .. } = kind else {
                            return false;
                        };
                        known == kind && compare::of_mode(look.mode, *mode).is_none()
                    };
                    let vouches = vouches.filter(|(known, look)| is_same(known, look));
                    if let Some((_, look)) = vouches {
                        self.vouched.push((at, look));
                    }
                    links.push(Link {
                        at,
                        from: bytes::to_bytes(from),
                        is_verified: vouches.is_some(),
                    });
                    if links.len() == LINKS {
                        workers.give(Job::Links(std::mem::take(&mut links)))?;
                    }
                }
                Item::Whole { entry } => {
                    let (at, _, kind) = self.entry(entry)?;
                    let size = size(kind);
                    if size > BLOCK as u64 {
                        workers.give_large(at, size, stream)?;
                        continue;
                    }
                    batch
                        .read(at, size as usize, stream)
                        .map_err(|error| broken(&error))?;
                    if batch.is_full() {
                        workers.give(Job::Files(std::mem::take(&mut batch)))?;
                    }
                }
                Item::Parts { entry, parts } => {
                    let (at, path, kind) = self.entry(entry)?;
                    let assembly = Assembly {
                        path,
                        kind,
                        parts: &parts,
                        before,
                        folder: self.folder,
                    };
                    if let Some(what) = assembly.make(stream)? {
                        self.faults.push((at, what));
                    }
                }
                Item::Pieces { length } => {
                    let text = read_text(stream, length).map_err(|error| broken(&error))?;
                    release::write_own(self.paths, "pieces", &self.incoming.release, &text)?;
                }
                Item::Manifest { .. } => {
                    return Err(StoreError::Stream("has a second manifest".to_owned()));
                }
                Item::End => break,
            }
        }
        workers.give(Job::Files(batch))?;
        workers.give(Job::Links(links))
    }

    /// The file that an item is about, which comes once.
    fn entry(&mut self, entry: u32) -> Result<(usize, &'a String, &'a Kind), StoreError> {
        let at = entry as usize;
        match (self.entries.get(at), self.came.get_mut(at)) {
            (Some((path, kind @ Kind::File { .. })), Some(came)) if !*came => {
                *came = true;
                Ok((at, path, kind))
            }
            _ => Err(StoreError::Stream(
                "has a file that is not in the manifest, or twice".to_owned(),
            )),
        }
    }

    /// Last, so that nothing is written through one.
    fn make_links(&self) -> Result<(), StoreError> {
        let mut within = Within::new(self.folder);
        for (path, kind) in self.entries {
            if let Kind::Symlink { target } = kind {
                let name = bytes::to_bytes(path);
                let made = match self.incoming.completes {
                    true => within.remove(&name),
                    false => Ok(()),
                };
                made.and_then(|()| within.make_link(&name, &bytes::to_bytes(target)))
                    .map_err(|error| StoreError::at("make the link", path, error))?;
            }
        }
        Ok(())
    }

    /// What did not arrive as it should.
    fn faults(&mut self, tree: &Tree) -> Vec<Fault> {
        if self.incoming.completes {
            // Of what came before, nothing is remembered.
            return compare::faults(self.folder, tree);
        }
        let files = self.entries.iter().zip(&self.came).enumerate();
        let missing =
            files.filter(|(_, ((_, kind), came))| matches!(kind, Kind::File { .. }) && !**came);
        self.faults
            .extend(missing.map(|(at, _)| (at, What::Missing)));
        self.faults.sort_by_key(|(at, _)| *at);
        let faults = self.faults.iter();
        faults
            .map(|(at, what)| Fault {
                path: self.entries[*at].0.clone(),
                what: *what,
            })
            .collect()
    }

    /// The stamp of what arrived, and in the place of a fault each file that was not read and is another by now.
    fn stamp(&self, tree: &Tree, faults: &mut Vec<Fault>) -> Option<Stamp> {
        let looks = stamp::looks(self.folder, tree)?;
        for (at, before) in &self.vouched {
            if !looks[*at].is_some_and(|look| look.is_still(before)) {
                faults.push(Fault {
                    path: self.entries[*at].0.clone(),
                    what: What::Content,
                });
            }
        }
        Stamp::of(&looks)
    }
}

/// How many links a thread makes at a time.
const LINKS: usize = 64;

/// Begins to write to the disk what arrived; it is waited for at the end of the deployment.
fn begin_to_sync(paths: &Paths) {
    if let Ok(folder) = fs::File::open(&paths.target) {
        drop(thread::Builder::new().spawn(move || rustix::fs::syncfs(folder).is_ok()));
    }
}
