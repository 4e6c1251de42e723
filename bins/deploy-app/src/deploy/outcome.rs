//! How a deployment ends: what it came to, what is written down, given back or taken back.

use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use tokio::time::Instant;

use super::application::Application;
use super::audit::{self, Entry};
use super::compare::{self, CLEANUP};
use super::decision;
use super::disk_space;
use super::failure_bundle;
use super::journal::{Before, Done};
use super::undo::{self, Told, Undone};
use crate::host::Remote;
use crate::runtime::ollama::Ensured;

/// How long a host may take to write gigabytes to its disk.
pub(super) const SYNC_LIMIT: Duration = Duration::from_secs(300);

/// What a step of a deployment came to.
pub(super) struct Deployed {
    /// The release that runs.
    pub(super) release: String,
    /// Whether anything was changed.
    pub(super) changed: bool,
    /// Whether an earlier deployment brought it there, and could not say so.
    pub(super) adopted: bool,
    pub(super) model: Option<Ensured>,
}

/// Writes down what was done, or takes it back; gives the lock back either way.
pub(super) async fn finish(
    remote: &Remote<'_>,
    context: &Context,
    mut done: Done,
    ended: Result<Deployed, Failure>,
    (deed, began): (&str, Instant),
    application: Option<&Application>,
) -> Result<Option<(String, bool)>, Failure> {
    let commands = compare::commands(remote);
    let before = match &done.switched {
        Some(Before::Release(before)) => Some(before.clone()),
        _ => None,
    };
    let entry = Entry {
        deed,
        before: before.as_deref(),
        digest: application.map(|application| application.digest.to_string()),
        took: began.elapsed(),
        ..Entry::default()
    };
    match ended {
        Ok(deployed) => {
            let model = remote.settings.model.as_ref().zip(deployed.model.as_ref());
            let entry = Entry {
                release: &deployed.release,
                model: model.map(|(model, ensured)| (model.name.as_str(), ensured)),
                ..entry
            };
            if deployed.changed {
                audit::record(remote, context, &entry).await;
            }
            let changed = deployed.changed;
            // An image that is made next must find all of it on the disk.
            let limit = match changed {
                true => SYNC_LIMIT,
                false => CLEANUP,
            };
            decision::forget(remote, done.decision.as_ref()).await;
            // The deployment is done, and a lock that is not given back ends with the connection.
            undo::unlock(remote, &done, changed, &Limits::cleanup(limit)).await;
            Ok(Some((deployed.release, changed || deployed.adopted)))
        }
        Err(failure) => {
            if !done.release.is_empty() {
                remote.evidence.about(&done.release);
            }
            // Whoever told us to stop has little patience, and nothing went wrong.
            let is_stopped = matches!(failure.exit(), Exit::Interrupted | Exit::Terminated);
            if !done.release.is_empty() && !is_stopped {
                failure_bundle::gather(remote, &commands, &done.release).await;
            }
            let release = done.release.clone();
            let told = Told {
                context,
                entry: Entry {
                    release: &release,
                    ..entry
                },
                explains: !is_stopped,
            };
            match undo::undo(remote, &commands, &mut done, failure, &told).await {
                Undone::Kept => Ok(Some((release, true))),
                Undone::Failed(failure) => Err(failure),
            }
        }
    }
}

/// What need not succeed for the deployment to be a success.
pub(super) async fn clean_up(remote: &Remote<'_>, limits: &Limits) {
    // Pruning made room for this one, except where only one may stay: the one before had to serve.
    let settings = remote.settings;
    if settings.keep_releases == 1
        && let Ok(state) = remote.look(None, limits).await
    {
        disk_space::prune(remote, &state, false, limits).await;
    }
}
