//! `follow`: an execution of a real pipeline as one log. Its stages, the logs of its builds, the events of its stacks, and
//! red at the end whenever it is not green, a roll-back included.

mod build_log;
mod progress;
mod stack_log;
mod start;

use std::collections::BTreeMap;
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::program::{Context, Output};
use action::wait::{self, Ended, Limits, Look, Pace};
use contract::variables::{EXECUTION_KEY, EXECUTION_NAMESPACE};
use serde_json::Value;

use crate::account::{Account, ActionSeen, ExecutionSeen};
use crate::settings::Checked;
use build_log::BuildLogs;
use progress::Progress;
use stack_log::StackLogs;

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(10),
};

/// How long an execution that was just begun may not be seen.
const STALE: Duration = Duration::from_secs(60);

/// How long the last lines of logs are awaited after the end.
const LAST_LINES: Duration = Duration::from_secs(10);

/// Follows an execution to its end; its variables go to stdout.
pub(crate) async fn run(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let account = Account::open(settings, context).await?;
    let limits = Limits {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    let id = match &settings.follow.execution {
        _ if settings.follow.is_started => {
            start::start(&account, settings, context, &limits).await?
        }
        Some(id) => Some(id.clone()),
        None => {
            let before = format!("an execution of {} was found", account.pipeline);
            Some(limits.in_time(&before, account.newest()).await?)
        }
    };
    let Some(id) = id else {
        return Ok(Output::Nothing);
    };
    let mut follower = Follower {
        account: &account,
        limits: &limits,
        progress: Progress::default(),
        builds: BuildLogs::new(settings, context),
        stacks: StackLogs::new(settings, context),
    };
    let (seen, actions) = follower.follow(&id).await?;
    let Err(failure) = judge(&account, &id, &seen, &actions) else {
        return Ok(Output::Data(format!("{:#}\n", report(&id, &actions))));
    };
    let failure = follower.stacks.root_causes().fold(failure, Failure::detail);
    if seen.rolls_back_to.is_some() {
        return Err(failure);
    }
    // A stage may be rolled back now, by an execution of its own.
    match follower.rollback_of(&id, &actions).await {
        Ok(None) => Err(failure),
        Ok(Some(rollback)) => {
            tracing::warn!("{failure}");
            tracing::warn!("the stage is rolled back by the execution {rollback}");
            let (seen, actions) = follower.follow(&rollback).await?;
            match judge(&account, &rollback, &seen, &actions) {
                Ok(()) => Err(failure),
                Err(second) => Err(failure.and(second)),
            }
        }
        Err(blind) => Err(failure.and(blind)),
    }
}

/// What follows one execution after the other.
struct Follower<'a> {
    account: &'a Account,
    limits: &'a Limits,
    progress: Progress,
    builds: BuildLogs<'a>,
    stacks: StackLogs<'a>,
}

impl Follower<'_> {
    async fn follow(&mut self, id: &str) -> Result<(ExecutionSeen, Vec<ActionSeen>), Failure> {
        let what = self.account.what(id);
        let limits = self.limits;
        tracing::info!("following {what}");
        let unseen_until = tokio::time::Instant::now() + STALE;
        let look = async || {
            let Some(seen) = self.account.execution(id).await? else {
                if tokio::time::Instant::now() < unseen_until {
                    return Ok(Look::NotYet("not there yet".to_owned()));
                }
                return Err(Failure::refused(format!("{what} is not there")));
            };
            let actions = self.account.actions(id).await?;
            self.tell(&actions).await?;
            if seen.is_over() {
                return Ok(Look::There((seen, actions)));
            }
            Ok(Look::NotYet(self.progress.state(&actions, &seen.status)))
        };
        let ended = wait::until(&what, limits.deadline, &limits.interrupt, PACE, look).await;
        let found = ended.map_err(|ended| match ended {
            Ended::Failed(failure) => failure,
            ended => {
                let again = format!(
                    "it goes on without this program; run-pipeline follow {id} --pipeline-name {} follows it again",
                    self.account.pipeline
                );
                ended.into_failure(&format!("{what} ended")).hint(again)
            }
        })?;
        self.last_lines().await?;
        Ok(found)
    }

    /// The execution that rolls a failed stage back. Where the pipeline says that there is one, it is waited for.
    async fn rollback_of(
        &self,
        id: &str,
        actions: &[ActionSeen],
    ) -> Result<Option<String>, Failure> {
        let account = self.account;
        let limits = self.limits.within(STALE);
        let failed = actions.iter().find(|one| one.status == "Failed");
        let Some(failed) = failed else {
            return account.rollback_of(id).await;
        };
        if !account.rolls_back(failed).await? {
            return Ok(None);
        }
        let look = async || {
            let found = account.rollback_of(id).await?;
            Ok(found.map_or_else(|| Look::NotYet("not there yet".to_owned()), Look::There))
        };
        let what = format!("the roll-back of the stage {}", failed.stage);
        match wait::until(&what, limits.deadline, &limits.interrupt, PACE, look).await {
            Ok(found) => Ok(Some(found)),
            Err(Ended::Deadline(_)) => Ok(None),
            Err(ended) => Err(ended.into_failure(&format!("{what} began"))),
        }
    }

    /// Tells what is new of actions, builds and stacks.
    async fn tell(&mut self, actions: &[ActionSeen]) -> Result<(), Failure> {
        self.progress.begun(actions);
        for action in actions {
            self.builds.tell(action).await?;
            self.stacks.tell(action).await?;
        }
        self.progress.ended(actions);
        Ok(())
    }

    /// Logs come later than what they tell of.
    async fn last_lines(&mut self) -> Result<(), Failure> {
        let limits = self.limits.within(LAST_LINES);
        let mut quiet = 0;
        let look = async || {
            quiet = match self.builds.drain().await? {
                0 => quiet + 1,
                _ => 0,
            };
            Ok(match quiet {
                2.. => Look::There(()),
                _ => Look::NotYetFor(String::new(), Duration::from_secs(1)),
            })
        };
        let what = "the last lines of the logs";
        match wait::until(what, limits.deadline, &limits.interrupt, PACE, look).await {
            Ok(()) | Err(Ended::Deadline(_)) => Ok(()),
            Err(ended) => Err(ended.into_failure("the logs ended")),
        }
    }
}

/// Whether an execution ended as it was meant to.
fn judge(
    account: &Account,
    id: &str,
    seen: &ExecutionSeen,
    actions: &[ActionSeen],
) -> Result<(), Failure> {
    let what = account.what(id);
    let status = seen.status.as_str();
    if let Some(target) = &seen.rolls_back_to {
        let deed = format!("{what} is a roll-back to {target}, and ended as {status}");
        return Err(Failure::failed(deed));
    }
    let failure = match status {
        "Succeeded" => return Ok(()),
        "Superseded" => Failure::new(Exit::Lost, format!("{what} was superseded")).hint(
            "a newer execution took its place; run-pipeline follow without an id follows that one",
        ),
        "Failed" => Failure::failed(format!("{what} failed")),
        other => Failure::failed(format!("{what} ended as {other}")),
    };
    let failure = match &seen.summary {
        Some(summary) => failure.cause(summary),
        None => failure,
    };
    let failed = actions.iter().filter(|one| one.status == "Failed");
    let reasons = failed.map(|one| {
        let why = one.error.as_deref().or(one.summary.as_deref());
        format!("{}: {}", one.name(), why.unwrap_or("no reason given"))
    });
    Err(reasons.fold(failure, Failure::cause))
}

/// The variables of the actions by namespace, as a run here gives them.
fn report(id: &str, actions: &[ActionSeen]) -> Value {
    let mut all = BTreeMap::from([(
        EXECUTION_NAMESPACE.to_owned(),
        BTreeMap::from([(EXECUTION_KEY.to_owned(), id.to_owned())]),
    )]);
    for action in actions {
        let name = action.namespace.clone().unwrap_or_else(|| action.name());
        all.insert(name, action.variables.clone());
    }
    let object = |map: BTreeMap<String, String>| -> Value {
        let pairs = map
            .into_iter()
            .map(|(key, value)| (key, Value::from(value)));
        pairs.collect::<serde_json::Map<_, _>>().into()
    };
    all.into_iter()
        .map(|(name, map)| (name, object(map)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
