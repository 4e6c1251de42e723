//! One job, from the moment it is offered until it is reported: what the worker does, step by step. What
//! follows from what is decided in `decide`.

use crate::api::{Acknowledged, Api, ApiError, Patience, Reported};
use crate::artifacts::{self, ArtifactError, Folders, Store};
use crate::child::{self, Programs, Run, Stop};
use crate::clock::{Clock, seconds};
use crate::decide::{self, Ended, Step, Stopped, Terms, Verdict};
use crate::exports;
use crate::job::{Job, JobData};
use crate::journal::{self, Entry, Journal, Note, Notes, Phase};
use crate::report::{Outcome, Report, check_variables};
use crate::request::{self, Variables};
use crate::served::{self, LongWork};
use crate::settings::Manner;
use crate::token::Token;
use action::program::Description;
use action::redact;
use aws_config::SdkConfig;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// How long to wait before a report is tried again that CodePipeline refused, and how long cleaning may take.
const REFUSED_AGAIN: Duration = Duration::from_secs(60);
const CLEAN_WITHIN: Duration = Duration::from_secs(600);
/// What a look may take beyond its own deadline before it is killed.
const LOOK_GRACE: Duration = Duration::from_secs(60);

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
struct Leg {
    entry: Entry,
    data: JobData,
    token: Token,
    settings: Variables,
}

/// How far a program came.
struct Ran {
    ended: Ended,
    variables: BTreeMap<String, String>,
    /// The end of its log, without secrets.
    tail: String,
}

impl<P: Programs> Worker<P> {
    fn long(&self) -> Option<&'static LongWork> {
        served::long_work(&self.description.name)
    }

    /// Takes a job that was offered, and works on it.
    pub(crate) async fn take(&self, job: Job) {
        let entry = self.entry(&job);
        if let Err(error) = self.journal.save(&entry) {
            tracing::error!("[job {}] not taken: cannot write it down: {error}", job.id);
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
                .is_some_and(|token| matches!(token.next, crate::token::Next::Look(_)));
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
                    "[job {}] CodePipeline gave it up before it was taken",
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
                tracing::warn!("[job {}] CodePipeline does not know it any more", entry.job);
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
        let (token, settings) = match (token, settings) {
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
        entry.token = Some(token.clone());
        self.save(&entry);
        self.strike(Notes::Waiting, &token.origin);
        let leg = Leg {
            entry,
            data,
            token,
            settings,
        };
        self.go(leg).await;
    }

    async fn go(&self, mut leg: Leg) {
        let long = self.long();
        let resumes = long.is_some_and(|long| leg.settings.contains_key(long.resume_setting));
        let step = Step::of(&leg.token, long, resumes);
        let deadline = self.deadline(&leg);
        let terms = |now| Terms {
            now,
            deadline,
            look_every: self.manner.look_every,
            clean_at_deadline: long.is_some_and(|long| {
                let (setting, clean, _) = long.at_deadline;
                leg_setting(&leg.settings, setting) == Some(clean)
            }),
        };
        let at_start = terms(self.clock.now());
        let folders = Folders::of(&self.journal.folder(&leg.entry.job), &leg.data);
        if let Err(error) = self.prepare(&mut leg, &step, &folders).await {
            return self.artifact_failed(leg, &error, "").await;
        }
        leg.entry.phase = Phase::Running;
        self.save(&leg.entry);
        tracing::info!(
            "[job {}] {}: {} {}",
            leg.entry.job,
            leg.entry.pipeline,
            self.description.name,
            step.words()
        );
        let ran = match self.run(&mut leg, &step, &folders, deadline).await {
            Ok(ran) => ran,
            Err(error) => {
                let message = format!("cannot run {}: {error}", self.description.name);
                let report =
                    Report::failed(&self.identity(&leg, None), "SystemUnavailable", &message);
                return self.report(leg.entry, Some(leg.data), report).await;
            }
        };
        let terms = Terms {
            now: self.clock.now(),
            ..at_start
        };
        let code = ran
            .ended
            .code
            .map_or_else(|| "a signal".to_owned(), |code| format!("exit {code}"));
        tracing::info!(
            "[job {}] {} ended with {code}",
            leg.entry.job,
            self.description.name
        );
        match decide::after(&step, &ran.ended, &leg.token, terms) {
            Verdict::Done => self.done(leg, &folders, ran).await,
            Verdict::HandBack(token) => self.hand_back(leg, token, &ran).await,
            Verdict::Failed { kind, clean } => {
                let identity = self.identity(&leg, Some(&ran.variables));
                let mut message = ran.tail;
                if terms.now >= deadline {
                    message.push_str("\nthe action's time is over");
                }
                let report = Report::failed(&identity, kind, &message);
                if clean {
                    leg.entry.report = Some(report.clone());
                    self.clean(&mut leg).await;
                } else if let Step::Look(Some(handle)) = &step
                    && ran.ended.code != Some(1)
                {
                    self.list(Notes::Left, &leg.entry, &leg.token.origin, handle);
                }
                self.report(leg.entry, Some(leg.data), report).await;
            }
            Verdict::GivenUp => {
                tracing::warn!("[job {}] CodePipeline has given it up", leg.entry.job);
                let token = ran.ended.handle.map_or(leg.token.clone(), |handle| Token {
                    next: crate::token::Next::Look(Some(handle)),
                    ..leg.token.clone()
                });
                self.clean_given_up(leg.entry, leg.data, Some(token)).await;
            }
        }
    }

    /// When all jobs of the action must be done: the worker's time or the program's own, whichever is shorter.
    fn deadline(&self, leg: &Leg) -> i64 {
        let own = format!("{}TIMEOUT", self.description.prefix);
        let own = leg.settings.get(&own).and_then(|text| {
            let timeout: action::settings::value::Timeout = text.parse().ok()?;
            Some(timeout.0)
        });
        let longest = own.map_or(self.timeout, |own| own.min(self.timeout));
        leg.token.began.saturating_add(seconds(longest))
    }

    async fn prepare(
        &self,
        leg: &mut Leg,
        step: &Step,
        folders: &Folders,
    ) -> Result<(), ArtifactError> {
        leg.entry.phase = Phase::Preparing;
        self.save(&leg.entry);
        folders.make(&leg.data)?;
        // A look needs nothing but the settings.
        if matches!(step, Step::Look(_)) {
            return Ok(());
        }
        let store = self.store(&leg.entry.job);
        store.bring(&mut leg.data, folders).await
    }

    fn store<'a>(&'a self, job: &'a str) -> Store<'a> {
        Store {
            config: &self.config,
            path_style: self.path_style,
            api: &self.api,
            job,
            limits: self.manner.artifacts,
        }
    }

    /// Runs the program for a step, and watches over it.
    async fn run(
        &self,
        leg: &mut Leg,
        step: &Step,
        folders: &Folders,
        deadline: i64,
    ) -> io::Result<Ran> {
        let now = self.clock.now();
        let left = Duration::from_secs(u64::try_from(deadline - now).unwrap_or(0).max(1));
        let (within, command) = match (step, self.long()) {
            (Step::Look(_), Some(long)) => {
                let grown = Duration::from_secs(u64::from(leg.token.looks).min(110));
                ((self.manner.look_for + grown).min(left), Some(long.wait))
            }
            (Step::Start, Some(long)) => (left, Some(long.start)),
            _ => (left, None),
        };
        let folder = self.journal.folder(&leg.entry.job);
        let run = Run {
            program: self.program.clone(),
            command,
            environment: self.environment(leg, step, within, &folder.join("exports")),
            folder: folders.work.clone(),
            log: folder.join("log"),
            exports: folder.join("exports"),
        };
        let (log, exports) = (run.log.clone(), run.exports.clone());
        let (tell, stop) = watch::channel(Stop::GoOn);
        let mut stopped = None;
        let code = {
            let (job, journal) = (leg.entry.job.clone(), self.journal.clone());
            let mut entry = leg.entry.clone();
            let started = move |child| {
                entry.child = Some(child);
                if let Err(error) = journal.save(&entry) {
                    tracing::error!("[job {}] cannot write its process down: {error}", entry.job);
                }
            };
            let mut running = pin!(self.programs.run(run, started, stop));
            let mut stopping = self.stopping.clone();
            let end = self.clock.instant(deadline) + LOOK_GRACE;
            let mut check_at = Instant::now() + self.manner.check_every;
            loop {
                let is_told = stopped.is_some();
                tokio::select! {
                    biased;
                    code = &mut running => break code?,
                    _ = stopping.wait_for(|stopping| *stopping == Stopping::Now), if !is_told => {
                        stopped = Some(Stopped::Worker);
                        // A look that is asked to stop would remove the image.
                        let how = if matches!(step, Step::Look(_)) { Stop::Kill } else { Stop::Term };
                        tracing::info!("[job {job}] the worker stops: its program is stopped");
                        tell.send_replace(how);
                    }
                    () = sleep_until(end), if !is_told => {
                        stopped = Some(Stopped::Deadline);
                        let how = if matches!(step, Step::Look(_)) { Stop::Kill } else { Stop::Term };
                        tell.send_replace(how);
                    }
                    given_up = self.is_given_up(&job, check_at), if !is_told && self.polls => {
                        check_at = Instant::now() + self.manner.check_every;
                        if given_up {
                            stopped = Some(Stopped::GivenUp);
                            tell.send_replace(Stop::Term);
                        }
                    }
                }
            }
        };
        let variables = exports::read(&exports).unwrap_or_default();
        let handle = self
            .long()
            .and_then(|long| variables.get(long.handle))
            .cloned();
        let text = child::tail(&log);
        let secrets = request::secrets(&leg.settings, &self.description);
        let credentials = leg.data.credentials.iter();
        let credentials = credentials
            .flat_map(|one| [one.secret_access_key.as_str(), one.session_token.as_str()]);
        let tail = redact::without(&text, secrets.chain(credentials));
        for line in tail.lines() {
            tracing::info!(target: "program", "[job {}] | {line}", leg.entry.job);
        }
        leg.entry.child = None;
        Ok(Ran {
            ended: Ended {
                code,
                stopped,
                handle,
            },
            variables,
            tail,
        })
    }

    /// Asks, when the time has come, whether CodePipeline still has the job in progress. That it says
    /// JobNotFoundException of a job that was stopped or has timed out is unproven; without it the report tells.
    async fn is_given_up(&self, job: &str, at: Instant) -> bool {
        sleep_until(at).await;
        matches!(
            self.api.details(job, Patience::Once).await,
            Err(ApiError::Gone(_))
        )
    }

    /// All that the program gets: what is inherited, the settings, and what the worker adds.
    fn environment(
        &self,
        leg: &Leg,
        step: &Step,
        within: Duration,
        exports: &std::path::Path,
    ) -> Variables {
        let prefix = &self.description.prefix;
        let mut all = self.inherited.clone();
        all.extend(leg.settings.clone());
        all.insert(
            format!("{prefix}EXPORT_FILE"),
            exports.display().to_string(),
        );
        all.insert(
            format!("{prefix}TIMEOUT"),
            format!("{}s", within.as_secs().max(1)),
        );
        let Some(long) = self.long() else {
            return all;
        };
        // A retry of the stage is the same run, and adopts what the first try made.
        let place = &leg.data.place;
        let execution = place.execution.as_deref().unwrap_or(&leg.token.origin);
        let action = place.action.as_deref().unwrap_or("job");
        all.entry(long.run_setting.to_owned())
            .or_insert_with(|| format!("{execution}.{action}"));
        if let Step::Look(handle) = step {
            let (setting, _, keep) = long.at_deadline;
            all.insert(setting.to_owned(), keep.to_owned());
            if let Some(handle) = handle {
                all.remove(long.resume_setting);
                all.insert(long.handle_setting.to_owned(), handle.clone());
            }
        }
        all
    }

    /// The name of the work outside of CodePipeline.
    fn identity(&self, leg: &Leg, variables: Option<&BTreeMap<String, String>>) -> String {
        let served = served::served(&self.description.name);
        let made = served.and_then(|served| variables?.get(served.identity));
        let made = made.map(String::as_str).or_else(|| leg.token.handle());
        made.unwrap_or(&leg.token.origin).to_owned()
    }

    async fn done(&self, mut leg: Leg, folders: &Folders, ran: Ran) {
        let identity = self.identity(&leg, Some(&ran.variables));
        let made = made(&ran.variables);
        if let Err(fault) = check_variables(&ran.variables) {
            let message =
                format!("{fault}\nthe program had ended well, and what it made remains: {made}");
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

    async fn hand_back(&self, mut leg: Leg, token: Token, ran: &Ran) {
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

    fn note_of(&self, entry: &Entry, origin: &str, handle: &str) -> Note {
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

    async fn artifact_failed(&self, leg: Leg, error: &ArtifactError, made: &str) {
        if error.is_given_up() {
            tracing::warn!("[job {}] CodePipeline has given it up", leg.entry.job);
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
    async fn report(&self, mut entry: Entry, data: Option<JobData>, report: Report) {
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
                        "[job {}] it has ended: by an earlier report whose answer was lost, or because CodePipeline gave it up",
                        entry.job
                    );
                    self.note_unsure(&entry);
                    return self.forget(&entry);
                }
                Ok(Reported::Ended) => {
                    tracing::warn!(
                        "[job {}] CodePipeline gave it up before it was reported",
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

    /// Writes down what nobody has in hand.
    fn list(&self, kind: Notes, entry: &Entry, origin: &str, what: &str) {
        let note = self.note_of(entry, origin, what);
        if let Err(error) = self.journal.note(kind, &note) {
            tracing::error!("[job {}] cannot write down {what}: {error}", entry.job);
        }
    }

    /// Removes what was made for a job that CodePipeline gave up, or lists it.
    async fn clean_given_up(&self, mut entry: Entry, data: JobData, token: Option<Token>) {
        let Some((token, _)) = token.zip(self.long()) else {
            return self.forget(&entry);
        };
        entry.token = Some(token.clone());
        if !entry.ours {
            // Another worker may go on with it.
            self.note_unsure(&entry);
            return self.forget(&entry);
        }
        let settings = request::settings(&data.configuration, &self.description);
        let mut leg = Leg {
            entry,
            data,
            token,
            settings: settings.unwrap_or_default(),
        };
        self.clean(&mut leg).await;
        self.forget(&leg.entry);
    }

    /// Removes what is in the making; what cannot be removed is listed.
    async fn clean(&self, leg: &mut Leg) {
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
        let step = Step::Look(handle);
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

    fn save(&self, entry: &Entry) {
        if let Err(error) = self.journal.save(entry) {
            tracing::error!("[job {}] cannot be written down: {error}", entry.job);
        }
    }

    fn forget(&self, entry: &Entry) {
        if let Err(error) = self.journal.forget(&entry.job) {
            tracing::error!("[job {}] cannot be struck out: {error}", entry.job);
        }
    }

    fn strike(&self, kind: Notes, origin: &str) {
        if let Err(error) = self.journal.strike(kind, origin) {
            tracing::warn!("cannot strike out what was noted of {origin}: {error}");
        }
    }
}

fn leg_setting<'a>(settings: &'a Variables, name: &str) -> Option<&'a str> {
    settings.get(name).map(String::as_str)
}

/// The token with what the report names, where the program had just made it.
fn with_identity(token: Token, report: &Report, long: Option<&LongWork>) -> Token {
    match (&token.next, long) {
        (crate::token::Next::Again, Some(_)) if report.external_id != token.origin => Token {
            next: crate::token::Next::Look(Some(report.external_id.clone())),
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
