//! Bringing a release to the host and into service.

use std::sync::Arc;
use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use filesync::{Altered, Committed, Operation, Upload};
use tokio::time::Instant;

use super::activate::Switch;
use super::application::Application;
use super::audit::{self, Entry};
use super::compare::{self, Compared};
use super::decision;
use super::disk_space;
use super::dry_run;
use super::journal::{Journal, RollbackTarget};
use super::outcome::{Deployed, SYNC_LIMIT, clean_up, finish};
use super::preflight;
use super::restart;
use crate::host::Remote;
use crate::host::lock;
use crate::host::state::State;
use crate::runtime::commands::Commands;
use crate::runtime::compose;
use crate::runtime::images;
use crate::runtime::ollama::{self, Ensured};
use crate::runtime::run_spec::RunSpec;
use crate::runtime::start::{self, Images};
use filesync::release::next_name;

/// Compares, then acts or tells. Gives the release that runs and whether anything was changed. `seen` is
/// what a look told, maybe before the application was known.
pub(super) async fn ship(
    remote: &Remote<'_>,
    application: &Application,
    seen: State,
    context: &Context,
    limits: &Limits,
) -> Result<Option<(String, bool)>, Failure> {
    let began = Instant::now();
    remote.timings.begin("compare");
    let digest = application.digest;
    let state = remote.look_unless(seen, digest, limits).await?;
    let settled = preflight::settled(remote.settings, &state);
    let remote = &remote.by(&settled);
    let compared = compare::compare(remote, application, state, !context.dry_run, limits).await;
    if let (true, false, Some(current)) = (
        compared.is_done(),
        context.dry_run,
        compared.state.current_name(),
    ) {
        let decision = compared.state.decision.as_ref();
        decision::tell(decision);
        let (release, changed) = untouched(remote, current, limits).await?;
        decision::forget(remote, decision).await;
        let changed = changed || decision::has_kept(decision, &release);
        return Ok(Some((release, changed)));
    }
    let ahead = if compared.is_done() {
        None
    } else {
        compare::check_target(remote, &compared.state)?;
        compare::check_runtime(remote, limits).await?;
        Some(preflight::look(remote, application, &compared, limits).await?)
    };
    let settings = ahead
        .as_ref()
        .map_or(remote.settings, |ahead| &ahead.settings);
    let remote = &remote.by(settings);
    if context.dry_run {
        decision::tell(compared.state.decision.as_ref());
        let state = &compared.state;
        let frees = !state
            .to_prune(remote.settings.keep_releases, true)
            .is_empty();
        if !compared.is_same() && !frees {
            disk_space::check(remote, application, &compared, limits).await?;
        }
        let plan = dry_run::of_deployment(remote, application, compared, ahead.as_ref(), limits);
        let plan = plan.await?;
        context.show_plan(&plan.text(), &plan.json())?;
        return Ok(None);
    }
    for taken in ahead.iter().flat_map(|ahead| &ahead.taken) {
        tracing::warn!("{taken}: the start fails unless it is given up before");
    }
    remote.timings.begin("prune");
    let joins = !compared.is_same();
    if compared
        .state
        .to_prune(remote.settings.keep_releases, joins)
        .is_empty()
    {
        // Nothing of ours can make room: no need to wait for the lock with this.
        disk_space::check(remote, application, &compared, limits).await?;
    }
    let gone = disk_space::prune_unlocked(remote, &compared.state, joins, limits).await;
    let mut journal = Journal::default();
    let mut renewed = None;
    let deployed = act(
        remote,
        application,
        context,
        limits,
        &mut journal,
        &mut renewed,
    )
    .await;
    let remote = renewed.as_ref().unwrap_or(remote);
    let deployed = deployed.map_err(|failure| match gone.as_slice() {
        [] => failure,
        gone => failure.changed(format!("removed old releases: {}", gone.join(", "))),
    });
    finish(
        remote,
        context,
        journal,
        deployed,
        ("deploy", began),
        Some(application),
    )
    .await
}

/// The wanted release is there and well: only the model and the load balancer are looked at.
async fn untouched(
    remote: &Remote<'_>,
    current: &str,
    limits: &Limits,
) -> Result<(String, bool), Failure> {
    let settings = remote.settings;
    let commands = compare::commands(remote);
    let model = start::model(remote, &commands, current, limits).await?;
    let changed = model.is_some_and(|model| model.pulled);
    if changed {
        write_to_disk(remote).await;
    }
    if let Some(target) = start::target(remote) {
        remote.timings.begin("target group");
        target.prove(limits, settings.health_timeout).await?;
    }
    tracing::info!("release {current} is there and healthy: nothing to deploy");
    Ok((current.to_owned(), changed))
}

/// Everything that changes the host, under the lock. Each deed is written down before it is done.
///
/// `renewed` is the host over another connection, where one was opened.
async fn act<'a>(
    remote: &Remote<'a>,
    application: &Application,
    context: &Context,
    limits: &Limits,
    journal: &mut Journal,
    renewed: &mut Option<Remote<'a>>,
) -> Result<Deployed, Failure> {
    remote.timings.begin("lock");
    let digest = application.digest;
    let (lock, seen) = lock::take(remote, context, digest, limits).await?;
    journal.lock = Some(lock);
    // Somebody else may have deployed while we looked or waited.
    remote.timings.begin("compare");
    let state = remote.look_unless(seen, digest, limits).await?;
    let mut compared = compare::compare(remote, application, state, true, limits).await;
    let decision = compared.state.decision.clone();
    decision::tell(decision.as_ref());
    journal.decision.clone_from(&decision);
    let current = compared.state.current_name().map(str::to_owned);
    match (&current, compared.is_same(), &compared.state.placing) {
        (Some(current), true, None) if compared.doubt().is_none() => {
            tracing::info!("release {current} is there by now, and healthy");
            return Ok(Deployed {
                release: current.clone(),
                changed: false,
                adopted: decision::has_kept(decision.as_ref(), current),
                model: None,
            });
        }
        (Some(current), true, None) if compared.state.is_proven() => {
            return restart::restart(remote, &compared.state, current, limits, journal).await;
        }
        (Some(current), true, None) => {
            return restart::resume(remote, &compared, current, context, limits, journal).await;
        }
        _ => {}
    }
    let pruned = disk_space::prune(remote, &compared.state, true, limits).await;
    if let Err(failure) = disk_space::check(remote, application, &compared, limits).await {
        if !pruned {
            return Err(failure);
        }
        let now = remote.look(None, limits).await?;
        let free = (now.free_kib, now.free_inodes);
        (compared.state.free_kib, compared.state.free_inodes) = free;
        disk_space::check(remote, application, &compared, limits).await?;
    }
    let release = next_name(&application.release, &compared.state.releases);
    journal.release.clone_from(&release);
    journal.made = true;
    send(remote, application, &compared, &release, limits).await?;
    let commands = compare::commands(remote);
    let pulled = prepare(remote, &commands, &release, application, limits).await?;
    let before = RollbackTarget::of(&compared.state, &release);
    let entry = Entry {
        deed: "deploy",
        release: &release,
        before: before.release(),
        digest: Some(application.digest.to_string()),
        ..Entry::default()
    };
    let audit = &audit::known(context, &entry);
    let remote = match renew(remote, journal, limits).await? {
        Some(again) => &*renewed.insert(again),
        None => remote,
    };
    let switch = Switch {
        remote,
        release: &release,
        run_spec: &RunSpec::of(remote.settings),
        state: &compared.state,
        before: before.clone(),
        audit,
        resumes: false,
        images: Images::Fresh,
        altered: altered(&compared.diff.changed),
    };
    let model = switch.go(journal, limits).await?.map(|ensured| Ensured {
        pulled: ensured.pulled || pulled,
        ..ensured
    });
    clean_up(remote, limits).await;
    Ok(Deployed {
        release,
        changed: true,
        adopted: false,
        model,
    })
}

/// What comes from the switch to the proof, beside the wait for health: stopping and starting.
const SWITCHING: Duration = Duration::from_secs(10 * 60);

/// Connects anew before the switch, where the tunnel would end before the release is proven: an Instance Connect Endpoint
/// ends each after an hour. The lock is taken over from the agent of the connection before.
async fn renew<'a>(
    remote: &Remote<'a>,
    journal: &Journal,
    limits: &Limits,
) -> Result<Option<Remote<'a>>, Failure> {
    let needed = remote.settings.health_timeout + SWITCHING;
    let Some(lock) = journal
        .lock
        .as_ref()
        .filter(|_| remote.ssh_target.routes.ends_within(needed))
    else {
        return Ok(None);
    };
    tracing::info!(
        "connecting to {} again: the tunnel ends after an hour, and the switch may take what is left of it",
        remote.shown
    );
    remote.session.clone().close().await;
    let again = remote.reconnect(limits).await?;
    lock::retake(&again, lock, limits).await?;
    Ok(Some(again))
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
    limits: &Limits,
) -> Result<(), Failure> {
    remote.timings.begin("send");
    let settings = remote.settings;
    let diff = &compared.diff;
    let current = compared.state.current_name().map(str::to_owned);
    let has_large = application
        .wanted
        .values()
        .any(|kind| filesync::size(kind) >= filesync::pieces::LARGE);
    let pieces = match &current {
        Some(current) if has_large => remote.pieces(current, limits).await?,
        _ => filesync::pieces::Pieces::new(),
    };
    let is_near = remote
        .session
        .latency()
        .await
        .is_some_and(|took| took < NEAR);
    let upload = Upload {
        sources: Arc::clone(&application.sources),
        wanted: Arc::clone(&application.wanted),
        kept: diff.kept.clone(),
        pieces,
        current,
        release: release.to_owned(),
        compressed: !is_near,
        only: None,
    };
    if let Some(reason) = compared.reason() {
        tracing::info!("{reason}");
    }
    tracing::info!(
        "sending release {release}: {} added, {} changed, {} removed, {} B",
        diff.added.len(),
        diff.changed.len(),
        diff.removed.len(),
        upload.content_bytes()
    );
    let stamp = remote.receive(upload, limits).await?;
    let current = compared.state.current_name();
    let commit = Operation::Commit {
        release: release.to_owned(),
        shared: settings.shared.clone(),
        current: current.map(str::to_owned),
    };
    let deed = "complete the release";
    let committed: Committed = remote.files(deed, commit, limits).await?;
    if let (Some(stamp), false) = (stamp, settings.paths.moves_files()) {
        let release = release.to_owned();
        let remember = Operation::RememberStamp { release, stamp };
        let deed = "remember what was verified";
        remote.files::<()>(deed, remember, limits).await?;
    }
    let target = &settings.paths.target;
    for path in committed.carried {
        tracing::info!(
            "`{path}` of the current release was carried over: it is {target}/shared/{path} now"
        );
    }
    disk_space::tell_kept(target, &committed.kept);
    tracing::info!("release {release} is on the host and verified");
    Ok(())
}

/// What can be done while the old release still serves: images, the model, the release's own hook. Gives
/// whether the model was pulled.
async fn prepare(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    application: &Application,
    limits: &Limits,
) -> Result<bool, Failure> {
    if let Some(build) = commands.build(release) {
        let services = images::services(remote, commands, release, limits).await?;
        start::keeps_models(remote, &services)?;
        preflight::check_mounts(remote.settings, &application.wanted, &services)?;
        images::pull(remote, commands, release, &services, limits).await?;
        remote.timings.begin("build");
        remote
            .command(&build, &format!("build release {release}"), limits)
            .await?;
        let names: Vec<&str> = services.iter().map(|it| it.image.as_str()).collect();
        let of = compose::Of::Names(&names);
        images::keep(remote, commands, release, of, limits).await?;
    }
    let mut pulled = false;
    if let Some(model) = &remote.settings.model
        && let Ok(None) = ollama::is_there(&remote.session, model, limits).await
    {
        // Ollama runs already: the gigabytes come while the old release serves.
        remote.timings.begin("model");
        pulled = ollama::ensure(&remote.session, model, limits).await?.pulled;
    }
    if let Some(before) = commands.before(release) {
        remote.timings.begin("before");
        remote
            .command(&before, "run the hook before the switch", limits)
            .await?;
    }
    Ok(pulled)
}

/// Has everything written to disk, where no lock was taken that would be given back with it.
async fn write_to_disk(remote: &Remote<'_>) {
    let limits = Limits::cleanup(SYNC_LIMIT);
    let deed = "write everything to disk";
    match remote
        .files::<()>(deed, Operation::WriteToDisk, &limits)
        .await
    {
        Ok(()) => tracing::info!("everything is on the host's disk"),
        Err(failure) => tracing::warn!("{failure}"),
    }
}

/// More than these are not named: all files are placed anew then.
const NAMED: usize = 5000;

/// In-place: the files that are placed although they are in both releases.
fn altered(changed: &[String]) -> Altered {
    match changed.len() {
        0..=NAMED => Altered::Only(changed.iter().cloned().collect()),
        _ => Altered::All,
    }
}
