//! What every job of a worker shares, and what it writes down of them.

use crate::api::Api;
use crate::artifacts::Store;
use crate::child::Programs;
use crate::clock::{Clock, seconds};
use crate::decide::Ended;
use crate::job::JobData;
use crate::journal::{Entry, Journal, Note, Notes};
use crate::request::Variables;
use crate::served::{self, LongWork};
use crate::settings::Manner;
use crate::token::Token;
use action::program::Description;
use aws_config::SdkConfig;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// Whether the worker stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stopping {
    No,
    /// No new jobs; programs may end by themselves.
    Soon,
    /// Programs are stopped, and their jobs handed back.
    Now,
}

/// What every job of a worker shares.
#[derive(Debug)]
pub(crate) struct Worker<P> {
    pub(crate) api: Api,
    pub(crate) config: SdkConfig,
    pub(crate) path_style: bool,
    pub(crate) journal: Journal,
    pub(crate) programs: P,
    pub(crate) program: PathBuf,
    pub(crate) description: Description,
    /// What every run of the program gets: where AWS is, and what the user passes on.
    pub(crate) inherited: Variables,
    pub(crate) manner: Manner,
    /// The longest that all the jobs of one action may take together.
    pub(crate) timeout: Duration,
    pub(crate) clock: Clock,
    pub(crate) stopping: watch::Receiver<Stopping>,
    /// Whether jobs come from PollForJobs; a Lambda function is given its job.
    pub(crate) polls: bool,
}

/// A job that is worked on.
pub(crate) struct Leg {
    pub(crate) entry: Entry,
    pub(crate) data: JobData,
    pub(crate) token: Token,
    pub(crate) settings: Variables,
}

/// How far a program came.
pub(crate) struct Ran {
    pub(crate) ended: Ended,
    pub(crate) variables: BTreeMap<String, String>,
    /// The end of its log, without secrets.
    pub(crate) tail: String,
}

impl<P: Programs> Worker<P> {
    pub(crate) fn long(&self) -> Option<&'static LongWork> {
        served::long_work(&self.description.name)
    }

    /// When all jobs of the action must be done: the worker's time or the program's own, whichever is shorter.
    pub(crate) fn deadline(&self, leg: &Leg) -> i64 {
        let own = format!("{}TIMEOUT", self.description.prefix);
        let own = leg.settings.get(&own).and_then(|text| {
            let timeout: action::settings::value::Timeout = text.parse().ok()?;
            Some(timeout.0)
        });
        let longest = own.map_or(self.timeout, |own| own.min(self.timeout));
        leg.token.began.saturating_add(seconds(longest))
    }

    pub(crate) fn store<'a>(&'a self, job: &'a str) -> Store<'a> {
        Store {
            config: &self.config,
            path_style: self.path_style,
            api: &self.api,
            job,
            limits: self.manner.artifacts,
        }
    }

    /// The name of the work outside of CodePipeline.
    pub(crate) fn identity(
        &self,
        leg: &Leg,
        variables: Option<&BTreeMap<String, String>>,
    ) -> String {
        let served = served::served(&self.description.name);
        let made = served.and_then(|served| variables?.get(served.identity));
        let made = made.map(String::as_str).or_else(|| leg.token.handle());
        made.unwrap_or(&leg.token.origin).to_owned()
    }

    pub(crate) fn note_of(&self, entry: &Entry, origin: &str, handle: &str) -> Note {
        let command = self.long().map_or_else(String::new, |long| {
            format!(
                "{}={handle} {} {}",
                long.handle_setting, entry.program, long.clean
            )
        });
        Note {
            origin: origin.to_owned(),
            pipeline: entry.pipeline.clone(),
            program: entry.program.clone(),
            at: self.clock.now(),
            what: handle.to_owned(),
            command,
        }
    }

    /// Writes down what nobody has in hand.
    pub(crate) fn list(&self, kind: Notes, entry: &Entry, origin: &str, what: &str) {
        let note = self.note_of(entry, origin, what);
        if let Err(error) = self.journal.note(kind, &note) {
            tracing::error!(
                "[job {}] cannot write {what} to the journal: {error}",
                entry.job
            );
        }
    }

    pub(crate) fn save(&self, entry: &Entry) {
        if let Err(error) = self.journal.save(entry) {
            tracing::error!(
                "[job {}] cannot be written to the journal: {error}",
                entry.job
            );
        }
    }

    pub(crate) fn forget(&self, entry: &Entry) {
        if let Err(error) = self.journal.forget(&entry.job) {
            tracing::error!(
                "[job {}] cannot be removed from the journal: {error}",
                entry.job
            );
        }
    }

    pub(crate) fn strike(&self, kind: Notes, origin: &str) {
        if let Err(error) = self.journal.strike(kind, origin) {
            tracing::warn!("cannot remove the note of {origin}: {error}");
        }
    }
}
