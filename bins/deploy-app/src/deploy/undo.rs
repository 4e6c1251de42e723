//! Taking back what a failed run did: the release before runs again, nothing of the new one stays.

use std::time::Duration;

use action::exit::Exit;
use action::export::quote::posix as quote;
use action::failure::{Failure, Resource, ResourceKind};
use action::program::Context;
use action::wait::Limits;
use filesync::{Altered, Decision, Operation, Outcome, Paths, Put};

use super::audit::{self, Entry};
use super::decision;
use super::disk_space;
use super::failure_bundle;
use super::journal::{Journal, RollbackTarget};
use super::unattended::{self, Activation, Stage};
use crate::host::Remote;
use crate::host::lock;
use crate::runtime::commands::Commands;
use crate::runtime::health;
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start::{self, Images};
use crate::runtime::stop::{Stopping, stop};
use crate::settings::Run;

/// How long taking back may take: a start of the old release is part of it.
const LIMIT: Duration = Duration::from_secs(600);

/// How long the host may take to be reached again.
const RECONNECT_LIMIT: Duration = Duration::from_secs(60);

/// What is said about a failed run, beside its failure.
#[derive(Debug)]
pub(super) struct UndoContext<'a> {
    /// Who ran it.
    pub context: &'a Context,
    /// Its line in the record of deployments, but for failure and outcome.
    pub entry: Entry<'a>,
    /// Whether the host is asked what may explain the failure.
    pub explains: bool,
}

/// How long an agent that decides alone is waited for.
const DECISION_LIMIT: Duration = Duration::from_secs(1800);

/// What came of a run that failed.
pub(super) enum Undone {
    /// The connection was lost, and the agent found the release healthy and kept it.
    Kept,
    /// It was taken back, or something of it remains.
    Failed(Failure),
}

/// Takes back everything, over a new connection where the old one is gone, and writes down how that ended. Where the agent
/// has decided alone meanwhile, that counts.
pub(super) async fn undo(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    journal: &mut Journal,
    failure: Failure,
    told: &UndoContext<'_>,
) -> Undone {
    let Some(lock) = journal.lock.clone() else {
        return Undone::Failed(failure);
    };
    if !remote.session.is_closed() {
        return Undone::Failed(take_back(remote, commands, journal, failure, told).await);
    }
    tracing::warn!(
        "the connection to {} is gone, connecting again to clean up",
        remote.shown
    );
    // Should only the agent be gone, the host notices that nobody waits for what it ran.
    remote.session.clone().close().await;
    let again = match remote.reconnect(&Limits::cleanup(RECONNECT_LIMIT)).await {
        Ok(again) => again,
        Err(error) => return Undone::Failed(unreached(remote, journal, failure, &error)),
    };
    let limits = Limits::cleanup(DECISION_LIMIT);
    let undone = match lock::retake(&again, &lock, &limits).await {
        Ok(Some(decision)) => {
            if told.explains && decision.outcome != Outcome::Kept {
                failure_bundle::gather(&again, commands, &journal.release).await;
            }
            decided(&again, journal, &decision, failure).await
        }
        Ok(None) => {
            if told.explains && !journal.release.is_empty() {
                failure_bundle::gather(&again, commands, &journal.release).await;
            }
            Undone::Failed(take_back(&again, commands, journal, failure, told).await)
        }
        Err(error) => Undone::Failed(match error.exit() {
            // Whatever is there now belongs to whoever has the lock.
            Exit::Lost => lost(remote, journal, &failure),
            _ => unreached(remote, journal, failure, &error),
        }),
    };
    again.session.close().await;
    undone
}

/// What this run came to by the agent's decision.
async fn decided(
    again: &Remote<'_>,
    journal: &Journal,
    decision: &Decision,
    failure: Failure,
) -> Undone {
    decision::tell(Some(decision));
    decision::forget(again, Some(decision)).await;
    unlock(again, journal, false, &Limits::cleanup(LIMIT)).await;
    let is_stopped = matches!(failure.exit(), Exit::Interrupted | Exit::Terminated);
    match decision::outcome(again, decision, failure.clone()) {
        Some(failure) => Undone::Failed(failure),
        None if is_stopped => Undone::Failed(failure.changed(format!(
            "the agent found release {} healthy, and kept it",
            decision.release
        ))),
        None => Undone::Kept,
    }
}

/// The host is gone: what is left there is listed.
fn unreached(remote: &Remote<'_>, journal: &Journal, failure: Failure, error: &Failure) -> Failure {
    let failure = failure.cause(format!(
        "and the host could not be reached again: {}",
        error.deed()
    ));
    let (paths, release) = (&remote.settings.paths, &journal.release);
    match (&journal.switched, journal.made) {
        (Some(_), _) => failure.remains(
            release_on(remote, release),
            format!(
                "release {release} on {}, switched to and not proven",
                remote.shown
            ),
            "running deploy-app again replaces it",
        ),
        (None, true) => failure.remains(
            release_on(remote, release),
            format!("a part of release {release} on {}", remote.shown),
            remove_by_hand(paths, release),
        ),
        (None, false) => failure,
    }
}

fn release_on(remote: &Remote<'_>, release: &str) -> Resource {
    Resource::new(ResourceKind::Release, release, &remote.shown)
}

/// Takes back everything, in reverse, and adds to the failure what came of it. The lock is given
/// back last, so that nobody deploys into the middle.
async fn take_back(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    journal: &Journal,
    failure: Failure,
    told: &UndoContext<'_>,
) -> Failure {
    let limits = Limits::cleanup(LIMIT);
    if journal.switched.is_some() {
        let activation = Activation {
            run_spec: &RunSpec::of(remote.settings),
            images: Images::Kept,
            audit: &audit::known(told.context, &told.entry),
        };
        let stage = Stage::Failed(failure.deed());
        if let Err(error) = unattended::leave(remote, journal, activation, stage, &limits).await {
            tracing::warn!("{error}");
        }
    }
    let (failure, outcome) = take_deeds_back(remote, commands, journal, failure, &limits).await;
    let entry = Entry {
        failure: Some(&failure),
        outcome: Some(&outcome),
        ..told.entry.clone()
    };
    audit::record(remote, told.context, &entry).await;
    unlock(remote, journal, false, &limits).await;
    failure
}

/// The failure of a run that may take nothing back any more.
fn lost(remote: &Remote<'_>, journal: &Journal, failure: &Failure) -> Failure {
    let lost = lock::lost(&remote.settings.paths.target);
    let failure = match failure.exit() {
        Exit::Lost => failure.clone(),
        Exit::Interrupted | Exit::Terminated => failure.clone().cause(lost.deed()),
        _ => failure
            .causes()
            .iter()
            .fold(lost.cause(failure.deed()), Failure::cause),
    };
    if journal.made {
        failure.changed(format!(
            "release {} was brought to {} and stays there, because it is the other deployment's to remove",
            journal.release, remote.shown
        ))
    } else {
        failure
    }
}

async fn take_deeds_back(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    journal: &Journal,
    mut failure: Failure,
    limits: &Limits,
) -> (Failure, String) {
    let mut outcome = "nothing was switched".to_owned();
    let mut may_remove = journal.made;
    if let Some(before) = &journal.switched {
        if journal.started {
            failure = with_logs(remote, commands, &journal.release, failure).await;
        }
        let taken_back = match before {
            RollbackTarget::Release(before) => roll_back(remote, journal, before, limits).await,
            RollbackTarget::Nothing | RollbackTarget::Unproven(_) => {
                take_down(remote, journal, limits).await
            }
        };
        match taken_back {
            Ok(how) => {
                failure = failure.detail(&how);
                outcome = how;
            }
            Err(error) => {
                tracing::warn!("{error}");
                outcome = format!("undoing it failed: {}", error.deed());
                failure = not_taken_back(remote, journal, before, failure, &error);
                may_remove = false;
            }
        }
    } else if journal.made {
        failure = failure.detail("nothing was switched: what ran before still runs");
    }
    if may_remove {
        failure = remove(remote, journal, failure, limits).await;
    }
    (failure, outcome)
}

/// What a failed run leaves when it could not be taken back.
fn not_taken_back(
    remote: &Remote<'_>,
    journal: &Journal,
    before: &RollbackTarget,
    failure: Failure,
    error: &Failure,
) -> Failure {
    let (release, shown) = (&journal.release, &remote.shown);
    let (cause, what) = match before {
        RollbackTarget::Release(before) => (
            format!("and rolling back failed: {}", error.deed()),
            format!(
                "release {release} on {shown}, which failed; {before} was to come back, and could not be brought to"
            ),
        ),
        RollbackTarget::Nothing | RollbackTarget::Unproven(_) => (
            format!("and taking it down failed: {}", error.deed()),
            format!("release {release} on {shown}, which is not healthy"),
        ),
    };
    failure.cause(cause).remains(
        release_on(remote, release),
        what,
        "deploy-app with a good application",
    )
}

/// Removes the failed release.
async fn remove(
    remote: &Remote<'_>,
    journal: &Journal,
    failure: Failure,
    limits: &Limits,
) -> Failure {
    let (paths, release) = (&remote.settings.paths, &journal.release);
    let removed = async {
        let releases = vec![release.clone()];
        let deed = "remove the failed release";
        remote
            .files::<Vec<String>>(deed, Operation::Remove { releases }, limits)
            .await
    };
    match removed.await {
        Ok(left) => {
            disk_space::tell_left(&remote.settings.paths.target, &left);
            failure
        }
        Err(error) => {
            tracing::warn!("{error}");
            failure.remains(
                release_on(remote, release),
                format!("release {release} on {}", remote.shown),
                remove_by_hand(paths, release),
            )
        }
    }
}

/// The last lines of an application that is not well.
pub(super) async fn with_logs(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    failure: Failure,
) -> Failure {
    let Some(logs) = commands.logs(release) else {
        return failure;
    };
    let tail = remote
        .tail(&logs, &Limits::cleanup(Duration::from_secs(30)))
        .await;
    let from = tail.len().saturating_sub(50);
    tail[from..].iter().fold(failure, |failure, line| {
        failure.detail(format!("log: {line}"))
    })
}

/// Gives the lock back, and writes everything to disk where that is due. A lock that is not given back ends with the connection.
pub(super) async fn unlock(remote: &Remote<'_>, journal: &Journal, writes: bool, limits: &Limits) {
    if journal.lock.is_none() {
        return;
    }
    if let Err(error) = lock::give_back(remote, writes, limits).await {
        tracing::warn!("{error}");
    }
}

/// In-place: everything that this run may have put there goes, and what shall lie there comes back.
async fn put_back(
    remote: &Remote<'_>,
    journal: &Journal,
    before: Option<&str>,
    limits: &Limits,
) -> Result<(), Failure> {
    let Some(placed) = &journal.placed else {
        return Ok(());
    };
    // Which of the new files are there is not known: all that may be are ours to remove or replace.
    let put = Put {
        release: before.unwrap_or(&journal.release).to_owned(),
        is_wanted: before.is_some(),
        from: placed.clone(),
        altered: Altered::Doubted,
    };
    remote.put(put, limits).await?;
    let release = journal.release.clone();
    let restore = Operation::RestoreReplaced { release };
    let deed = "bring back what the release replaced";
    remote.files(deed, restore, limits).await
}

/// Has the release before run again; says how that went.
async fn roll_back(
    remote: &Remote<'_>,
    journal: &Journal,
    before: &str,
    limits: &Limits,
) -> Result<String, Failure> {
    tracing::warn!("rolling back to release {before}");
    put_back(remote, journal, Some(before), limits).await?;
    let switch = Operation::Switch {
        release: before.to_owned(),
        starts: journal.started,
    };
    remote.files::<()>("switch back", switch, limits).await?;
    if !journal.started {
        return Ok(format!("rolled back: release {before} is current again"));
    }
    let failed = RunSpec::of(remote.settings);
    let run_spec = journal.back.as_ref().unwrap_or(&failed);
    let stopping = Stopping {
        runs: &failed,
        release: Some(&journal.release),
        is_certain: false,
        // Where nothing of ours runs next, what we started must not either.
        next: (run_spec.run != Run::None).then_some((before, run_spec)),
    };
    stop(remote, &stopping, limits).await?;
    run_spec.tell_secrets(before);
    let commands = run_spec.commands(remote.settings);
    start::start(remote, &commands, before, Images::Kept, limits).await?;
    let health = run_spec.health.as_ref();
    if let Some(health) = health {
        health::prove(&remote.session, health, before, limits).await?;
    }
    start::record(remote, run_spec, before, limits).await?;
    Ok(match health {
        Some(_) => format!("rolled back: release {before} runs again and is healthy"),
        None => format!("rolled back: release {before} is current again"),
    })
}

/// Takes away what nothing comes back for; says so.
async fn take_down(
    remote: &Remote<'_>,
    journal: &Journal,
    limits: &Limits,
) -> Result<String, Failure> {
    let told = match &journal.switched {
        Some(RollbackTarget::Unproven(before)) => format!(
            "taken down: release {before}, which was current, was never proven healthy, and there is no other to go back to"
        ),
        _ => "taken down: there is no release to go back to".to_owned(),
    };
    tracing::warn!("taking release {} down again", journal.release);
    if journal.started {
        let stopping = Stopping {
            runs: &RunSpec::of(remote.settings),
            release: Some(&journal.release),
            is_certain: false,
            next: None,
        };
        stop(remote, &stopping, limits).await?;
    }
    put_back(remote, journal, None, limits).await?;
    let deed = "remove the link `current`";
    remote
        .files::<()>(deed, Operation::Unswitch, limits)
        .await?;
    Ok(told)
}

/// The command by which a person removes a release.
fn remove_by_hand(paths: &Paths, release: &str) -> String {
    format!(
        "on the host: rm -rf {} {}",
        quote(&format!("{}/{}", paths.target, paths.stored(release))),
        quote(&format!("{}/{}", paths.target, paths.partial(release)))
    )
}
