//! Comparing what is there with what is wanted.

use std::collections::BTreeSet;
use std::time::Duration;

use action::failure::Failure;
use bundle::manifest::Kind;

use super::without_compose;
use crate::application::Application;
use crate::host::exec::{Bounds, Input};
use crate::manner::Manner;
use crate::release::State;
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::start;
use crate::sync::{self, Diff, size};

/// The commands of the application that is being deployed; [`State::manner`] knows those of others.
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
    /// How the current release was started, where the settings have another way.
    pub(super) started_otherwise: Option<Manner>,
}

impl Compared {
    /// Whether the wanted application is there, and started as it is wanted.
    pub(super) fn is_same(&self) -> bool {
        self.state.current.is_some() && self.diff.is_empty() && self.started_otherwise.is_none()
    }

    /// Why a release is made of files that the current one has.
    pub(super) fn reason(&self) -> Option<String> {
        let before = self.started_otherwise.as_ref()?;
        self.diff.is_empty().then(|| {
            format!(
                "the files are those of the current release, which was started by {}",
                before.starter()
            )
        })
    }

    /// Whether it is there, was proven, and is well.
    pub(super) fn is_done(&self) -> bool {
        self.is_same() && self.doubt().is_none() && self.state.placing.is_none()
    }

    /// Why the wanted release, which is current, is started all the same.
    pub(super) fn doubt(&self) -> Option<String> {
        match &self.unwell {
            Some(unwell) => Some(unwell.clone()),
            // What answers may be the release before it.
            None if !self.state.is_proven() => {
                Some("it was not proven healthy after its last start".to_owned())
            }
            None => None,
        }
    }
}

/// Compares what a look at the host found. Changes nothing; but with `may_remember`, what is remembered there
/// about its own files.
pub(super) async fn compare(
    remote: &Remote<'_>,
    application: &Application,
    state: State,
    may_remember: bool,
    bounds: &Bounds,
) -> Compared {
    let mut diff = remote
        .compare(&application.wanted, &state, may_remember, bounds)
        .await;
    let settings = remote.settings;
    let started = state.current_name().map(|it| state.manner(it, settings));
    let started_otherwise = started.filter(|it| !Manner::of(settings).starts_like(it));
    if diff.is_empty() && started_otherwise.is_some() {
        // The next release is linked to this one, file by file.
        let wanted = &application.wanted;
        diff = sync::diff(wanted, wanted, &BTreeSet::new());
    }
    let commands = commands(remote);
    let unwell = match state.current_name() {
        Some(current) if diff.is_empty() && started_otherwise.is_none() => {
            start::unwell(remote, &commands, current, bounds).await
        }
        _ => None,
    };
    remote.evidence.forget();
    Compared {
        state,
        diff,
        unwell,
        started_otherwise,
    }
}

/// Has the host say that it can run the application, before anything is changed there.
pub(super) async fn check_runtime(remote: &Remote<'_>, bounds: &Bounds) -> Result<(), Failure> {
    match commands(remote).check() {
        Some(check) => remote
            .check(&check, "use Docker Compose v2", bounds)
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
    docker_kib: Option<u64>,
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
pub(super) async fn docker_kib(remote: &Remote<'_>, bounds: &Bounds) -> Option<u64> {
    commands(remote).project()?;
    let script = "d=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) && [ -d \"$d\" ] && df -Pk \"$d\" | { read -r _; read -r _ _ _ free _ && echo \"$free\"; }; exit 0";
    let output = remote
        .script("look at Docker's disk", script, Input::Empty, bounds)
        .await
        .ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// Time left for what must not be cut off at once.
pub(super) const CLEANUP: Duration = Duration::from_secs(60);
