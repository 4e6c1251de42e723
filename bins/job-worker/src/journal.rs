//! What the worker has taken on, on disk: a worker that is killed at any point finds it again.
//!
//! An entry holds no credentials and no secret setting; CodePipeline gives both again with GetJobDetails, as long as it
//! knows the job. The other settings are there for removing what was made for a job that it knows no more.

use crate::job::Place;
use crate::report::Report;
use crate::request::Variables;
use crate::token::Token;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// A job that was taken, or is about to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) job: String,
    pub(crate) nonce: String,
    pub(crate) pipeline: String,
    pub(crate) program: String,
    /// When this job was taken, in seconds since 1970.
    pub(crate) taken: i64,
    pub(crate) phase: Phase,
    /// The work that the job belongs to; nothing before the job's data was read.
    pub(crate) token: Option<Token>,
    /// The settings that are no secrets.
    #[serde(default)]
    pub(crate) settings: Variables,
    /// The program that runs for it.
    pub(crate) child: Option<ChildId>,
    /// What is to be reported.
    pub(crate) report: Option<Report>,
    /// Whether a report was sent, so that it may have arrived.
    pub(crate) sent: bool,
    /// Whether it is certain that this worker has the job: an acknowledgement whose answer was lost leaves it open.
    pub(crate) ours: bool,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It is being acknowledged: nobody knows yet whose it is.
    Acknowledging,
    /// Input artifacts come down.
    Preparing,
    /// The program runs.
    Running,
    /// Output artifacts go up.
    Uploading,
    /// What was made for it is being removed.
    Cleaning,
    /// The result is being reported.
    Reporting,
}

impl Phase {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Phase::Acknowledging => "acknowledging",
            Phase::Preparing => "preparing",
            Phase::Running => "running",
            Phase::Uploading => "uploading",
            Phase::Cleaning => "cleaning",
            Phase::Reporting => "reporting",
        }
    }
}

/// A process, so that no other one that got its number is taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildId {
    pub(crate) pid: i32,
    /// When it began, in the kernel's ticks since the machine started.
    pub(crate) began: u64,
}

/// Something that no job holds any more: handed back to CodePipeline, or left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// The first job of the work.
    pub(crate) origin: String,
    pub(crate) pipeline: String,
    pub(crate) program: String,
    /// When it was written down, in seconds since 1970.
    pub(crate) at: i64,
    /// What is in the making, or was made.
    pub(crate) what: String,
    /// The command that removes it.
    pub(crate) command: String,
}

/// Where notes of a kind are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notes {
    /// Long work that waits at CodePipeline for its next look.
    Waiting,
    /// What was made for jobs that failed and could not be removed.
    Left,
}

impl Notes {
    fn folder(self) -> &'static str {
        match self {
            Notes::Waiting => "waiting",
            Notes::Left => "left",
        }
    }
}

/// The journal of a worker.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    root: PathBuf,
}

impl Journal {
    /// A journal in this folder, which is made where it is missing.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for folder in ["jobs", "waiting", "left", "work"] {
            fs::create_dir_all(root.join(folder))?;
        }
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// A journal that is only read; it may be missing.
    pub(crate) fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The folder of a job's files.
    pub(crate) fn folder(&self, job: &str) -> PathBuf {
        self.root.join("work").join(file_name(job))
    }

    /// Writes an entry so that it is there whole, and survives a crash.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn save(&self, entry: &Entry) -> io::Result<()> {
        self.write("jobs", &entry.job, entry)
    }

    /// Forgets a job and its files.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn forget(&self, job: &str) -> io::Result<()> {
        gone(fs::remove_dir_all(self.folder(job)))?;
        self.remove("jobs", job)
    }

    /// Every entry; one that cannot be read is told of and left alone.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.read_all("jobs")
    }

    /// Writes something down.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn note(&self, kind: Notes, note: &Note) -> io::Result<()> {
        self.write(kind.folder(), &note.origin, note)
    }

    /// Strikes out what was written down of this work.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn strike(&self, kind: Notes, origin: &str) -> io::Result<()> {
        self.remove(kind.folder(), origin)
    }

    pub(crate) fn notes(&self, kind: Notes) -> Vec<Note> {
        self.read_all(kind.folder())
    }

    fn path(&self, folder: &str, name: &str) -> PathBuf {
        self.root.join(folder).join(file_name(name) + ".json")
    }

    fn write(&self, folder: &str, name: &str, value: &impl Serialize) -> io::Result<()> {
        let parent = self.root.join(folder);
        let mut temporary = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&parent)?;
        serde_json::to_writer(&mut temporary, value)?;
        temporary.flush()?;
        temporary.as_file().sync_all()?;
        temporary
            .persist(self.path(folder, name))
            .map_err(|error| error.error)?;
        File::open(&parent)?.sync_all()
    }

    fn remove(&self, folder: &str, name: &str) -> io::Result<()> {
        gone(fs::remove_file(self.path(folder, name)))?;
        File::open(self.root.join(folder))?.sync_all()
    }

    fn read_all<T: for<'a> Deserialize<'a>>(&self, folder: &str) -> Vec<T> {
        let Ok(files) = fs::read_dir(self.root.join(folder)) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|kind| kind == "json"));
        paths.sort();
        paths
            .into_iter()
            .filter_map(|path| {
                let text = fs::read(&path).ok()?;
                serde_json::from_slice(&text)
                    .inspect_err(|error| {
                        tracing::warn!("cannot read {}: {error}; it is left alone", path.display());
                    })
                    .ok()
            })
            .collect()
    }
}

/// What is not there is gone.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Ids of jobs are letters, digits and dashes; whatever else a server says must not become a path.
fn file_name(id: &str) -> String {
    id.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .take(100)
        .collect()
}

/// The words for a place in a pipeline, as entries keep them.
pub(crate) fn words(place: &Place) -> String {
    place.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Entry, Journal, Note, Notes, Phase, file_name};

    pub(crate) fn entry(job: &str) -> Entry {
        Entry {
            job: job.to_owned(),
            nonce: "n".to_owned(),
            pipeline: "p".to_owned(),
            program: "make-ami".to_owned(),
            taken: 1,
            phase: Phase::Acknowledging,
            token: None,
            settings: Default::default(),
            child: None,
            report: None,
            sent: false,
            ours: true,
        }
    }

    #[test]
    fn entries_are_found_again_and_a_torn_one_hides_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        journal.save(&entry("a")).unwrap();
        journal.save(&entry("b")).unwrap();
        let mut changed = entry("b");
        changed.phase = Phase::Reporting;
        journal.save(&changed).unwrap();
        std::fs::write(folder.path().join("jobs/c.json"), "{").unwrap();
        std::fs::write(folder.path().join("jobs/.new-x"), "{}").unwrap();
        assert_eq!(journal.entries(), [entry("a"), changed]);
        std::fs::create_dir_all(journal.folder("a").join("x")).unwrap();
        journal.forget("a").unwrap();
        journal.forget("a").unwrap();
        assert!(!journal.folder("a").exists());
        assert_eq!(journal.entries().len(), 1);
    }

    #[test]
    fn notes_are_struck_out() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path()).unwrap();
        let note = Note {
            origin: "j".to_owned(),
            pipeline: "p".to_owned(),
            program: "make-ami".to_owned(),
            at: 3,
            what: "ami-1".to_owned(),
            command: "make-ami clean".to_owned(),
        };
        journal.note(Notes::Left, &note).unwrap();
        assert_eq!(journal.notes(Notes::Left), [note]);
        assert!(journal.notes(Notes::Waiting).is_empty());
        journal.strike(Notes::Left, "j").unwrap();
        assert!(journal.notes(Notes::Left).is_empty());
    }

    #[test]
    fn no_id_leads_out_of_the_folder() {
        assert_eq!(file_name("../../etc/x"), "______etc_x");
        assert_eq!(file_name("11111111-abcd"), "11111111-abcd");
    }
}
