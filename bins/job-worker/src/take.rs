//! Taking a job: acknowledged, read again after a restart, its token and its settings understood.

use crate::api::{Acknowledged, ApiError, Patience};
use crate::child::{Programs, Stop};
use crate::job::{Job, JobData};
use crate::journal::{self, Entry, Notes, Phase};
use crate::report::Report;
use crate::request::{self, Variables};
use crate::token::{Next, Token};
use crate::worker::{Leg, Worker};

impl<P: Programs> Worker<P> {
    /// Takes a job that was offered, and works on it.
    pub(crate) async fn take(&self, job: Job) {
        let entry = self.entry(&job);
        if let Err(error) = self.journal.save(&entry) {
            tracing::error!(
                "[job {}] not taken: it cannot be written to the journal: {error}",
                job.id
            );
            return;
        }
        self.acknowledge(entry, Some(job.data), false).await;
    }

    /// Works on the job that a Lambda function was given.
    pub(crate) async fn given(&self, job: Job) {
        let mut entry = self.entry(&job);
        entry.phase = Phase::Preparing;
        self.save(&entry);
        self.work(entry, job.data).await;
    }

    fn entry(&self, job: &Job) -> Entry {
        Entry {
            job: job.id.clone(),
            nonce: job.nonce.clone(),
            pipeline: journal::words(&job.data.place),
            program: self.description.name.clone(),
            taken: self.clock.now(),
            phase: Phase::Acknowledging,
            token: None,
            settings: Variables::new(),
            child: None,
            report: None,
            sent: false,
            ours: true,
        }
    }

    /// Goes on with a job that an earlier worker took with this journal.
    pub(crate) async fn recover(&self, mut entry: Entry) {
        tracing::info!(
            "[job {}] {}: going on where an earlier worker was {}",
            entry.job,
            entry.pipeline,
            entry.phase.word()
        );
        if let Some(child) = entry.child.take() {
            let is_look = entry
                .token
                .as_ref()
                .is_some_and(|token| matches!(token.next, Next::Look(_)));
            let how = if is_look { Stop::Kill } else { Stop::Term };
            self.programs.end(child, how).await;
            self.save(&entry);
        }
        match (entry.phase, entry.report.clone()) {
            (Phase::Acknowledging, _) => self.acknowledge(entry, None, true).await,
            (_, Some(report)) => self.report(entry, None, report).await,
            _ => self.fetch_and_work(entry).await,
        }
    }

    async fn acknowledge(&self, mut entry: Entry, data: Option<JobData>, uncertain: bool) {
        let acknowledged = self
            .api
            .acknowledge(&entry.job, &entry.nonce, uncertain)
            .await;
        let token = data.as_ref().and_then(|data| data.token.as_deref());
        match acknowledged {
            Ok(Acknowledged::Ours { certain }) => {
                entry.ours = certain;
                entry.phase = Phase::Preparing;
                self.save(&entry);
                match data {
                    Some(data) => self.work(entry, data).await,
                    None => self.fetch_and_work(entry).await,
                }
            }
            Ok(Acknowledged::TimedOut) => {
                tracing::warn!(
                    "[job {}] CodePipeline abandoned it before it was taken",
                    entry.job
                );
                let token = token.and_then(|text| Token::read(text, &entry.program).ok());
                let data = data.unwrap_or_default();
                self.clean_given_up(entry, data, token).await;
            }
            Ok(Acknowledged::Ended) => {
                tracing::info!("[job {}] it has ended already", entry.job);
                self.forget(&entry);
            }
            Err(ApiError::Taken(_)) => {
                tracing::info!("[job {}] another worker has taken it", entry.job);
                self.forget(&entry);
            }
            Err(error) => {
                tracing::error!("[job {}] cannot be acknowledged: {error}", entry.job);
                self.forget(&entry);
            }
        }
    }

    /// Works on a job of which only the journal is known.
    async fn fetch_and_work(&self, entry: Entry) {
        match self.api.details(&entry.job, Patience::UntilAnswered).await {
            Ok(data) => self.work(entry, data).await,
            Err(ApiError::Gone(_)) => {
                tracing::warn!("[job {}] CodePipeline no longer knows it", entry.job);
                let token = entry.token.clone();
                self.clean_given_up(entry, JobData::default(), token).await;
            }
            // It stays in the journal for the next start.
            Err(error) => tracing::error!("[job {}] cannot be read again: {error}", entry.job),
        }
    }

    /// Works on a job that is this worker's.
    async fn work(&self, mut entry: Entry, data: JobData) {
        if entry.pipeline == journal::words(&crate::job::Place::default()) {
            entry.pipeline = journal::words(&data.place);
        }
        let name = &self.description.name;
        let token = match (&entry.token, &data.token) {
            // What was written down is the newer of the two.
            (Some(token), _) => Ok(token.clone()),
            (None, Some(text)) => Token::read(text, name),
            (None, None) => Ok(Token::first(name, &entry.job, entry.taken)),
        };
        let settings = request::settings(&data.configuration, &self.description);
        let (token, mut settings) = match (token, settings) {
            (Ok(token), Ok(settings)) => (token, settings),
            (token, settings) => {
                let mut faults = settings.err().unwrap_or_default();
                faults.extend(token.err().map(|fault| fault.to_string()));
                let message = format!(
                    "the action's configuration is wrong; nothing was touched\n  {}",
                    faults.join("\n  ")
                );
                let report = Report::failed(&entry.job, "ConfigurationError", &message);
                return self.report(entry, Some(data), report).await;
            }
        };
        if let Some(long) = self.long() {
            // A retry of the stage is the same run, and adopts what the first try made.
            let execution = data.place.execution.as_deref().unwrap_or(&token.origin);
            let action = data.place.action.as_deref().unwrap_or("job");
            let run = settings.entry(long.run_setting.to_owned());
            run.or_insert_with(|| format!("{execution}.{action}"));
        }
        entry.token = Some(token.clone());
        entry.settings = request::without_secrets(&settings, &self.description);
        self.save(&entry);
        self.strike(Notes::Waiting, &token.origin);
        self.strike(Notes::Left, &token.origin);
        let leg = Leg {
            entry,
            data,
            token,
            settings,
        };
        self.go(leg).await;
    }
}
