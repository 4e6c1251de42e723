//! Taking back what a failed run did: the release before runs again, nothing of the new one stays.

use std::time::Duration;

use action::failure::Failure;

use crate::health;
use crate::host::exec::Bounds;
use crate::lease::Lease;
use crate::place;
use crate::release::{lock, scripts};
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::start::{self, Images};
use crate::sync::Tree;
use std::collections::BTreeSet;

/// How long taking back may take: a start of the old release is part of it.
const LIMIT: Duration = Duration::from_secs(600);

/// How long the host may take to be reached again.
const RECONNECT_LIMIT: Duration = Duration::from_secs(60);

/// What a run did so far, written down before each deed, because a deed that fails may be half done.
#[derive(Debug, Default)]
pub struct Done {
    /// The lock, once it was taken.
    pub lease: Option<Lease>,
    /// The release that is being brought to run.
    pub release: String,
    /// Whether that release was made by this run, and goes when it fails.
    pub made: bool,
    /// Whether `current` was switched to it, and what was current before.
    pub switched: Option<Before>,
    /// In-place: what lay there before and what was to lie there.
    pub trees: Option<(Tree, Tree)>,
    /// Whether commands of the new release may have run.
    pub started: bool,
}

/// What was current before the switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Nothing: this was the first release.
    Nothing,
    /// This release.
    Release(String),
}

/// Takes back everything, over a new connection where the old one is gone.
pub async fn undo(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    done: &mut Done,
    failure: Failure,
) -> Failure {
    if done.lease.is_none() {
        return failure;
    }
    if !remote.session.is_closed() {
        return take_back(remote, commands, done, failure).await;
    }
    tracing::warn!(
        "the connection to {} is gone, connecting again to clean up",
        remote.shown
    );
    match remote.again(&Bounds::cleanup(RECONNECT_LIMIT)).await {
        Ok(again) => {
            if let Some(lease) = &mut done.lease {
                lease.move_to(again.session.clone());
            }
            let failure = take_back(&again, commands, done, failure).await;
            again.session.close().await;
            failure
        }
        Err(error) => unreached(remote, done, failure, &error),
    }
}

/// The host is gone: what is left there is listed.
fn unreached(remote: &Remote<'_>, done: &Done, failure: Failure, error: &Failure) -> Failure {
    let failure = failure.cause(format!(
        "and the host could not be reached again: {}",
        error.deed()
    ));
    let (paths, release) = (&remote.settings.paths, &done.release);
    let failure = match (&done.switched, done.made) {
        (Some(_), _) => failure.remains(
            format!(
                "release {release} on {}, switched to and not proven",
                remote.shown
            ),
            "running deploy-app again replaces it",
        ),
        (None, true) => failure.remains(
            format!("a part of release {release} on {}", remote.shown),
            scripts::remove_by_hand(paths, release),
        ),
        (None, false) => failure,
    };
    failure.remains(
        format!(
            "the deployment lock on {}; it expires by itself",
            remote.shown
        ),
        format!("on the host: {}", lock::remove_by_hand(&paths.target)),
    )
}

/// Takes back everything, in reverse, and adds to the failure what came of it. The lock is given
/// back last, so that nobody deploys into the middle.
async fn take_back(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    done: &Done,
    mut failure: Failure,
) -> Failure {
    let bounds = Bounds::cleanup(LIMIT);
    let paths = &remote.settings.paths;
    let mut may_remove = done.made;
    if let Some(before) = &done.switched {
        if done.started {
            failure = with_logs(remote, commands, &done.release, failure).await;
        }
        let taken_back;
        (failure, taken_back) = match before {
            Before::Release(before) => roll_back(remote, commands, done, before, failure, &bounds).await,
            Before::Nothing => take_down(remote, commands, done, failure, &bounds).await,
        };
        may_remove &= taken_back;
    } else if done.made {
        failure = failure.detail("nothing was switched: what ran before still runs");
    }
    if may_remove {
        let release = &done.release;
        let script = scripts::remove(paths, std::slice::from_ref(release));
        if let Err(error) = remote
            .release("remove the failed release", &script, &bounds)
            .await
        {
            tracing::warn!("{error}");
            failure = failure.remains(
                format!("release {release} on {}", remote.shown),
                scripts::remove_by_hand(paths, release),
            );
        }
    }
    unlock(remote, done, failure, &bounds).await
}

/// The last lines of an application that is not well.
pub async fn with_logs(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    failure: Failure,
) -> Failure {
    let Some(logs) = commands.logs(release) else {
        return failure;
    };
    let tail = remote
        .tail(&logs, &Bounds::cleanup(Duration::from_secs(30)))
        .await;
    let from = tail.len().saturating_sub(50);
    tail[from..].iter().fold(failure, |failure, line| {
        failure.detail(format!("log: {line}"))
    })
}

/// Gives the lock back.
pub async fn unlock(
    remote: &Remote<'_>,
    done: &Done,
    failure: Failure,
    bounds: &Bounds,
) -> Failure {
    let Some(lease) = &done.lease else {
        return failure;
    };
    match lease.give_back(remote, bounds).await {
        Ok(()) => failure,
        Err(error) => {
            tracing::warn!("{error}");
            let target = &remote.settings.paths.target;
            failure.remains(
                format!(
                    "the deployment lock on {}; it expires by itself",
                    remote.shown
                ),
                format!("on the host: {}", lock::remove_by_hand(target)),
            )
        }
    }
}

/// In-place: everything that this run may have put there goes, and what was there before comes back.
async fn put_back(
    remote: &Remote<'_>,
    done: &Done,
    before: Option<&str>,
    fence: &str,
    bounds: &Bounds,
) -> Result<(), Failure> {
    let Some((old, new)) = &done.trees else {
        return Ok(());
    };
    let paths = &remote.settings.paths;
    // Which of the new files are there is not known: all that may be are ours to remove or replace.
    let mut there = old.clone();
    there.extend(new.clone());
    let all: BTreeSet<String> = old
        .keys()
        .filter(|path| old.get(*path) != new.get(*path))
        .cloned()
        .collect();
    let name = before.unwrap_or(&done.release);
    place::put(remote, name, (&there, old, &all), fence, bounds).await?;
    let script = scripts::restore_replaced(paths, &done.release);
    remote
        .release("bring back what the release replaced", &script, bounds)
        .await
}

async fn roll_back(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    done: &Done,
    before: &str,
    failure: Failure,
    bounds: &Bounds,
) -> (Failure, bool) {
    tracing::warn!("rolling back to release {before}");
    let fence = done.lease.as_ref().map_or_else(String::new, Lease::fence);
    let back = async {
        put_back(remote, done, Some(before), &fence, bounds).await?;
        let switch = scripts::switch(&remote.settings.paths, before, &fence);
        remote.release("switch back", &switch, bounds).await?;
        if done.started {
            if let Some(stop) = commands.stop(before) {
                remote
                    .command(&stop, "stop the failed release", bounds)
                    .await?;
            }
            start::start(remote, commands, before, Images::Kept, bounds).await?;
            if let Some(health) = &remote.settings.health {
                health::prove(&remote.session, health, before, bounds).await?;
            }
        }
        Ok::<(), Failure>(())
    };
    match back.await {
        Ok(()) if done.started && remote.settings.health.is_some() => (
            failure.detail(format!(
                "rolled back: release {before} runs again and is healthy"
            )),
            true,
        ),
        Ok(()) => (
            failure.detail(format!("rolled back: release {before} is current again")),
            true,
        ),
        Err(error) => {
            tracing::warn!("{error}");
            let failure = failure.cause(format!("and rolling back failed: {}", error.deed())).remains(
                format!("release {} on {} was to be replaced by {before}, which does not run well either", done.release, remote.shown),
                "deploy-app with a good application",
            );
            (failure, false)
        }
    }
}

async fn take_down(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    done: &Done,
    failure: Failure,
    bounds: &Bounds,
) -> (Failure, bool) {
    tracing::warn!("taking the first release down again");
    let fence = done.lease.as_ref().map_or_else(String::new, Lease::fence);
    let down = async {
        if let Some(down) = commands.down(&done.release).filter(|_| done.started) {
            remote
                .command(&down, "stop the failed release", bounds)
                .await?;
        }
        put_back(remote, done, None, &fence, bounds).await?;
        remote
            .release(
                "remove the link `current`",
                &scripts::unswitch(&remote.settings.paths),
                bounds,
            )
            .await
    };
    match down.await {
        Ok(()) => (failure, true),
        Err(error) => {
            tracing::warn!("{error}");
            let failure = failure.remains(
                format!(
                    "release {} on {}, which is not healthy",
                    done.release, remote.shown
                ),
                "deploy-app with a good application",
            );
            (failure, false)
        }
    }
}
