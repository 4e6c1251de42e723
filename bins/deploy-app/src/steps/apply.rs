//! Bringing a release to the host and into service.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use action::exit::Exit;
use action::failure::Failure;
use action::program::Context;
use tokio::time::Instant;

use super::look::{self, CLEANUP, Compared};
use super::plan;
use super::switch::Switch;
use crate::application::Application;
use crate::audit::{self, Entry};
use crate::compose;
use crate::failure_bundle;
use crate::host::exec::Bounds;
use crate::host::ssh::quote;
use crate::lease;
use crate::model::{self, Ensured};
use crate::release::{self, Current, State, scripts};
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::start::{self, Images};
use crate::sync::Tree;
use crate::sync::upload::Upload;
use crate::undo::{self, Before, Done};

/// Compares, then acts or tells. Gives the release that runs and whether anything was changed. `seen` is
/// what a look told before the application was known.
pub(super) async fn ship(
    remote: &Remote<'_>,
    application: &Application,
    seen: Option<State>,
    context: &Context,
    bounds: &Bounds,
) -> Result<Option<(String, bool)>, Failure> {
    let began = Instant::now();
    remote.stages.begin("compare");
    let compared = look::compare(remote, application, seen, !context.dry_run, bounds).await?;
    if context.dry_run {
        if !compared.is_done() {
            look::check_runtime(remote, bounds).await?;
        }
        let plan = plan::of_deployment(remote, application, compared, bounds).await;
        context.show_plan(&plan.text(), &plan.json())?;
        return Ok(None);
    }
    if let (true, Some(current)) = (compared.is_done(), compared.state.current_name()) {
        return untouched(remote, current, bounds).await.map(Some);
    }
    look::check_runtime(remote, bounds).await?;
    look::check_space(remote, application, &compared.state, &compared.diff)?;
    remote.stages.begin("prune");
    prune(remote, &compared.state, !compared.is_same(), bounds).await;
    let mut done = Done::default();
    let deployed = act(remote, application, context, bounds, &mut done).await;
    finish(
        remote,
        context,
        done,
        deployed,
        ("deploy", began),
        Some(application),
    )
    .await
}

/// What a step of a deployment came to.
pub(super) struct Deployed {
    /// The release that runs.
    pub(super) release: String,
    /// Whether anything was changed.
    pub(super) changed: bool,
    /// The model.
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
    let commands = look::commands(remote);
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
            let lost = Failure::failed(format!(
                "release {} runs and is healthy, but the lock could not be given back",
                deployed.release
            ));
            // The deployment is done; a lock that stays expires by itself.
            let lock = undo::unlock(remote, &done, lost, &Bounds::cleanup(CLEANUP)).await;
            if !lock.remainders().is_empty() {
                tracing::warn!("{lock}");
            }
            Ok(Some((deployed.release, deployed.changed)))
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
            if done.lease.is_some() && !remote.session.is_closed() {
                let entry = Entry {
                    release: &done.release,
                    failure: Some(&failure),
                    ..entry
                };
                audit::record(remote, context, &entry).await;
            }
            Err(undo::undo(remote, &commands, &mut done, failure).await)
        }
    }
}

/// The wanted release is there and well: only the model and the load balancer are looked at.
async fn untouched(
    remote: &Remote<'_>,
    current: &str,
    bounds: &Bounds,
) -> Result<(String, bool), Failure> {
    let settings = remote.settings;
    let mut changed = false;
    if let Some(model) = &settings.model {
        remote.stages.begin("model");
        changed = model::ensure(&remote.session, model, bounds).await?.pulled;
    }
    if let Some(target) = start::target(remote) {
        remote.stages.begin("target group");
        target.prove(bounds, settings.health_timeout).await?;
    }
    tracing::info!("release {current} is there and healthy: nothing to deploy");
    Ok((current.to_owned(), changed))
}

/// Everything that changes the host, under the lock. Each deed is written down before it is done.
async fn act(
    remote: &Remote<'_>,
    application: &Application,
    context: &Context,
    bounds: &Bounds,
    done: &mut Done,
) -> Result<Deployed, Failure> {
    remote.stages.begin("lock");
    let lease = lease::take(remote, context, bounds).await?;
    done.lease = Some(lease);
    // Somebody else may have deployed while we looked or waited.
    remote.stages.begin("compare");
    let compared = look::compare(remote, application, None, true, bounds).await?;
    let current = compared.state.current_name().map(str::to_owned);
    match (&current, compared.is_same(), &compared.state.placing) {
        (Some(current), true, None) if compared.unwell.is_none() => {
            tracing::info!("release {current} is there by now, and healthy");
            return Ok(Deployed {
                release: current.clone(),
                changed: false,
                model: None,
            });
        }
        (Some(current), true, None) => return restart(remote, current, bounds, done).await,
        _ => {}
    }
    let release = release::next_name(&application.release, &compared.state.releases);
    done.release.clone_from(&release);
    done.made = true;
    send(remote, application, &compared, &release, bounds).await?;
    let commands = look::commands(remote);
    let old = match &compared.state.current {
        Some(Current {
            manifest: Some(old),
            ..
        }) => old.clone(),
        Some(_) => application.wanted.clone(),
        None => Tree::new(),
    };
    let pulled = prepare(remote, &commands, &release, bounds).await?;
    let switch = Switch {
        remote,
        commands: &commands,
        release: &release,
        before: current.as_deref(),
        images: Images::Fresh,
        trees: (&old, &application.wanted),
        altered: &compared.diff.changed,
        placing: compared.state.placing.as_deref(),
    };
    let model = switch.go(done, bounds).await?.map(|ensured| Ensured {
        pulled: ensured.pulled || pulled,
        ..ensured
    });
    clean_up(remote, bounds).await;
    Ok(Deployed {
        release,
        changed: true,
        model,
    })
}

/// A host that answers sooner is in the same region, or nearer: gigabits a second lead there, and to compress
/// on one side and decompress on the other takes longer than the transfer it saves.
const NEAR: Duration = Duration::from_millis(3);

/// Sends what the host does not have, and has it verified there.
async fn send(
    remote: &Remote<'_>,
    application: &Application,
    compared: &Compared,
    release: &str,
    bounds: &Bounds,
) -> Result<(), Failure> {
    remote.stages.begin("send");
    let settings = remote.settings;
    let diff = &compared.diff;
    let current = compared.state.current_name().map(str::to_owned);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let has_large = application
        .wanted
        .values()
        .any(|kind| crate::sync::size(kind) >= crate::sync::pieces::LARGE);
    let pieces = match &current {
        Some(current) if has_large => remote.pieces(current, bounds).await?,
        _ => crate::sync::pieces::Pieces::new(),
    };
    let is_near = remote
        .session
        .round_trip()
        .await
        .is_some_and(|took| took < NEAR);
    let upload = Upload {
        sources: application.sources.clone(),
        wanted: application.wanted.clone(),
        kept: diff.kept.clone(),
        pieces,
        current,
        release: release.to_owned(),
        paths: settings.paths.clone(),
        gzip: compared.state.has("gzip") && !is_near,
        mtime: now.as_secs(),
        only: None,
    };
    tracing::info!(
        "sending release {release}: {} added, {} changed, {} removed, {} B",
        diff.added.len(),
        diff.changed.len(),
        diff.removed.len(),
        upload.content_bytes()
    );
    let stamp = remote.receive(upload, bounds).await?;
    let mut commit = scripts::commit(&settings.paths, release, &settings.shared);
    if !scripts::moves_files(&settings.paths) {
        commit.push_str("; ");
        commit.push_str(&scripts::remember_stamp(&settings.paths, release, &stamp));
    }
    remote
        .release("complete the release", &commit, bounds)
        .await?;
    tracing::info!("release {release} is on the host and verified");
    Ok(())
}

/// What can be done while the old release still serves: images, the model, the release's own hook. Gives
/// whether the model was pulled.
async fn prepare(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    bounds: &Bounds,
) -> Result<bool, Failure> {
    let mut pulled = false;
    if let Some(build) = commands.build(release) {
        remote.stages.begin("build");
        remote
            .command(&build, &format!("build release {release}"), bounds)
            .await?;
        let services = start::services(remote, commands, release, bounds).await?;
        let keep = compose::keep_images(&services, release);
        if !keep.is_empty() {
            remote
                .release("keep the images of the release", &keep, bounds)
                .await?;
        }
        if let Some(model) = &remote.settings.model
            && let Some(service) = compose::ollama(&services, model.url.port)
            && !compose::keeps_models(service)
        {
            return Err(model::not_kept(&service.name));
        }
    }
    if let Some(model) = &remote.settings.model
        && let Ok(None) = model::is_there(&remote.session, model, bounds).await
    {
        // Ollama runs already: the gigabytes come while the old release serves.
        remote.stages.begin("model");
        pulled = model::ensure(&remote.session, model, bounds).await?.pulled;
    }
    if let Some(before) = commands.before(release) {
        remote.stages.begin("before");
        remote
            .command(&before, "run the hook before the switch", bounds)
            .await?;
    }
    Ok(pulled)
}

/// The files are right and the application is not: it is started again.
async fn restart(
    remote: &Remote<'_>,
    current: &str,
    bounds: &Bounds,
    done: &mut Done,
) -> Result<Deployed, Failure> {
    let commands = look::commands(remote);
    tracing::warn!("release {current} is there, but not healthy: starting it again");
    remote.stages.begin("start");
    current.clone_into(&mut done.release);
    let started = async {
        if let Some(stop) = commands.stop(current) {
            remote
                .command(&stop, "stop the application", bounds)
                .await?;
        }
        start::start(remote, &commands, current, Images::Kept, bounds).await?;
        start::prove(remote, current, bounds).await
    };
    match started.await {
        Ok(model) => Ok(Deployed {
            release: current.to_owned(),
            changed: true,
            model,
        }),
        Err(failure) => {
            let failure = undo::with_logs(remote, &commands, current, failure).await;
            Err(failure.remains(
                format!(
                    "release {current} is current on {} and not healthy",
                    remote.shown
                ),
                "deploy-app with a good application, or `deploy-app rollback`",
            ))
        }
    }
}

/// Removes what is not kept: old releases and their images. Failing costs room only.
async fn prune(remote: &Remote<'_>, state: &State, joins: bool, bounds: &Bounds) {
    let settings = remote.settings;
    let old = state.to_prune(settings.keep_releases, joins);
    if !old.is_empty() {
        let script = scripts::remove(&settings.paths, &old);
        match remote.release("remove old releases", &script, bounds).await {
            Ok(()) => tracing::info!("removed old releases: {}", old.join(", ")),
            Err(failure) => tracing::warn!("{failure}"),
        }
    }
    if let Some(project) = look::commands(remote).project() {
        let mut kept = state.releases.clone();
        kept.retain(|release| !old.contains(release));
        let script = compose::prune_images(&quote(project), &kept);
        if let Err(failure) = remote.release("remove old images", &script, bounds).await {
            tracing::warn!("{failure}");
        }
    }
    remote.evidence.forget();
}

/// What need not succeed for the deployment to be a success.
pub(super) async fn clean_up(remote: &Remote<'_>, bounds: &Bounds) {
    // Pruning made room for this one, except where only one may stay: the one before had to serve.
    let settings = remote.settings;
    if settings.keep_releases == 1
        && let Ok(state) = remote.look("-", bounds).await
    {
        prune(remote, &state, false, bounds).await;
    }
    // An image that is made next must find everything on the disk.
    if let Err(failure) = remote
        .release("write everything to disk", "sync", bounds)
        .await
    {
        tracing::warn!("{failure}");
    }
}
