//! Taking back what a failed run did: the release before runs again, nothing of the new one stays.

use std::time::Duration;

use action::failure::Failure;

use crate::health;
use crate::host::ssh::Bounds;
use crate::release;
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::sync::partial;

/// How long taking back may take: a start of the old release is part of it.
const LIMIT: Duration = Duration::from_secs(600);

/// How long the host may take to be reached again.
const RECONNECT_LIMIT: Duration = Duration::from_secs(60);

/// What a run did so far, written down before each deed, because a deed that fails may be half done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// The token of the lock that was asked for.
    pub token: Option<String>,
    /// The release that was begun to be unpacked.
    pub unpacked: Option<String>,
    /// Whether `current` was switched to it, and what was current before.
    pub switched: Option<Before>,
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
    done: &Done,
    failure: Failure,
) -> Failure {
    if *done == Done::default() {
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
            let failure = take_back(&again, commands, done, failure).await;
            again.session.close().await;
            failure
        }
        Err(error) => {
            let failure = failure.cause(format!(
                "and the host could not be reached again: {}",
                error.deed()
            ));
            let target = &remote.settings.target;
            let failure = match (&done.switched, &done.unpacked) {
                (Some(_), Some(new)) => failure.remains(
                    format!(
                        "release {new} on {}, switched to and not proven",
                        remote.shown
                    ),
                    "running deploy-app again replaces it",
                ),
                (None, Some(new)) => failure.remains(
                    format!("a part of release {new} on {}", remote.shown),
                    format!(
                        "on the host: rm -rf {target}/releases/{new} {target}/{}",
                        partial(new)
                    ),
                ),
                _ => failure,
            };
            failure.remains(
                format!(
                    "the deployment lock on {}; it expires by itself",
                    remote.shown
                ),
                format!("on the host: {}", release::unlock_by_hand(target)),
            )
        }
    }
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
    let mut may_remove = true;
    if let (Some(before), Some(new)) = (&done.switched, &done.unpacked) {
        let logs = commands.logs(new).filter(|_| done.started);
        if let Some(logs) = logs {
            let tail = remote
                .tail(&logs, &bounds.within(Duration::from_secs(30)))
                .await;
            failure = tail
                .iter()
                .rev()
                .take(50)
                .rev()
                .fold(failure, |failure, line| {
                    failure.detail(format!("log: {line}"))
                });
        }
        (failure, may_remove) = match before {
            Before::Release(before) => {
                roll_back(remote, commands, done, before, new, failure, &bounds).await
            }
            Before::Nothing => take_down(remote, commands, new, failure, &bounds).await,
        };
    }
    if let Some(release) = done.unpacked.as_ref().filter(|_| may_remove) {
        let script = release::remove(&remote.settings.target, std::slice::from_ref(release));
        if let Err(error) = remote
            .release("remove the failed release", &script, &bounds)
            .await
        {
            tracing::warn!("{error}");
            let target = &remote.settings.target;
            failure = failure.remains(
                format!("release {release} on {}", remote.shown),
                format!(
                    "on the host: rm -rf {target}/releases/{release} {target}/{}",
                    partial(release)
                ),
            );
        }
    }
    unlock(remote, done, failure, &bounds).await
}

/// Gives the lock back.
pub async fn unlock(
    remote: &Remote<'_>,
    done: &Done,
    failure: Failure,
    bounds: &Bounds,
) -> Failure {
    let Some(token) = &done.token else {
        return failure;
    };
    let target = &remote.settings.target;
    match remote
        .release(
            "give back the lock",
            &release::unlock(target, token),
            bounds,
        )
        .await
    {
        Ok(()) => failure,
        Err(error) => {
            tracing::warn!("{error}");
            failure.remains(
                format!(
                    "the deployment lock on {}; it expires by itself",
                    remote.shown
                ),
                format!("on the host: {}", release::unlock_by_hand(target)),
            )
        }
    }
}

async fn roll_back(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    done: &Done,
    before: &str,
    new: &str,
    failure: Failure,
    bounds: &Bounds,
) -> (Failure, bool) {
    tracing::warn!("rolling back to release {before}");
    let back = async {
        remote
            .release(
                "switch back",
                &release::switch(&remote.settings.target, before),
                bounds,
            )
            .await?;
        if done.started {
            if let Some(stop) = commands.stop(before) {
                remote
                    .command(&stop, "stop the failed release", bounds)
                    .await?;
            }
            if let Some(start) = commands.start(before, true) {
                remote
                    .command(&start, &format!("start release {before} again"), bounds)
                    .await?;
            }
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
                format!("release {new} on {} was to be replaced by {before}, which does not run well either", remote.shown),
                "deploy-app with a good application",
            );
            (failure, false)
        }
    }
}

async fn take_down(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    new: &str,
    failure: Failure,
    bounds: &Bounds,
) -> (Failure, bool) {
    tracing::warn!("taking the first release down again");
    let down = async {
        if let Some(down) = commands.down(new) {
            remote
                .command(&down, "stop the failed release", bounds)
                .await?;
        }
        remote
            .release(
                "remove the link `current`",
                &release::unswitch(&remote.settings.target),
                bounds,
            )
            .await
    };
    match down.await {
        Ok(()) => (failure, true),
        Err(error) => {
            tracing::warn!("{error}");
            let failure = failure.remains(
                format!("release {new} on {}, which is not healthy", remote.shown),
                "deploy-app with a good application",
            );
            (failure, false)
        }
    }
}
