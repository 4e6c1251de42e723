//! Room on the host for one more release: what there is, and what goes to make it.

use std::collections::BTreeMap;

use action::export::quote::posix as quote;
use action::failure::Failure;
use action::wait::Limits;
use bundle::manifest::Kind;
use filesync::{Layout, Operation, Tree, size};

use super::application::Application;
use super::compare::{self, Compared};
use crate::host::Remote;
use crate::host::state::State;
use crate::runtime::compose;
use crate::settings::{Checked, Run};
use ssh::Stdin;

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
    if let Some(project) = compare::commands(remote).project()
        && !old.is_empty()
    {
        let script = compose::remove(project, &old);
        if let Err(failure) = remote
            .run_script("remove old images", &script, limits)
            .await
        {
            tracing::warn!("{failure}");
        }
    }
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
    let commands = compare::commands(remote);
    if let Some(project) = commands.project() {
        let mut kept = state.releases.clone();
        kept.retain(|release| !old.contains(release));
        let sweep = compose::prune(project, &kept);
        if let Err(failure) = remote.run_script("remove old images", &sweep, limits).await {
            tracing::warn!("{failure}");
        }
    }
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
        let remove = Operation::Remove { releases };
        remote.files::<Vec<String>>(deed, remove, limits).await
    };
    match removed.await {
        Ok(left) => {
            tell_left(&remote.settings.paths.target, &left);
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
        let run = state.run_spec(release, remote.settings).run;
        matches!(run, Run::Compose(_)) && !state.images.contains(release)
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

/// Says what could not be removed.
pub(super) fn tell_left(target: &str, left: &[String]) {
    for path in left {
        let path = quote(&format!("{target}/{path}"));
        tracing::warn!(
            "others wrote into a release what this user may not remove, as a container does: it was moved aside, and goes with: sudo rm -r {path}"
        );
    }
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
    let (kib, inodes) = needed(
        &application.wanted,
        &diff.kept,
        settings.paths.moves_files(),
    );
    let shown = &remote.shown;
    let refused = |free: u64, needed: u64, what: &str| {
        Failure::refused(format!(
            "{shown} has {free} {what} free for {}, the release needs {needed} {what}; nothing was sent",
            settings.paths.target
        ))
        .hint("make room, or lower DEPLOY_APP_KEEP_RELEASES")
    };
    match lacking((state.free_kib, state.free_inodes), (kib, inodes)) {
        Some((free, needed, what)) => Err(refused(free, needed, what)),
        None => match docker_kib {
            Some(free) if free < kib + kib / 10 + DOCKER_MARGIN => Err(Failure::refused(format!(
                "{shown} has {free} KiB free where Docker keeps its images, the release needs {} KiB there; nothing was sent",
                kib + DOCKER_MARGIN
            ))
            .hint("make room: `docker system df` on the host shows what takes it, `docker builder prune` removes the build cache")),
            _ => Ok(()),
        },
    }
}

/// How many KiB and inodes a release takes beside the one before.
fn needed(wanted: &Tree, kept: &BTreeMap<String, String>, moves: bool) -> (u64, u64) {
    let (mut kib, mut inodes) = (0, 0);
    for (_, kind) in wanted.iter().filter(|(path, _)| !kept.contains_key(*path)) {
        kib += match kind {
            Kind::File { .. } => size(kind).div_ceil(4096) * 4,
            Kind::Symlink { .. } | Kind::EmptyDir => 4,
        };
        inodes += 1;
    }
    // In-place there is a second copy of everything that moves.
    let copies = 1 + u64::from(moves);
    (kib * copies, inodes * copies)
}

/// What is free and what is needed of that of which there is too little, with a tenth to spare.
fn lacking(
    (free_kib, free_inodes): (Option<u64>, Option<u64>),
    (kib, inodes): (u64, u64),
) -> Option<(u64, u64, &'static str)> {
    match (free_kib, free_inodes) {
        (Some(free), _) if free < kib + kib / 10 => Some((free, kib, "KiB")),
        // File systems without a table of inodes report none at all.
        (_, Some(free)) if free > 0 && free < inodes + inodes / 10 => {
            Some((free, inodes, "inodes"))
        }
        _ => None,
    }
}

/// What a build needs beside the application itself, in KiB: less is a disk that is about to be full.
const DOCKER_MARGIN: u64 = 100 * 1024;

/// Free KiB where Docker keeps its images; none without Docker here, or when it does not tell.
async fn docker_kib(remote: &Remote<'_>, limits: &Limits) -> Option<u64> {
    compare::commands(remote).project()?;
    let script = "docker info --format '{{.DockerRootDir}}' 2>/dev/null; exit 0";
    let deed = "look at Docker's disk";
    let output = remote
        .script(deed, script, Stdin::Empty, limits)
        .await
        .ok()?;
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let free = remote.files(deed, Operation::Free { folder }, limits);
    free.await.ok()?
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bundle::digest::Digest;
    use bundle::manifest::{Kind, Mode};

    use super::{lacking, needed};
    use filesync::Tree;

    #[test]
    fn a_release_needs_room_for_what_it_does_not_share() {
        let file = |size| Kind::File {
            mode: Mode::Plain,
            size,
            sha256: Digest::of(b""),
        };
        let tree = Tree::from([
            ("large".to_owned(), file(2_000_000)),
            ("small".to_owned(), file(1)),
            ("kept".to_owned(), file(5_000_000)),
            ("folder".to_owned(), Kind::EmptyDir),
        ]);
        let kept = BTreeMap::from([("kept".to_owned(), "kept".to_owned())]);
        assert_eq!(needed(&tree, &kept, false), (1956 + 4 + 4, 3));
        assert_eq!(needed(&tree, &kept, true), (2 * 1964, 6));
    }

    #[test]
    fn a_tenth_is_left_free_and_no_table_of_inodes_is_no_fault() {
        for (free, lacks) in [
            ((Some(1100), Some(110)), None),
            ((Some(1099), Some(110)), Some((1099, 1000, "KiB"))),
            ((Some(1100), Some(109)), Some((109, 100, "inodes"))),
            ((Some(1100), Some(0)), None),
            ((None, None), None),
        ] {
            assert_eq!(lacking(free, (1000, 100)), lacks);
        }
    }
}
