//! Starting a release and proving that it works.

use std::time::Duration;

use action::failure::Failure;
use action::wait::{self, Ended, Limits, Look, Pace};
use filesync::Operation;
use tokio::time::Instant;

use super::commands::Commands;
use super::compose::{self, Service, Verdict};
use super::health;
use super::images;
use super::ollama::{self, Ensured};
use super::run_spec::RunSpec;
use super::target_group::Target;
use crate::host::Remote;
use crate::settings::Run;
use ssh::{OutputMode, Stdin};

/// Between two looks at containers, or two questions for the status.
const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(1),
};
/// An explanation is not worth a longer wait.
const EXPLAIN: Duration = Duration::from_secs(15);

/// Where the images of a release come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Images {
    /// They were just built.
    Fresh,
    /// They were kept when it ran last; built again where they are gone.
    Kept,
    /// As [`Images::Kept`], and containers that run are made anew as well: what is in them hangs.
    KeptInNewContainers,
}

/// Starts a release, and waits until its containers are well or its status command succeeds.
pub(crate) async fn start(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    images: Images,
    limits: &Limits,
) -> Result<(), Failure> {
    let mut held = false;
    if images != Images::Fresh && commands.project().is_some() {
        let services = images::services(remote, commands, release, limits).await?;
        // Not without need: with the option, Compose makes unchanged containers anew (docker/compose#14016).
        held = services.iter().any(|service| service.renews);
        let gone = images::recall(remote, &services, release, limits).await?;
        if let (false, Some(build)) = (gone.is_empty(), commands.rebuild(release, &gone)) {
            let deed = format!("build images of release {release} again");
            remote.command(&build, &deed, limits).await?;
        }
    }
    let anew = images == Images::KeptInNewContainers;
    let Some(start) = commands.start(release, held, anew) else {
        return Ok(());
    };
    let deed = format!("start release {release}");
    let began = Instant::now();
    let started = remote.command(&start, &deed, limits).await;
    if commands.project().is_some() {
        let started = Started {
            result: started,
            has_waited: began.elapsed() >= commands.wait,
        };
        return containers_are_well(remote, commands, release, started, limits).await;
    }
    started?;
    runs(remote, commands, release, limits).await
}

/// What `up --wait` made of the containers.
struct Started {
    result: Result<(), Failure>,
    /// Whether it has taken as long as a release may take.
    has_waited: bool,
}

/// Reads the containers until they are well or one of them has failed for good. What `up --wait` made of them is
/// only a hint: it gives up as soon as one ends, also one that the engine brings back.
async fn containers_are_well(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    started: Started,
    limits: &Limits,
) -> Result<(), Failure> {
    let Started { result, has_waited } = started;
    let Some(script) = commands.containers(release) else {
        return result;
    };
    // A signal or the deadline is no verdict on the containers.
    if let Err(failure) = &result
        && limits.interrupt.pending().is_some()
    {
        return Err(failure.clone());
    }
    let has_failed = result.is_err();
    let look = async || {
        let output = remote
            .compose("list the containers", &script, limits)
            .await?;
        let containers = compose::containers(&output.stdout)
            .map_err(|cause| Failure::failed("cannot list the containers").cause(cause))?;
        Ok(match compose::judge(&containers) {
            Verdict::Good => Look::There(Ok(())),
            Verdict::Bad(seen) => Look::There(Err(seen)),
            // Compose starts it no more.
            Verdict::Waiting(seen) if has_failed => Look::There(Err(seen)),
            Verdict::Coming(seen) if has_failed && has_waited => Look::There(Err(seen)),
            Verdict::Coming(seen) | Verdict::Waiting(seen) | Verdict::Restarting(seen) => {
                Look::NotYet(seen)
            }
        })
    };
    let what = format!("the containers of release {release}");
    let limit = limits.within(commands.wait).deadline;
    let seen = match wait::until(&what, limit, &limits.interrupt, PACE, look).await {
        Ok(Ok(())) => {
            if let Err(failure) = result {
                tracing::warn!(
                    "Compose reports a failure ({}), but all containers are healthy; going on",
                    failure.causes().join("; ")
                );
            }
            return Ok(());
        }
        Ok(Err(seen)) | Err(Ended::Deadline(seen)) => seen,
        Err(ended) => return Err(ended.into_failure(&what)),
    };
    let failure = result.err().unwrap_or_else(|| {
        Failure::failed(format!(
            "cannot start release {release} on {}",
            remote.shown
        ))
    });
    let taken = taken_ports(remote, commands, release, limits).await;
    Err(taken.into_iter().fold(failure.cause(seen), Failure::cause))
}

/// The ports of the release's services that others have, in words. Whatever cannot be asked is left out: this explains
/// an error.
async fn taken_ports(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    limits: &Limits,
) -> Vec<String> {
    let Some(project) = commands.project() else {
        return Vec::new();
    };
    let limits = limits.within(EXPLAIN);
    let Some(config) = commands.compose_stored(release, "config --format json") else {
        return Vec::new();
    };
    let config = remote
        .session
        .exec(&config, Stdin::Empty, OutputMode::Nothing, &limits);
    let Ok(config) = config.await else {
        return Vec::new();
    };
    let services = compose::services(&config.stdout, &[]).unwrap_or_default();
    owners(remote, project, &services, &limits).await
}

/// Who else has the ports that these services of a project publish, in words.
pub(crate) async fn owners(
    remote: &Remote<'_>,
    project: &str,
    services: &[Service],
    limits: &Limits,
) -> Vec<String> {
    let ports: Vec<u16> = services.iter().flat_map(|it| it.ports.clone()).collect();
    if ports.is_empty() {
        return Vec::new();
    }
    let asked = remote.session.exec(
        compose::LISTENERS,
        Stdin::Empty,
        OutputMode::Nothing,
        limits,
    );
    let Ok(told) = asked.await else {
        return Vec::new();
    };
    compose::taken(&ports, project, &String::from_utf8_lossy(&told.stdout))
}

/// Asks the application's own status command until it succeeds.
async fn runs(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    limits: &Limits,
) -> Result<(), Failure> {
    let Some(status) = commands.status(release) else {
        return Ok(());
    };
    let deed = format!("find release {release} running");
    let mut last = None;
    let look = async || match remote.run_buffered(&status, &deed, limits).await {
        Ok(()) => Ok(Look::There(())),
        Err(failure) if limits.interrupt.pending().is_some() => Err(failure),
        Err(failure) => {
            let seen = failure.causes().join("; ");
            last = Some(failure);
            Ok(Look::NotYet(seen))
        }
    };
    let what = format!("the status command of release {release}");
    let limit = limits.within(commands.wait).deadline;
    let waited = wait::until(&what, limit, &limits.interrupt, PACE, look).await;
    waited.map_err(|ended| match (ended, last) {
        (Ended::Deadline(_), Some(failure)) => failure,
        (ended, _) => ended.into_failure(&what),
    })
}

/// Proves that a started release works: the model, the health URL, the load balancer.
pub(crate) async fn prove(
    remote: &Remote<'_>,
    run_spec: &RunSpec,
    release: &str,
    limits: &Limits,
) -> Result<Option<Ensured>, Failure> {
    let (settings, session) = (remote.settings, &remote.session);
    let ensured = model(remote, &run_spec.commands(settings), release, limits).await?;
    if let Some(model) = settings.model.as_ref().filter(|model| model.warm_up) {
        ollama::warm_up(session, model, limits).await?;
    }
    if let Some(health) = &run_spec.health {
        remote.timings.begin("health");
        health::prove(session, health, release, limits).await?;
    } else if run_spec.run != Run::None {
        tracing::warn!(
            "DEPLOY_APP_HEALTH_URL is none: release {release} counts as healthy because it runs"
        );
    }
    if let Some(target) = target(remote) {
        remote.timings.begin("target group");
        target.prove(limits, settings.health_timeout).await?;
    }
    Ok(ensured)
}

/// Writes down that a release was healthy, how it was run, and with which images; only while the lock is ours.
pub(crate) async fn record(
    remote: &Remote<'_>,
    run_spec: &RunSpec,
    release: &str,
    limits: &Limits,
) -> Result<(), Failure> {
    let commands = run_spec.commands(remote.settings);
    images::keep(remote, &commands, release, compose::Of::Containers, limits).await?;
    let proof = Operation::Prove {
        release: release.to_owned(),
        how: run_spec.to_text(),
    };
    remote
        .files("write down that the release is healthy", proof, limits)
        .await
}

/// Makes sure that the model is there, where one is named, and that it is pulled to where it stays.
pub(crate) async fn model(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    limits: &Limits,
) -> Result<Option<Ensured>, Failure> {
    let Some(model) = &remote.settings.model else {
        return Ok(None);
    };
    remote.timings.begin("model");
    let there = ollama::is_there(&remote.session, model, limits).await;
    if !matches!(there, Ok(Some(_))) {
        keeps_models(
            remote,
            &images::services(remote, commands, release, limits).await?,
        )?;
    }
    let ensured = ollama::ensure(&remote.session, model, limits).await?;
    Ok(Some(ensured))
}

/// Refuses services of which Ollama's keeps its models inside its container.
pub(crate) fn keeps_models(remote: &Remote<'_>, services: &[Service]) -> Result<(), Failure> {
    let model = remote.settings.model.as_ref();
    match model.and_then(|model| compose::ollama(services, model.url.port)) {
        Some(service) if !compose::keeps_models(service) => Err(ollama::not_kept(&service.name)),
        _ => Ok(()),
    }
}

/// The instance in its target group, where one is named.
pub(crate) fn target<'a>(remote: &'a Remote<'_>) -> Option<Target<'a>> {
    let (cloud, seen) = remote.ssh_target.instance?;
    let group = remote.settings.target_group.as_deref()?;
    Some(Target {
        session: &cloud.session,
        group,
        instance: &seen.id,
    })
}

/// Why the release that is current is not well right now; nothing when it is.
pub(crate) async fn health_problem(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    limits: &Limits,
) -> Option<String> {
    if let Some(health) = &remote.settings.health
        && let Err(seen) = health::is_well(&remote.session, health, release, limits).await
    {
        return Some(seen);
    }
    if let Some(script) = commands.containers(release) {
        let listed = remote.compose("list the containers", &script, limits).await;
        let containers = match listed {
            Ok(output) => compose::containers(&output.stdout),
            Err(failure) => Err(failure.deed().to_owned()),
        };
        match containers.map(|containers| compose::judge(&containers)) {
            Ok(Verdict::Good | Verdict::Coming(_) | Verdict::Waiting(_)) => {}
            Ok(Verdict::Bad(seen) | Verdict::Restarting(seen)) | Err(seen) => return Some(seen),
        }
    }
    if let Some(status) = commands.status(release)
        && remote
            .run_buffered(&status, "find it running", limits)
            .await
            .is_err()
    {
        return Some("its status command fails".to_owned());
    }
    None
}
