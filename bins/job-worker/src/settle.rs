//! How a job ends: outputs up, the report, and removing what was made for a job that CodePipeline gave up.

use crate::api::{ApiError, Reported};
use crate::artifacts::{self, ArtifactError, Folders};
use crate::child::{self, Programs, Run, Stop};
use crate::decide::Step;
use crate::job::JobData;
use crate::journal::{Entry, Notes, Phase};
use crate::report::{Outcome, Report, check_variables};
use crate::request;
use crate::served::LongWork;
use crate::token::{Next, Token};
use crate::worker::{Leg, Ran, Stopping, Worker};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::sleep;

/// How long to wait before a report is tried again that CodePipeline refused.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);
/// How long cleaning may take.
const CLEAN_WITHIN: Duration = Duration::from_secs(600);

impl<P: Programs> Worker<P> {
    pub(crate) async fn done(&self, mut leg: Leg, folders: &Folders, ran: Ran) {
        let identity = self.identity(&leg, Some(&ran.variables));
        let made = made(&ran.variables);
        if let Err(fault) = check_variables(&ran.variables) {
            let message =
                format!("{fault}\nthe program had succeeded, and what it made remains: {made}");
            let report = Report::failed(&identity, "ConfigurationError", &message);
            return self.report(leg.entry, Some(leg.data), report).await;
        }
        if !leg.data.outputs.is_empty() {
            leg.entry.phase = Phase::Uploading;
            self.save(&leg.entry);
            let job = leg.entry.job.clone();
            let store = self.store(&job);
            let uploaded = store
                .hand_over(&mut leg.data, folders, &ran.variables)
                .await;
            if let Err(error) = uploaded {
                return self.artifact_failed(leg, &error, &made).await;
            }
        }
        let summary = last_line(&ran.tail);
        let report = Report::succeeded(&identity, summary, ran.variables);
        self.report(leg.entry, Some(leg.data), report).await;
    }

    pub(crate) async fn hand_back(&self, mut leg: Leg, token: Token, ran: &Ran) {
        let Some(text) = token.text() else {
            let message = "the continuation token would be longer than CodePipeline takes";
            let report = Report::failed(&leg.entry.job, "JobFailed", message);
            return self.report(leg.entry, Some(leg.data), report).await;
        };
        leg.token = token.clone();
        leg.entry.token = Some(token.clone());
        if let Some(handle) = token.handle() {
            // Before CodePipeline hears of it: nothing is ever in the making that is written down nowhere.
            self.list(Notes::Waiting, &leg.entry, &token.origin, handle);
        }
        let identity = self.identity(&leg, Some(&ran.variables));
        let report = Report::continues(&identity, last_line(&ran.tail), text);
        self.report(leg.entry, Some(leg.data), report).await;
    }

    pub(crate) async fn artifact_failed(&self, leg: Leg, error: &ArtifactError, made: &str) {
        if error.is_given_up() {
            tracing::warn!("[job {}] CodePipeline has abandoned it", leg.entry.job);
            return self
                .clean_given_up(leg.entry, leg.data, Some(leg.token))
                .await;
        }
        let identity = self.identity(&leg, None);
        let message = artifacts::message(error, made);
        let report = Report::failed(&identity, error.kind(), &message);
        self.report(leg.entry, Some(leg.data), report).await;
    }

    /// Reports, again and again until CodePipeline has heard it, and forgets the job then.
    pub(crate) async fn report(&self, mut entry: Entry, data: Option<JobData>, report: Report) {
        let mut report = report;
        loop {
            let uncertain = entry.sent;
            entry.phase = Phase::Reporting;
            entry.report = Some(report.clone());
            entry.sent = true;
            self.save(&entry);
            match self.api.report(&entry.job, &report, uncertain).await {
                Ok(Reported::Heard) => {
                    self.tell(&entry, &report);
                    return self.forget(&entry);
                }
                Ok(Reported::EndedPerhapsByUs) => {
                    tracing::warn!(
                        "[job {}] it has ended: by an earlier report whose answer was lost, or because CodePipeline abandoned it",
                        entry.job
                    );
                    self.note_unsure(&entry);
                    return self.forget(&entry);
                }
                Ok(Reported::Ended) => {
                    tracing::warn!(
                        "[job {}] CodePipeline abandoned it before it was reported",
                        entry.job
                    );
                    let token = entry.token.clone();
                    let token = token.map(|token| with_identity(token, &report, self.long()));
                    return self
                        .clean_given_up(entry, data.unwrap_or_default(), token)
                        .await;
                }
                Err(ApiError::TooLarge(error)) => {
                    let message = format!(
                        "CodePipeline does not take the output variables\n  cause: {error}"
                    );
                    report = Report::failed(&report.external_id, "ConfigurationError", &message);
                    entry.sent = false;
                }
                Err(error) => {
                    tracing::error!("[job {}] cannot be reported: {error}", entry.job);
                    // The journal has it; a stop does not wait for a permission.
                    let mut stopping = self.stopping.clone();
                    tokio::select! {
                        () = sleep(REFUSED_AGAIN) => {}
                        _ = stopping.wait_for(|stopping| *stopping != Stopping::No) => return,
                    }
                    entry.sent = uncertain;
                }
            }
        }
    }

    fn tell(&self, entry: &Entry, report: &Report) {
        let job = &entry.job;
        match &report.result {
            Outcome::Succeeded { variables, .. } => {
                let names: Vec<_> = variables.keys().map(String::as_str).collect();
                tracing::info!("[job {job}] succeeded with {}", names.join(", "));
            }
            Outcome::Continues { .. } => {
                tracing::info!("[job {job}] goes on: {}", report.external_id)
            }
            Outcome::Failed { kind, .. } => {
                tracing::info!("[job {job}] reported as failed, {kind}")
            }
        }
    }

    /// Whether what was made is in use nobody can say: it is listed.
    fn note_unsure(&self, entry: &Entry) {
        let Some(token) = &entry.token else { return };
        let is_waiting = matches!(
            entry.report.as_ref().map(|report| &report.result),
            Some(Outcome::Continues { .. })
        );
        if let Some(handle) = token.handle().filter(|_| !is_waiting) {
            self.list(Notes::Left, entry, &token.origin, handle);
        }
    }

    /// Removes what was made for a job that CodePipeline gave up, or lists it.
    pub(crate) async fn clean_given_up(
        &self,
        mut entry: Entry,
        data: JobData,
        token: Option<Token>,
    ) {
        let Some((token, _)) = token.zip(self.long()) else {
            return self.forget(&entry);
        };
        entry.token = Some(token.clone());
        if !entry.ours {
            // Another worker may go on with it.
            self.note_unsure(&entry);
            return self.forget(&entry);
        }
        let settings = match entry.settings.is_empty() {
            true => request::settings(&data.configuration, &self.description).unwrap_or_default(),
            false => entry.settings.clone(),
        };
        let mut leg = Leg {
            entry,
            data,
            token,
            settings,
        };
        self.clean(&mut leg).await;
        self.forget(&leg.entry);
    }

    /// Removes what is in the making; what cannot be removed is listed.
    pub(crate) async fn clean(&self, leg: &mut Leg) {
        let Some(long) = self.long() else { return };
        leg.entry.phase = Phase::Cleaning;
        self.save(&leg.entry);
        let handle = leg.token.handle().map(str::to_owned);
        let what = handle
            .clone()
            .unwrap_or_else(|| format!("whatever the job {} made", leg.token.origin));
        // Listed first: a worker that is killed while it cleans leaves nothing unlisted.
        self.list(Notes::Left, &leg.entry, &leg.token.origin, &what);
        let folder = self.journal.folder(&leg.entry.job);
        if let Err(error) = std::fs::create_dir_all(&folder) {
            tracing::error!("[job {}] cannot make its folder: {error}", leg.entry.job);
            return;
        }
        // By its run, and so that what is gone already is no failure.
        let run = leg.settings.get(long.run_setting).cloned();
        let step = Step::Look(run.or(handle));
        let run = Run {
            program: self.program.clone(),
            command: Some(long.clean),
            environment: self.environment(leg, &step, CLEAN_WITHIN, &folder.join("exports")),
            folder: folder.clone(),
            log: folder.join("clean.log"),
            exports: folder.join("exports"),
        };
        let log = run.log.clone();
        let (_keep, stop) = watch::channel(Stop::GoOn);
        match self.programs.run(run, |_| {}, stop).await {
            Ok(Some(0)) => {
                tracing::info!("[job {}] removed what it had made: {what}", leg.entry.job);
                self.strike(Notes::Left, &leg.token.origin);
                self.strike(Notes::Waiting, &leg.token.origin);
            }
            Ok(_) => tracing::error!(
                "[job {}] remains: {what}; `job-worker status` lists it\n{}",
                leg.entry.job,
                child::tail(&log)
            ),
            Err(error) => tracing::error!("[job {}] remains: {what}: {error}", leg.entry.job),
        }
    }
}

/// The token with what the report names, where the program had just made it.
fn with_identity(token: Token, report: &Report, long: Option<&LongWork>) -> Token {
    match (&token.next, long) {
        (Next::Again, Some(_)) if report.external_id != token.origin => Token {
            next: Next::Look(Some(report.external_id.clone())),
            ..token
        },
        _ => token,
    }
}

/// The exports in words.
fn made(variables: &BTreeMap<String, String>) -> String {
    let pairs = variables.iter();
    // A value that is too long for the outputs is too long for a message, too.
    let pairs = pairs.map(|(name, value)| {
        let value: String = value.chars().take(100).collect();
        format!("{name}={value}")
    });
    pairs.take(20).collect::<Vec<_>>().join(", ")
}

fn last_line(text: &str) -> &str {
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("")
}
