//! Starting again what is there already.

use std::collections::BTreeSet;

use action::failure::{Failure, Resource, ResourceKind};
use action::program::Context;
use action::wait::Limits;
use filesync::Altered;

use super::activate::Switch;
use super::audit::{self, Entry};
use super::compare::{self, Compared};
use super::journal::{Journal, RollbackTarget};
use super::outcome::{Deployed, clean_up};
use super::undo;
use crate::host::Remote;
use crate::host::state::State;
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start::{self, Images};
use crate::runtime::stop::{Stopping, stop};

/// The wanted release is current, and whoever made it so was stopped before it was proven: what runs may
/// be the release before. It is brought to run as if it had just been switched to.
pub(super) async fn resume(
    remote: &Remote<'_>,
    compared: &Compared,
    current: &str,
    context: &Context,
    limits: &Limits,
    journal: &mut Journal,
) -> Result<Deployed, Failure> {
    let doubt = compared.doubt().unwrap_or_default();
    tracing::warn!("release {current} is there, but {doubt}: starting it again");
    current.clone_into(&mut journal.release);
    // What was healthy once may be so again.
    journal.made = !compared.state.doubted.contains(current);
    let before = RollbackTarget::of(&compared.state, current);
    let entry = Entry {
        deed: "deploy",
        release: current,
        before: before.release(),
        digest: compared.state.digest(),
        ..Entry::default()
    };
    let audit = &audit::known(context, &entry);
    let switch = Switch {
        remote,
        release: current,
        run_spec: &RunSpec::of(remote.settings),
        state: &compared.state,
        before: before.clone(),
        audit,
        resumes: true,
        images: match &compared.health_problem {
            Some(_) => Images::KeptInNewContainers,
            None => Images::Kept,
        },
        altered: Altered::Only(BTreeSet::new()),
    };
    let model = switch.go(journal, limits).await?;
    clean_up(remote, limits).await;
    Ok(Deployed {
        release: current.to_owned(),
        changed: true,
        adopted: false,
        model,
    })
}

/// The files are right, it was healthy once, and the application is not well: it is started again.
pub(super) async fn restart(
    remote: &Remote<'_>,
    state: &State,
    current: &str,
    limits: &Limits,
    journal: &mut Journal,
) -> Result<Deployed, Failure> {
    let commands = compare::commands(remote);
    tracing::warn!("release {current} is there, but not healthy: starting it again");
    remote.timings.begin("start");
    current.clone_into(&mut journal.release);
    let run_spec = RunSpec::of(remote.settings);
    let started = async {
        let stopping = Stopping {
            runs: &state.run_spec(current, remote.settings),
            release: Some(current),
            is_certain: false,
            next: Some((current, &run_spec)),
        };
        stop(remote, &stopping, limits).await?;
        let images = Images::KeptInNewContainers;
        start::start(remote, &commands, current, images, limits).await?;
        let model = start::prove(remote, &run_spec, current, limits).await?;
        start::record(remote, &run_spec, current, limits).await?;
        Ok(model)
    };
    match started.await {
        Ok(model) => Ok(Deployed {
            release: current.to_owned(),
            changed: true,
            adopted: false,
            model,
        }),
        Err(failure) => {
            let failure = undo::with_logs(remote, &commands, current, failure).await;
            Err(failure.remains(
                Resource::new(ResourceKind::Release, current, &remote.shown),
                format!(
                    "release {current} is current on {} and not healthy",
                    remote.shown
                ),
                "deploy-app with a good application, or `deploy-app rollback`",
            ))
        }
    }
}
