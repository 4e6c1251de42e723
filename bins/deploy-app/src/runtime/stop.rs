//! Stopping what runs, so that what answers afterwards is what is started next.

use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Signal;
use action::wait::{self, Ended, Limits, Look, Pace};
use tokio::time::Instant;

use super::health;
use super::run_spec::RunSpec;
use crate::host::Remote;
use crate::host::command::Command;
use crate::settings::{Checked, Health, Run};

/// How long what was stopped may still answer: many stop commands only send a signal.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two questions.
const PACE: Pace = Pace {
    first: Duration::from_millis(250),
    longest: Duration::from_millis(250),
};
const WHAT: &str = "the application to end";

/// What is stopped, and for what.
#[derive(Debug)]
pub(crate) struct Stopping<'a> {
    /// How what runs was started.
    pub runs: &'a RunSpec,
    /// The release that runs; none where none of ours was there before.
    pub release: Option<&'a str>,
    /// Whether it is known that it runs. Else a stop command that fails may have found nothing to stop.
    pub is_certain: bool,
    /// The release that is started next, and how it is run; none where nothing is.
    pub next: Option<(&'a str, &'a RunSpec)>,
}

/// Why what runs was not stopped.
#[derive(Debug)]
pub enum NotStopped {
    /// It answers as it did before.
    Runs(Failure),
    /// It may have been stopped, wholly or in part.
    Unknown(Failure),
}

impl From<Failure> for NotStopped {
    fn from(failure: Failure) -> Self {
        Self::Unknown(failure)
    }
}

impl From<NotStopped> for Failure {
    fn from(not_stopped: NotStopped) -> Self {
        match not_stopped {
            NotStopped::Runs(failure) | NotStopped::Unknown(failure) => failure,
        }
    }
}

/// Stops what runs.
pub(crate) async fn stop(
    remote: &Remote<'_>,
    stopping: &Stopping<'_>,
    limits: &Limits,
) -> Result<(), NotStopped> {
    let Stopping { runs, next, .. } = *stopping;
    if is_left_running(runs, next.map(|(_, next)| next)) {
        return Ok(());
    }
    let asked = stopping.asked();
    let is_foreign = stopping.release.is_none();
    if is_foreign && answers(remote, asked, limits).await? == Answers::Nothing {
        return Ok(());
    }
    let deed = match stopping.release {
        Some(release) => format!("stop release {release}"),
        None => "stop what runs already".to_owned(),
    };
    let mut failed = None;
    for command in stopping.commands(remote.settings) {
        match remote.command(&command, &deed, limits).await {
            Ok(()) => {
                if outlasts(remote, asked, Answers::Nameless, limits).await? {
                    tracing::warn!(
                        "something still answers after the stop command, and sends no X-Release-Id: the old process may be what is found healthy"
                    );
                }
                return Ok(());
            }
            Err(failure) if !matches!(failure.exit(), Exit::Failed | Exit::NotPermitted) => {
                return Err(NotStopped::Unknown(failure));
            }
            Err(failure) => {
                let runs_still = match asked {
                    Some(_) => outlasts(remote, asked, Answers::Named, limits).await?,
                    None => stopping.is_certain && !is_down(remote, stopping, limits).await,
                };
                if !runs_still {
                    tracing::warn!("{failure}");
                    tracing::warn!("nothing seems to be running: going on");
                    return Ok(());
                }
                failed = Some(failure);
            }
        }
    }
    match failed {
        Some(failure) if asked.is_some() => Err(NotStopped::Runs(failure)),
        Some(failure) => Err(NotStopped::Unknown(failure)),
        None if next.is_some() && answers(remote, asked, limits).await? == Answers::Nameless => {
            Err(NotStopped::Runs(unclear(remote, asked)))
        }
        None => Ok(()),
    }
}

impl<'a> Stopping<'a> {
    /// The commands that stop it where nobody looks at what answers; or why nobody may do that.
    pub(crate) fn unattended(&self, settings: &Checked) -> Result<Option<Command>, &'static str> {
        let next = self.next.map(|(_, next)| next);
        if is_left_running(self.runs, next) {
            return Ok(None);
        }
        match self.commands(settings).into_iter().next() {
            None if next.is_some_and(|next| matches!(next.run, Run::Command { .. })) => {
                Err("there is no command that stops what runs")
            }
            command => Ok(command),
        }
    }

    /// Who is asked whether it runs still.
    fn asked(&self) -> Option<&'a Health> {
        match self.next {
            Some((_, next)) if matches!(next.run, Run::Command { .. }) => next.health.as_ref(),
            Some(_) => None,
            None => self.runs.health.as_ref(),
        }
    }

    /// The commands that may stop it, the likeliest first: its own, and where that fails the one that the next release
    /// has, which may be the mended one.
    fn commands(&self, settings: &Checked) -> Vec<Command> {
        let Some(folder) = self.release.or(self.next.map(|(release, _)| release)) else {
            return Vec::new();
        };
        let own = self.runs.commands(settings).down(folder);
        let next = self
            .next
            .and_then(|(_, next)| next.commands(settings).stop(folder));
        let mut all: Vec<Command> = own.into_iter().chain(next).collect();
        all.dedup();
        all
    }
}

/// What [`stop`] would do, or why it would refuse; nothing where there is nothing to stop. Changes nothing.
pub(crate) async fn foreseen(
    remote: &Remote<'_>,
    stopping: &Stopping<'_>,
    limits: &Limits,
) -> Result<Option<String>, Failure> {
    if is_left_running(stopping.runs, stopping.next.map(|(_, next)| next)) {
        return Ok(None);
    }
    let asked = stopping.asked();
    let answers = answers(remote, asked, limits).await?;
    if stopping.release.is_none() && answers == Answers::Nothing {
        return Ok(None);
    }
    let what = match stopping.release {
        Some(_) => "stop".to_owned(),
        None => format!("stop what answers at {} already", address(asked)),
    };
    Ok(match stopping.commands(remote.settings).first() {
        Some(command) => Some(format!("{what}: {}", command.shown)),
        None if answers == Answers::Nameless => Some(format!(
            "the start is refused: something answers at {} already, and there is no command that stops it",
            address(asked)
        )),
        None => None,
    })
}

/// Whether what runs is not ours to stop: Compose replaces what it runs by itself, and with runtime none nothing would
/// be started again.
fn is_left_running(runs: &RunSpec, next: Option<&RunSpec>) -> bool {
    match (&runs.run, next.map(|next| &next.run)) {
        (_, Some(Run::None)) => true,
        (Run::Compose(runs), Some(Run::Compose(next))) => runs.project == next.project,
        _ => false,
    }
}

/// Nobody could say whether the new release is healthy.
fn unclear(remote: &Remote<'_>, asked: Option<&Health>) -> Failure {
    Failure::failed(format!(
        "cannot start a release on {}: something answers at {} already, and there is no command that stops it",
        remote.shown,
        address(asked)
    ))
    .cause("what answers later could be that, and not the release")
    .hint("set DEPLOY_APP_STOP (to `true` where the start command replaces what runs), or let the application say which release it is: the header X-Release-Id with the value of $RELEASE_ID")
}

fn address(asked: Option<&Health>) -> String {
    asked.map_or_else(String::new, |health| health.probe.url.to_string())
}

/// What answers where the next release will be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answers {
    /// Nothing, or nothing healthy.
    Nothing,
    /// An application that says which release it is: it will not be taken for another one.
    Named,
    /// An application that does not.
    Nameless,
}

async fn answers(
    remote: &Remote<'_>,
    asked: Option<&Health>,
    limits: &Limits,
) -> Result<Answers, Failure> {
    let Some(health) = asked else {
        return Ok(Answers::Nothing);
    };
    let answer = limits
        .interrupt
        .race(health::ask(&remote.session, health, limits))
        .await
        .map_err(stopped)?;
    Ok(match answer {
        Ok(answer)
            if health.probe.statuses.contain(answer.status) && answer.release_id.is_some() =>
        {
            Answers::Named
        }
        Ok(answer) if health.probe.judge(&answer, None).is_ok() => Answers::Nameless,
        _ => Answers::Nothing,
    })
}

/// Whether at least this answers for longer than something that was stopped may need to end.
async fn outlasts(
    remote: &Remote<'_>,
    asked: Option<&Health>,
    least: Answers,
    limits: &Limits,
) -> Result<bool, Failure> {
    let look = async || {
        Ok(match answers(remote, asked, limits).await? < least {
            true => Look::There(()),
            false => Look::NotYet("something still answers".to_owned()),
        })
    };
    let limit = Instant::now() + PATIENCE;
    match wait::until(WHAT, limit, &limits.interrupt, PACE, look).await {
        Ok(()) => Ok(false),
        Err(Ended::Deadline(_)) => Ok(true),
        Err(ended) => Err(ended.into_failure(WHAT)),
    }
}

fn stopped(signal: Signal) -> Failure {
    Failure::interrupted(signal, format!("stopped waiting for {WHAT}"))
}

/// Whether the application's own status command says that it does not run.
async fn is_down(remote: &Remote<'_>, stopping: &Stopping<'_>, limits: &Limits) -> bool {
    let status = stopping
        .release
        .and_then(|release| stopping.runs.commands(remote.settings).status(release));
    match status {
        Some(status) => remote
            .run_buffered(&status, "find it running", limits)
            .await
            .is_err(),
        None => false,
    }
}
