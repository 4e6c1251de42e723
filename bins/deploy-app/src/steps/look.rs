//! Comparing what is there with what is wanted.

use std::time::Duration;

use action::failure::Failure;
use bundle::manifest::Kind;

use super::without_compose;
use crate::application::Application;
use crate::host::exec::Bounds;
use crate::release::State;
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::start;
use crate::sync::{Diff, size};

/// The commands of the application that is being deployed.
pub(super) fn commands<'a>(remote: &'a Remote<'_>) -> Commands<'a> {
    let settings = remote.settings;
    Commands {
        run: &settings.run,
        hooks: &settings.hooks,
        paths: &settings.paths,
        wait: settings.health_timeout,
    }
}

/// What a look at the host found.
pub(super) struct Compared {
    pub(super) state: State,
    pub(super) diff: Diff,
    /// Why the release that is current is not well, when it is the wanted one.
    pub(super) unwell: Option<String>,
}

impl Compared {
    /// Whether the wanted application is there.
    pub(super) fn is_same(&self) -> bool {
        self.state.current.is_some() && self.diff.is_empty()
    }

    /// Whether it is there and well.
    pub(super) fn is_done(&self) -> bool {
        self.is_same() && self.unwell.is_none() && self.state.placing.is_none()
    }
}

/// Looks at the host, unless a look before knew enough. Changes nothing; but with `may_remember`, what is
/// remembered there about its own files.
pub(super) async fn compare(
    remote: &Remote<'_>,
    application: &Application,
    seen: Option<State>,
    may_remember: bool,
    bounds: &Bounds,
) -> Result<Compared, Failure> {
    let digest = application.digest.to_string();
    let state = match seen.filter(|seen| seen.tells_all_of(&digest)) {
        Some(seen) => seen,
        None => remote.look(&digest, bounds).await?,
    };
    let diff = remote
        .compare(&application.wanted, &state, may_remember, bounds)
        .await;
    let commands = commands(remote);
    let unwell = match state.current_name() {
        Some(current) if diff.is_empty() => start::unwell(remote, &commands, current, bounds).await,
        _ => None,
    };
    remote.evidence.forget();
    Ok(Compared {
        state,
        diff,
        unwell,
    })
}

/// Has the host say that it can run the application, before anything is changed there.
pub(super) async fn check_runtime(remote: &Remote<'_>, bounds: &Bounds) -> Result<(), Failure> {
    match commands(remote).check() {
        Some(check) => remote
            .command(&check, "use Docker Compose v2", bounds)
            .await
            .map_err(without_compose),
        None => Ok(()),
    }
}

/// Refuses a release for which there is no room.
pub(super) fn check_space(
    remote: &Remote<'_>,
    application: &Application,
    state: &State,
    diff: &Diff,
) -> Result<(), Failure> {
    let settings = remote.settings;
    // In-place there is a second copy of everything that moves.
    let copies = 1 + u64::from(crate::release::scripts::moves_files(&settings.paths));
    let new = application
        .wanted
        .iter()
        .filter(|(path, _)| !diff.kept.contains_key(*path));
    let (mut kib, mut inodes) = (0, 0);
    for (_, kind) in new {
        kib += match kind {
            Kind::File { .. } => size(kind).div_ceil(4096) * 4,
            Kind::Symlink { .. } | Kind::EmptyDir => 4,
        };
        inodes += 1;
    }
    let (kib, inodes) = (kib * copies, inodes * copies);
    let refused = |free: u64, needed: u64, what: &str| {
        Failure::refused(format!(
            "{} has {free} {what} free for {}, the release needs {needed} {what}; nothing was touched",
            remote.shown, settings.paths.target
        ))
        .hint("make room, or lower DEPLOY_APP_KEEP_RELEASES")
    };
    match (state.free_kib, state.free_inodes) {
        (Some(free), _) if free < kib + kib / 10 => Err(refused(free, kib, "KiB")),
        // File systems without a table of inodes report none at all.
        (_, Some(free)) if free > 0 && free < inodes + inodes / 10 => {
            Err(refused(free, inodes, "inodes"))
        }
        _ => Ok(()),
    }
}

/// Time left for what must not be cut off at once.
pub(super) const CLEANUP: Duration = Duration::from_secs(60);
