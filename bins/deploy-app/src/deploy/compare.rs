//! Comparing what is there with what is wanted.

use std::collections::BTreeSet;
use std::time::Duration;

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;

use super::application::Application;
use crate::host::Remote;
use crate::host::state::State;
use crate::runtime::commands::Commands;
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start;
use crate::settings::{Checked, Runtime};
use filesync::Diff;

/// The commands of the application that is being deployed; [`State::manner`] knows those of others.
pub(super) fn commands<'a>(remote: &'a Remote<'_>) -> Commands<'a> {
    let settings = remote.settings;
    Commands {
        run: &settings.run,
        hooks: &settings.hooks,
        paths: &settings.paths,
        wait: settings.health_timeout,
        logins: &settings.logins,
    }
}

/// What a look at the host found.
pub(super) struct Compared {
    pub(super) state: State,
    pub(super) diff: Diff,
    /// Why the release that is current is not well, when it is the wanted one.
    pub(super) health_problem: Option<String>,
    /// How the current release was started, for people, where the settings have another way.
    pub(super) started_otherwise: Option<String>,
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
            format!("the files are those of the current release, which was started by {before}")
        })
    }

    /// Whether it is there, was proven, and is well.
    pub(super) fn is_done(&self) -> bool {
        self.is_same() && self.doubt().is_none() && self.state.placing.is_none()
    }

    /// Why the wanted release, which is current, is started all the same.
    pub(super) fn doubt(&self) -> Option<String> {
        match &self.health_problem {
            Some(health_problem) => Some(health_problem.clone()),
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
    limits: &Limits,
) -> Compared {
    let mut diff = remote
        .compare(&application.wanted, &state, may_remember, limits)
        .await;
    let settings = remote.settings;
    let started = state.current_name().map(|it| state.run_spec(it, settings));
    let wanted_start = RunSpec::of(settings);
    let started_otherwise = started
        .filter(|it| !wanted_start.starts_like(it))
        .map(|it| wanted_start.difference(&it));
    if diff.is_empty() && started_otherwise.is_some() {
        // The next release is linked to this one, file by file.
        let wanted = &application.wanted;
        diff = filesync::diff(wanted, wanted, &BTreeSet::new());
    }
    // What lies in shared/ by now may not be what the release brought.
    let shared = &settings.shared;
    diff.kept
        .retain(|_, from| !shared.iter().any(|path| filesync::is_at(from, path)));
    let commands = commands(remote);
    let health_problem = match state.current_name() {
        Some(current) if diff.is_empty() && started_otherwise.is_none() => {
            start::health_problem(remote, &commands, current, limits).await
        }
        _ => None,
    };
    Compared {
        state,
        diff,
        health_problem,
        started_otherwise,
    }
}

/// Refuses a target folder that cannot be made or written into.
pub(super) fn check_target(remote: &Remote<'_>, state: &State) -> Result<(), Failure> {
    let Checked { paths, .. } = remote.settings;
    let target = &paths.target;
    let user = remote.settings.acts_as();
    let deed = format!("cannot deploy to {target} on {}", remote.shown);
    if let Some(blocked) = &state.blocked {
        return Err(Failure::refused(deed)
            .cause(format!("{blocked} is not a folder"))
            .hint("move it away, or set DEPLOY_APP_TARGET to a folder of its own"));
    }
    if let Some(closed) = &state.closed {
        return Err(Failure::new(Exit::NotPermitted, deed)
            .cause(format!("{user} may not write into {closed}"))
            .hint(format!("on the host: {}", remote.make_by_hand())));
    }
    Ok(())
}

/// Has the host say that it can run the application, before anything is changed there.
pub(super) async fn check_runtime(remote: &Remote<'_>, limits: &Limits) -> Result<(), Failure> {
    check_runtime_of(remote, &commands(remote), limits).await
}

/// The same for a release that is run by these commands.
pub(super) async fn check_runtime_of(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    limits: &Limits,
) -> Result<(), Failure> {
    match commands.check() {
        Some(check) => remote
            .check(&check, "use Docker Compose v2", limits)
            .await
            .map_err(without_compose),
        None => Ok(()),
    }
}

/// The refusal of a host without Docker Compose.
fn without_compose(failure: Failure) -> Failure {
    let failure = match failure.exit() {
        Exit::Failed => failure.with_exit(Exit::Refused),
        _ => failure,
    };
    failure.hint(format!(
        "install docker and its Compose plugin (v2) on the host and let the user use them (DEPLOY_APP_SUDO=root does it by sudo, \
         DEPLOY_APP_HOST_PATH names the folder of a docker that is not found), or set DEPLOY_APP_RUNTIME={} with DEPLOY_APP_START",
        Runtime::Command
    ))
}

/// Time left for what must not be cut off at once.
pub(super) const CLEANUP: Duration = Duration::from_secs(60);
