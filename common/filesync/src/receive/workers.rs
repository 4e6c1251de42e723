//! The threads that write and hash what arrives.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope, ScopedJoinHandle};

use bundle::digest::{Digest, Hasher};
use bundle::manifest::Kind;
use bundle::names::bytes;
use rustix::fs::AtFlags;

use crate::compare::{BLOCK, has, what_is_wrong};
use crate::error::StoreError;
use crate::fault::What;
use crate::stream::broken;
use crate::tree::{SEGMENT, size};
use crate::within::Within;

/// What a thread does next.
pub(super) enum Job {
    Files(Batch),
    Large {
        at: usize,
        chunks: Receiver<Vec<u8>>,
    },
    Links(Vec<Link>),
}

/// Small files, one after the other.
#[derive(Default)]
pub(super) struct Batch {
    content: Vec<u8>,
    /// Each file, and where its content ends.
    files: Vec<(usize, usize)>,
}

impl Batch {
    pub(super) fn read(
        &mut self,
        at: usize,
        size: usize,
        stream: &mut impl Read,
    ) -> io::Result<()> {
        let from = self.content.len();
        self.content.resize(from + size, 0);
        stream.read_exact(&mut self.content[from..])?;
        self.files.push((at, self.content.len()));
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.content.len() >= BLOCK || self.files.len() >= 64
    }
}

/// A file that the release before has.
pub(super) struct Link {
    pub(super) at: usize,
    pub(super) from: Vec<u8>,
    /// Whether its content need not be read.
    pub(super) is_verified: bool,
}

/// What came of the jobs.
#[derive(Default)]
pub(super) struct Results {
    /// Entries that did not arrive as they should.
    pub(super) faults: Vec<(usize, What)>,
    /// What could not be written first.
    pub(super) failed: Option<StoreError>,
}

/// Hands out jobs, and gathers what came of them.
pub(super) struct Workers<'a> {
    entries: &'a [(&'a String, &'a Kind)],
    folder: &'a OwnedFd,
    /// Whether something may be there already.
    replaces: bool,
    give: Mutex<Option<SyncSender<Job>>>,
    take: Mutex<Receiver<Job>>,
    results: Mutex<Results>,
}

impl<'a> Workers<'a> {
    pub(super) fn new(
        entries: &'a [(&'a String, &'a Kind)],
        folder: &'a OwnedFd,
        replaces: bool,
    ) -> Self {
        // Enough for each to have its next one, and no more in memory.
        let (give, take) = sync_channel(threads());
        Self {
            entries,
            folder,
            replaces,
            give: Mutex::new(Some(give)),
            take: Mutex::new(take),
            results: Mutex::default(),
        }
    }

    pub(super) fn start<'scope, 'env>(
        &'env self,
        scope: &'scope Scope<'scope, 'env>,
        before: Option<&'env OwnedFd>,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        let work = move || {
            let mut worker = Worker {
                workers: self,
                within: Within::new(self.folder),
                before: before.map(Within::new),
                buffer: Vec::new(),
            };
            loop {
                let job = locked(&self.take).recv();
                let Ok(job) = job else { return };
                if let Err(error) = worker.run(job) {
                    locked(&self.results).failed.get_or_insert(error);
                }
            }
        };
        (0..threads()).map(|_| scope.spawn(work)).collect()
    }

    /// Gives a job to the next free thread.
    pub(super) fn give(&self, job: Job) -> Result<(), StoreError> {
        if let Some(error) = &locked(&self.results).failed {
            return Err(error.clone());
        }
        if let Some(give) = &*locked(&self.give) {
            // They take jobs until there are none: it is received.
            drop(give.send(job));
        }
        Ok(())
    }

    /// Gives a file to a thread while it comes.
    pub(super) fn give_large(
        &self,
        at: usize,
        size: u64,
        stream: &mut impl Read,
    ) -> Result<(), StoreError> {
        let (tell, chunks) = sync_channel(2);
        self.give(Job::Large { at, chunks })?;
        let mut left = size;
        while left > 0 {
            let mut chunk = vec![0; left.min(BLOCK as u64) as usize];
            stream
                .read_exact(&mut chunk)
                .map_err(|error| broken(&error))?;
            left -= chunk.len() as u64;
            if tell.send(chunk).is_err() {
                // It could not be written.
                return self.give(Job::Links(Vec::new()));
            }
        }
        Ok(())
    }

    /// No more jobs come.
    pub(super) fn close(&self) {
        locked(&self.give).take();
    }

    pub(super) fn results(self) -> Results {
        self.results
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn threads() -> usize {
    thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Worker<'a> {
    workers: &'a Workers<'a>,
    within: Within<'a>,
    before: Option<Within<'a>>,
    buffer: Vec<u8>,
}

impl Worker<'_> {
    fn run(&mut self, job: Job) -> Result<(), StoreError> {
        match job {
            Job::Files(batch) => self.files(&batch),
            Job::Large { at, chunks } => self.large(at, &chunks),
            Job::Links(links) => {
                for link in links {
                    self.link(&link);
                }
                Ok(())
            }
        }
    }

    fn files(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut from = 0;
        for (at, end) in &batch.files {
            let content = &batch.content[from..*end];
            from = *end;
            let mut file = self.create(*at)?;
            file.write_all(content)
                .map_err(|error| self.not_written(*at, error))?;
            self.check(*at, &Digest::of(content));
        }
        Ok(())
    }

    fn large(&mut self, at: usize, chunks: &Receiver<Vec<u8>>) -> Result<(), StoreError> {
        let mut file = self.create(at)?;
        let is_long = size(self.workers.entries[at].1) > SEGMENT;
        let (mut hasher, mut segments, mut hashed) = (Hasher::default(), Vec::new(), 0);
        for chunk in chunks {
            file.write_all(&chunk)
                .map_err(|error| self.not_written(at, error))?;
            let mut rest = chunk.as_slice();
            while !rest.is_empty() {
                let left = match is_long {
                    true => usize::try_from(SEGMENT - hashed).unwrap_or(usize::MAX),
                    false => rest.len(),
                };
                let (now, later) = rest.split_at(left.min(rest.len()));
                hasher.update(now);
                hashed += now.len() as u64;
                rest = later;
                if is_long && hashed == SEGMENT {
                    segments.push(std::mem::take(&mut hasher).finish());
                    hashed = 0;
                }
            }
        }
        let digest = match is_long {
            true => {
                if hashed > 0 {
                    segments.push(hasher.finish());
                }
                Digest::of_segments(&segments)
            }
            false => hasher.finish(),
        };
        self.check(at, &digest);
        Ok(())
    }

    /// What cannot be linked, because the file is gone or is somebody else's, is sent whole.
    fn link(&mut self, link: &Link) {
        let (path, kind) = self.workers.entries[link.at];
        let name = bytes::to_bytes(path);
        if self.workers.replaces {
            let _ = self.within.remove(&name);
        }
        let linked = self.before.as_mut().is_some_and(|before| {
            let Ok((from, old)) = before.at(&link.from) else {
                return false;
            };
            let Ok((to, new)) = self.within.at(&name) else {
                return false;
            };
            rustix::fs::linkat(from, old, to, new, AtFlags::empty()).is_ok()
        });
        let wrong = match (linked, link.is_verified) {
            (false, _) => Some(What::Missing),
            (true, true) => None,
            (true, false) => {
                self.buffer.resize(BLOCK, 0);
                what_is_wrong(&mut self.within, &mut self.buffer, path, kind)
            }
        };
        if let Some(what) = wrong {
            locked(&self.workers.results).faults.push((link.at, what));
        }
    }

    fn create(&mut self, at: usize) -> Result<File, StoreError> {
        let (path, kind) = self.workers.entries[at];
        let name = bytes::to_bytes(path);
        let mode = match kind {
            Kind::File { mode, .. } => mode.bits(),
            Kind::Symlink { .. } | Kind::EmptyDir => 0o644,
        };
        let removed = match self.workers.replaces {
            true => self.within.remove(&name),
            false => Ok(()),
        };
        removed
            .and_then(|()| self.within.create(&name, mode))
            .map_err(|error| self.not_written(at, error))
    }

    fn not_written(&self, at: usize, error: impl Into<io::Error>) -> StoreError {
        StoreError::at("write", self.workers.entries[at].0, error)
    }

    fn check(&self, at: usize, digest: &Digest) {
        if !has(self.workers.entries[at].1, digest) {
            locked(&self.workers.results)
                .faults
                .push((at, What::Content));
        }
    }
}
