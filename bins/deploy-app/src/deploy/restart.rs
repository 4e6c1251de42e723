//! Starting again what is there already.

use std::collections::BTreeSet;

use action::failure::{Failure, Resource, ResourceKind};
use action::program::Context;
use action::wait::Limits;
use filesync::Altered;

use super::activate::Switch;
use super::audit::{self, Entry};
use super::compare::{self, Compared};
use super::journal::{Before, Done};
use super::outcome::{Deployed, clean_up};
use super::undo;
use crate::host::Remote;
use crate::host::state::State;
use crate::runtime::run_spec::Manner;
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
    done: &mut Done,
) -> Result<Deployed, Failure> {
    let doubt = compared.doubt().unwrap_or_default();
    tracing::warn!("release {current} is there, but {doubt}: starting it again");
    current.clone_into(&mut done.release);
    // What was healthy once may be so again.
    done.made = !compared.state.doubted.contains(current);
    let before = Before::of(&compared.state, current);
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
        manner: &Manner::of(remote.settings),
        state: &compared.state,
        before: before.clone(),
        audit,
        resumes: true,
        images: match &compared.unwell {
            Some(_) => Images::KeptInNewContainers,
            None => Images::Kept,
        },
        altered: Altered::Only(BTreeSet::new()),
    };
    let model = switch.go(done, limits).await?;
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
    done: &mut Done,
) -> Result<Deployed, Failure> {
    let commands = compare::commands(remote);
    tracing::warn!("release {current} is there, but not healthy: starting it again");
    remote.stages.begin("start");
    current.clone_into(&mut done.release);
    let manner = Manner::of(remote.settings);
    let started = async {
        let stopping = Stopping {
            runs: &state.manner(current, remote.settings),
            release: Some(current),
            is_certain: false,
            next: Some((current, &manner)),
        };
        stop(remote, &stopping, limits).await?;
        let images = Images::KeptInNewContainers;
        start::start(remote, &commands, current, images, limits).await?;
        let model = start::prove(remote, &manner, current, limits).await?;
        start::record(remote, &manner, current, limits).await?;
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
