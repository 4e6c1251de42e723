//! One step of a job: files down, the program run and watched, and on to what was decided.

use crate::api::{ApiError, Patience};
use crate::artifacts::{ArtifactError, Folders};
use crate::child::{self, Programs, Run, Stop};
use crate::decide::{self, Ended, Step, Stopped, Terms, Verdict};
use crate::exports;
use crate::journal::{Notes, Phase};
use crate::report::Report;
use crate::request::{self, Variables};
use crate::token::{Next, Token};
use crate::worker::{Leg, Ran, Stopping, Worker};
use action::redact;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What a look may take beyond its own deadline before it is killed.
const LOOK_GRACE: Duration = Duration::from_secs(60);

impl<P: Programs> Worker<P> {
    pub(crate) async fn go(&self, mut leg: Leg) {
        let long = self.long();
        let resumes = long.is_some_and(|long| leg.settings.contains_key(long.handle_setting));
        let step = Step::of(&leg.token, long, resumes);
        let deadline = self.deadline(&leg);
        let terms = |now| Terms {
            now,
            deadline,
            look_every: self.manner.look_every,
            clean_at_deadline: long.is_some_and(|long| {
                let (setting, clean, _) = long.at_deadline;
                value_of(&leg.settings, setting) == Some(clean)
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
                tracing::warn!("[job {}] CodePipeline has abandoned it", leg.entry.job);
                let token = ran.ended.handle.map_or(leg.token.clone(), |handle| Token {
                    next: Next::Look(Some(handle)),
                    ..leg.token.clone()
                });
                // Also after a program that was told to stop: it may have been stopped before it had found what an
                // earlier job made.
                self.clean_given_up(leg.entry, leg.data, Some(token)).await;
            }
        }
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
                    tracing::error!(
                        "[job {}] cannot write its process to the journal: {error}",
                        entry.job
                    );
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
        // Of a look that found nothing new, only whoever debugs wants to hear.
        let is_news = !matches!((step, code), (Step::Look(_), Some(6)));
        for line in tail.lines() {
            match is_news {
                true => tracing::info!(target: "program", "[job {}] | {line}", leg.entry.job),
                false => tracing::debug!(target: "program", "[job {}] | {line}", leg.entry.job),
            }
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
    pub(crate) fn environment(
        &self,
        leg: &Leg,
        step: &Step,
        within: Duration,
        exports: &Path,
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
        if let Step::Look(handle) = step {
            let (setting, _, keep) = long.at_deadline;
            all.insert(setting.to_owned(), keep.to_owned());
            if let Some(handle) = handle {
                all.insert(long.handle_setting.to_owned(), handle.clone());
            }
        }
        all
    }
}

fn value_of<'a>(settings: &'a Variables, name: &str) -> Option<&'a str> {
    settings.get(name).map(String::as_str)
}
