//! Room on the host for one more release: what there is, and what goes to make it.

use action::failure::Failure;
use action::wait::Limits;
use bundle::manifest::Kind;
use filesync::Operation;

use super::look::{self, Compared};
use crate::application::Application;
use crate::compose;
use crate::layout::Layout;
use crate::release::State;
use crate::remote::Remote;
use crate::settings::{Checked, Run};
use crate::sync::size;
use ssh::Stdin as Input;

/// Removes what is not kept and nobody can be deploying: a lock that somebody holds does not keep a disk
/// from being cleared. Failing costs room only. Gives what went.
pub(super) async fn prune_unlocked(
    remote: &Remote<'_>,
    state: &State,
    joins: bool,
    limits: &Limits,
) -> Vec<String> {
    let old = state.to_prune_unlocked(remote.settings.keep_releases, joins);
    let removed = remove_releases(remote, state, &old, limits).await;
    if let Some(project) = look::commands(remote).project()
        && !old.is_empty()
    {
        let script = compose::remove(project, &old);
        if let Err(failure) = remote.release("remove old images", &script, limits).await {
            tracing::warn!("{failure}");
        }
    }
    remote.evidence.forget();
    if removed { old } else { Vec::new() }
}

/// Removes what is not kept: old releases and their images; under the lock. Failing costs room only. Gives
/// whether anything may have gone.
pub(super) async fn prune(
    remote: &Remote<'_>,
    state: &State,
    joins: bool,
    limits: &Limits,
) -> bool {
    let old = state.to_prune(remote.settings.keep_releases, joins);
    remove_releases(remote, state, &old, limits).await;
    let commands = look::commands(remote);
    if let Some(project) = commands.project() {
        let mut kept = state.releases.clone();
        kept.retain(|release| !old.contains(release));
        let sweep = compose::prune(project, &kept);
        if let Err(failure) = remote.release("remove old images", &sweep, limits).await {
            tracing::warn!("{failure}");
        }
    }
    remote.evidence.forget();
    !old.is_empty() || commands.project().is_some()
}

/// Gives whether all of them are gone.
async fn remove_releases(
    remote: &Remote<'_>,
    state: &State,
    old: &[String],
    limits: &Limits,
) -> bool {
    if old.is_empty() {
        return true;
    }
    let removed = async {
        keep_written(remote, state, old, limits).await?;
        let releases = old.to_vec();
        let deed = "remove old releases";
        remote
            .files(deed, Operation::Remove { releases }, limits)
            .await
    };
    match removed.await {
        Ok(()) => {
            tracing::info!("removed old releases: {}", old.join(", "));
            true
        }
        Err(failure) => {
            tracing::warn!("{failure}");
            false
        }
    }
}

/// Moves aside what containers may have written into these releases.
async fn keep_written(
    remote: &Remote<'_>,
    state: &State,
    old: &[String],
    limits: &Limits,
) -> Result<(), Failure> {
    let Checked { paths, shared, .. } = remote.settings;
    if paths.layout == Layout::InPlace {
        return Ok(());
    }
    let mut unknown = old.to_vec();
    unknown.retain(|release| {
        let run = state.manner(release, remote.settings).run;
        matches!(run, Run::Compose { .. }) && !state.images.contains(release)
    });
    if unknown.is_empty() && shared.is_empty() {
        return Ok(());
    }
    let keep = Operation::KeepWritten {
        releases: old.to_vec(),
        shared: shared.clone(),
        unknown,
    };
    let deed = "keep what was written into old releases";
    let kept: Vec<String> = remote.files(deed, keep, limits).await?;
    tell_kept(&paths.target, &kept);
    Ok(())
}

/// Says what was moved aside.
pub(super) fn tell_kept(target: &str, kept: &[String]) {
    for path in kept {
        tracing::warn!(
            "what was written into an older release lies in {target}/{path} now; this program removes nothing of it"
        );
    }
}

/// Refuses a release for which there is no room on the target's disk, or on Docker's.
pub(super) async fn check(
    remote: &Remote<'_>,
    application: &Application,
    Compared { state, diff, .. }: &Compared,
    limits: &Limits,
) -> Result<(), Failure> {
    let settings = remote.settings;
    let docker_kib = docker_kib(remote, limits).await;
    // In-place there is a second copy of everything that moves.
    let copies = 1 + u64::from(settings.paths.moves_files());
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
    let shown = &remote.shown;
    let refused = |free: u64, needed: u64, what: &str| {
        Failure::refused(format!(
            "{shown} has {free} {what} free for {}, the release needs {needed} {what}; nothing was sent",
            settings.paths.target
        ))
        .hint("make room, or lower DEPLOY_APP_KEEP_RELEASES")
    };
    match (state.free_kib, state.free_inodes) {
        (Some(free), _) if free < kib + kib / 10 => Err(refused(free, kib, "KiB")),
        // File systems without a table of inodes report none at all.
        (_, Some(free)) if free > 0 && free < inodes + inodes / 10 => {
            Err(refused(free, inodes, "inodes"))
        }
        _ => match docker_kib {
            Some(free) if free < kib + kib / 10 + DOCKER_MARGIN => Err(Failure::refused(format!(
                "{shown} has {free} KiB free where Docker keeps its images, the release needs {} KiB there; nothing was sent",
                kib + DOCKER_MARGIN
            ))
            .hint("make room: `docker system df` on the host shows what takes it, `docker builder prune` removes the build cache")),
            _ => Ok(()),
        },
    }
}

/// What a build needs beside the application itself, in KiB: less is a disk that is about to be full.
const DOCKER_MARGIN: u64 = 100 * 1024;

/// Free KiB where Docker keeps its images; none without Docker here, or when it does not tell.
async fn docker_kib(remote: &Remote<'_>, limits: &Limits) -> Option<u64> {
    look::commands(remote).project()?;
    let script = "docker info --format '{{.DockerRootDir}}' 2>/dev/null; exit 0";
    let deed = "look at Docker's disk";
    let output = remote
        .script(deed, script, Input::Empty, limits)
        .await
        .ok()?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let free = remote.files(deed, Operation::Free { folder }, limits);
    free.await.ok()?
}
