//! What the agent decided alone, when the connection of a deployment was lost after the switch.

use action::failure::{Failure, Resource, ResourceKind};
use action::wait::Limits;
use filesync::{Decision, Operation, Outcome};

use super::compare::CLEANUP;
use crate::host::Remote;

/// Tells what became of a deployment whose people could not be told.
pub(super) fn tell(decision: Option<&Decision>) {
    let Some(decision) = decision else { return };
    let Decision {
        release,
        outcome,
        why,
        owner,
        ..
    } = decision;
    let lost = format!("{owner} lost its connection after the switch to release {release}");
    match outcome {
        Outcome::Kept => tracing::info!("{lost}; the agent found it healthy, and kept it"),
        Outcome::WentBack(before) => {
            tracing::warn!("{lost}; the agent went back to release {before}: {why}");
        }
        Outcome::TakenDown => tracing::warn!("{lost}; the agent took it down: {why}"),
        Outcome::Stuck => tracing::warn!("{lost}; the agent could not roll it back: {why}"),
    }
}

/// Whether this release runs because the agent kept it, and nobody has exported it yet.
pub(super) fn has_kept(decision: Option<&Decision>, release: &str) -> bool {
    decision.is_some_and(|it| it.outcome == Outcome::Kept && it.release == release)
}

/// Notes that a decision was told and exported.
pub(super) async fn forget(remote: &Remote<'_>, decision: Option<&Decision>) {
    if decision.is_none() {
        return;
    }
    let limits = Limits::cleanup(CLEANUP);
    let deed = "note that the agent's decision was read";
    let forgotten = remote.files::<()>(deed, Operation::ForgetDecision, &limits);
    if let Err(failure) = forgotten.await {
        tracing::warn!("{failure}");
    }
}

/// The failure of a run whose release the agent did not keep; nothing when it did.
pub(super) fn outcome(
    remote: &Remote<'_>,
    decision: &Decision,
    failure: Failure,
) -> Option<Failure> {
    let (release, shown) = (&decision.release, &remote.shown);
    let failure = |told: String| failure.cause(&decision.why).detail(told);
    match &decision.outcome {
        Outcome::Kept => None,
        Outcome::WentBack(before) => Some(failure(format!(
            "rolled back by the agent: release {before} is current again"
        ))),
        Outcome::TakenDown => Some(failure(
            "taken down by the agent: there is no release to go back to".to_owned(),
        )),
        Outcome::Stuck => Some(
            failure("the agent could not roll it back".to_owned()).remains(
                Resource::new(ResourceKind::Release, release, shown),
                format!("release {release} on {shown}, which is not healthy"),
                "deploy-app with a good application",
            ),
        ),
    }
}
