//! The deployment, step by step.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use action::exit::Exit;
use action::export::Exports;
use action::failure::Failure;
use action::program::{Context, Output};
use action::settings::secret::Secret;
use bundle::manifest::Manifest;
use bundle::names::Names;
use bundle::tree::{Rules, Source, TreeError};
use jiff::Timestamp;

use crate::health;
use crate::host::ssh::Bounds;
use crate::host::transport::Address;
use crate::instance::{Ec2, Next, Seen};
use crate::model;
use crate::plan::Plan;
use crate::reach::{self, Way};
use crate::redact::{Redactor, SHORTEST};
use crate::release::{self, State};
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::settings::Checked;
use crate::sync::{self, Diff, Tree, Upload};
use crate::undo::{self, Before, Done};

/// A lock outlives the deadline by this much: taking back needs time, too.
const LOCK_MARGIN: Duration = Duration::from_secs(900);

/// The application as it is here.
struct Application {
    manifest: Manifest,
    wanted: Tree,
    /// The name that a release of it would get now.
    release: String,
}

/// What is deployed to, once it runs.
struct Host {
    ec2: Option<(Ec2, Seen)>,
    address: Address,
    started: bool,
}

/// Deploys, or with `--dry-run` tells what that would do.
///
/// # Errors
/// Whatever went wrong; what had been done is taken back by then, or named.
pub async fn deploy(settings: Checked, context: Context) -> Result<Output, Failure> {
    let application = read(&settings, &context)?;
    let redactor = redactor(&settings, &context)?;
    let bounds = Bounds {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    let host = match find(&settings, &context, &bounds).await? {
        Found::Host(host) => *host,
        Found::NotRunning(plan) => {
            context.show_plan(&plan.text(), &plan.json())?;
            return Ok(Output::Nothing);
        }
    };
    let started = |failure: Failure| match (&host.ec2, host.started) {
        (Some((_, seen)), true) => {
            failure.changed(format!("instance {} was started and stays so", seen.id))
        }
        _ => failure,
    };
    let way = Way {
        address: host.address.clone(),
        instance: host.ec2.as_ref().map(|(ec2, seen)| (ec2, seen)),
    };
    let trust = reach::trust(&settings, &way).await.map_err(started)?;
    let remote = Remote::connect(&settings, &way, &trust, &redactor, &bounds)
        .await
        .map_err(started)?;
    let release = ship(&remote, &application, &context, &bounds)
        .await
        .map_err(started)?;
    remote.session.close().await;
    match release {
        Some((release, changed)) => exports(&host, &release, changed).map(Output::Exports),
        None => Ok(Output::Nothing),
    }
}

/// Reads and hashes the application; refuses what must not be shipped.
fn read(settings: &Checked, context: &Context) -> Result<Application, Failure> {
    let rules = Rules {
        ignore_file: Some(".deployignore".to_owned()),
        names: Names::Unix,
        ..Rules::default()
    };
    let manifest = bundle::tree::read(&[Source::root(&settings.source)], &rules).map_err(|error| {
        let deed = format!("cannot ship the application in `{}`", settings.source.display());
        match error {
            TreeError::Refused(refusals) => refusals.to_string().lines().fold(Failure::refused(deed), Failure::detail)
                .hint("list in .deployignore (gitignore syntax) what shall not be shipped; nothing was touched"),
            error => Failure::refused(deed).cause(error),
        }
    })?;
    let wanted = sync::wanted(&manifest, &settings.shared).map_err(|fault| {
        Failure::refused("cannot link the shared paths")
            .cause(fault)
            .hint("remove it from DEPLOY_APP_SHARED or from the application")
    })?;
    let utc = Timestamp::now().strftime("%Y%m%d%H%M%S").to_string();
    let digest = bundle::digest::digest(&manifest).to_string();
    let release = release::name(
        &utc,
        context.codebuild.resolved_source_version.as_deref(),
        &digest,
    );
    tracing::info!(
        "read {}: {} entries, {} B, digest {digest}",
        settings.source.display(),
        wanted.len(),
        manifest.total_size()
    );
    Ok(Application {
        manifest,
        wanted,
        release,
    })
}

fn redactor(settings: &Checked, context: &Context) -> Result<Redactor, Failure> {
    let mut secrets = Vec::new();
    for name in &settings.secrets {
        let Some(value) = context.variable(name) else {
            continue;
        };
        if value.len() < SHORTEST {
            return Err(Failure::refused(format!(
                "the secret {name} is too short to be hidden in logs; nothing was touched"
            ))
            .hint(format!(
                "secrets in DEPLOY_APP_SECRETS need {SHORTEST} bytes or more"
            )));
        }
        secrets.push(Secret::from(value));
    }
    Ok(Redactor::new(secrets))
}

enum Found {
    Host(Box<Host>),
    /// Only in a dry run: nothing more can be looked at.
    NotRunning(Box<Plan>),
}

/// Finds the host, and brings its instance up. Without an instance no AWS call is made.
async fn find(settings: &Checked, context: &Context, bounds: &Bounds) -> Result<Found, Failure> {
    let Some(id) = &settings.place.instance_id else {
        let Some(address) = settings.place.address.clone() else {
            return Err(Failure::refused(
                "neither INSTANCE_ID nor DEPLOY_APP_ADDRESS is set",
            ));
        };
        return Ok(Found::Host(Box::new(Host {
            ec2: None,
            address,
            started: false,
        })));
    };
    let session = aws::session::Session::open(context).await?;
    let ec2 = Ec2::new(&session);
    if context.dry_run {
        let seen = ec2.look(id).await?;
        let deed = match seen.state.next() {
            Next::Go => None,
            Next::GiveUp => return Err(ec2.gone(&seen)),
            Next::Start => {
                ec2.check_start(id).await?;
                Some(format!("start instance {id}"))
            }
            Next::Wait => Some(format!(
                "wait until instance {id} runs, starting it if needed"
            )),
        };
        if let Some(deed) = deed {
            let unknown = format!(
                "the instance is {}: what is on it cannot be compared",
                seen.state
            );
            return Ok(Found::NotRunning(Box::new(Plan {
                host: id.clone(),
                target: settings.target.clone(),
                deeds: vec![deed, "ship the application and start it".to_owned()],
                unknown: Some(unknown),
                ..Plan::default()
            })));
        }
    }
    let (seen, started) = ec2.run(id, bounds.deadline, &bounds.interrupt).await?;
    let looked_up = seen
        .public_ip
        .clone()
        .or_else(|| seen.private_ip.clone())
        .map(|host| Address { host, port: 22 });
    let Some(address) = settings.place.address.clone().or(looked_up) else {
        return Err(Failure::refused(format!(
            "instance {id} in {} has no address",
            session.region
        ))
        .hint("set DEPLOY_APP_ADDRESS"));
    };
    tracing::info!("instance {id} runs, its address is {address}");
    Ok(Found::Host(Box::new(Host {
        ec2: Some((ec2, seen)),
        address,
        started,
    })))
}

/// Compares, then acts or tells. Gives the release that runs and whether anything was changed.
async fn ship(
    remote: &Remote<'_>,
    application: &Application,
    context: &Context,
    bounds: &Bounds,
) -> Result<Option<(String, bool)>, Failure> {
    let settings = remote.settings;
    let wait = settings
        .health
        .as_ref()
        .map_or(Duration::from_secs(120), |health| health.timeout);
    let commands = Commands {
        run: &settings.run,
        target: &settings.target,
        wait,
    };
    let state = remote.look(bounds).await?;
    if let Some(check) = commands.check() {
        remote.command(&check, "use Docker Compose v2", bounds).await.map_err(|failure| {
            let failure = match failure.exit() {
                Exit::Failed => failure.with_exit(Exit::Refused),
                _ => failure,
            };
            failure.hint("install docker and its Compose plugin on the host and let the user use them, or set DEPLOY_APP_RUNTIME=command with DEPLOY_APP_START")
        })?;
    }
    let diff = remote
        .compare(&application.wanted, state.current.as_deref(), bounds)
        .await?;
    let is_same = state.current.is_some() && diff.is_empty();
    let unwell = match (&state.current, &settings.health) {
        (Some(current), Some(health)) if is_same => {
            health::is_well(&remote.session, health, current, bounds)
                .await
                .err()
        }
        _ => None,
    };
    if context.dry_run {
        let plan = plan(
            remote,
            application,
            &state,
            (diff, unwell),
            &commands,
            bounds,
        )
        .await;
        context.show_plan(&plan.text(), &plan.json())?;
        return Ok(None);
    }
    if is_same && unwell.is_none() {
        let current = state.current.clone().unwrap_or_default();
        let pulled = match &settings.model {
            Some((name, url)) => model::ensure(&remote.session, name, url, bounds).await?.1,
            None => false,
        };
        tracing::info!("release {current} is there and healthy: nothing to deploy");
        return Ok(Some((current, pulled)));
    }
    if let Some(lock) = &state.lock {
        tracing::info!("the host is locked by {lock}");
    }
    check_space(remote, application, &state, &diff)?;
    let mut done = Done::default();
    let deployed = act(
        remote,
        application,
        &state,
        diff,
        context,
        (&commands, bounds),
        &mut done,
    )
    .await;
    match deployed {
        Ok(release) => {
            let cleanup = Bounds::cleanup(Duration::from_secs(60));
            let lost = Failure::failed(format!(
                "release {release} runs and is healthy, but the lock could not be given back"
            ));
            // The deployment is done; a lock that stays expires by itself.
            let lock = undo::unlock(remote, &done, lost, &cleanup).await;
            if !lock.remainders().is_empty() {
                tracing::warn!("{lock}");
            }
            Ok(Some((release, true)))
        }
        Err(failure) => Err(undo::undo(remote, &commands, &done, failure).await),
    }
}

fn check_space(
    remote: &Remote<'_>,
    application: &Application,
    state: &State,
    diff: &Diff,
) -> Result<(), Failure> {
    let needed: u64 = application
        .manifest
        .entries()
        .iter()
        .filter(|entry| !diff.kept.contains_key(&entry.path))
        .map(|entry| match entry.kind {
            bundle::manifest::Kind::File { size, .. } => size.div_ceil(4096) * 4,
            _ => 4,
        })
        .sum();
    match state.free_kib {
        Some(free) if free < needed + needed / 10 => Err(Failure::refused(format!(
            "{} has {free} KiB free for {}, the release needs {needed} KiB; nothing was touched",
            remote.shown, remote.settings.target
        ))
        .hint("make room, or lower DEPLOY_APP_KEEP_RELEASES")),
        _ => Ok(()),
    }
}

/// Everything that changes the host, under the lock. Each deed is written down before it is done.
async fn act(
    remote: &Remote<'_>,
    application: &Application,
    state: &State,
    diff: Diff,
    context: &Context,
    (commands, bounds): (&Commands<'_>, &Bounds),
    done: &mut Done,
) -> Result<String, Failure> {
    let settings = remote.settings;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let token = format!("{:x}{:x}", now.as_nanos(), std::process::id());
    let ttl = bounds
        .deadline
        .saturating_duration_since(tokio::time::Instant::now())
        + LOCK_MARGIN;
    done.token = Some(token.clone());
    let current = remote
        .lock(&owner(context), &token, ttl.as_secs(), bounds)
        .await?;
    let diff = if current == state.current {
        diff
    } else {
        remote
            .compare(&application.wanted, current.as_deref(), bounds)
            .await?
    };
    if let (Some(current), true) = (&current, diff.is_empty()) {
        return restart(remote, current, commands, bounds).await;
    }
    let release = free_name(&application.release, &state.releases);
    done.unpacked = Some(release.clone());
    let upload = Upload {
        manifest: application.manifest.clone(),
        wanted: application.wanted.clone(),
        kept: diff.kept,
        current: current.clone(),
        release: release.clone(),
        gzip: state.has("gzip"),
        mtime: now.as_secs(),
    };
    tracing::info!(
        "sending release {release}: {} added, {} changed, {} removed, {} B",
        diff.added.len(),
        diff.changed.len(),
        diff.removed.len(),
        upload.content_bytes()
    );
    remote.receive(upload, bounds).await?;
    remote
        .release(
            "complete the release",
            &release::commit(&settings.target, &release, &settings.shared),
            bounds,
        )
        .await?;
    tracing::info!("release {release} is on the host and verified");
    if let Some(build) = commands.build(&release) {
        remote
            .command(&build, &format!("build release {release}"), bounds)
            .await?;
    }
    done.switched = Some(current.clone().map_or(Before::Nothing, Before::Release));
    remote
        .release(
            "switch to the release",
            &release::switch(&settings.target, &release),
            bounds,
        )
        .await?;
    done.started = true;
    if let Some(stop) = commands.stop(&release).filter(|_| current.is_some()) {
        remote
            .command(&stop, "stop the release before", bounds)
            .await?;
    }
    prove(remote, &release, commands, false, bounds).await?;
    clean_up(remote, state, &release, bounds).await;
    Ok(release)
}

/// Starts a release and proves that it works.
async fn prove(
    remote: &Remote<'_>,
    release: &str,
    commands: &Commands<'_>,
    again: bool,
    bounds: &Bounds,
) -> Result<(), Failure> {
    if let Some(start) = commands.start(release, again) {
        remote
            .command(&start, &format!("start release {release}"), bounds)
            .await?;
    }
    if let Some((name, url)) = &remote.settings.model {
        model::ensure(&remote.session, name, url, bounds).await?;
    }
    if let Some(health) = &remote.settings.health {
        health::prove(&remote.session, health, release, bounds).await?;
    }
    Ok(())
}

/// The files are right and the application is not: it is started again.
async fn restart(
    remote: &Remote<'_>,
    current: &str,
    commands: &Commands<'_>,
    bounds: &Bounds,
) -> Result<String, Failure> {
    tracing::warn!("release {current} is there, but not healthy: starting it again");
    let started = async {
        if let Some(stop) = commands.stop(current) {
            remote
                .command(&stop, "stop the application", bounds)
                .await?;
        }
        prove(remote, current, commands, true, bounds).await
    };
    match started.await {
        Ok(()) => Ok(current.to_owned()),
        Err(mut failure) => {
            if let Some(logs) = commands.logs(current) {
                let tail = remote
                    .tail(&logs, &Bounds::cleanup(Duration::from_secs(30)))
                    .await;
                failure = tail
                    .iter()
                    .rev()
                    .take(50)
                    .rev()
                    .fold(failure, |failure, line| {
                        failure.detail(format!("log: {line}"))
                    });
            }
            Err(failure.remains(
                format!(
                    "release {current} is current on {} and not healthy",
                    remote.shown
                ),
                "deploy-app with a good application",
            ))
        }
    }
}

/// What need not succeed for the deployment to be a success.
async fn clean_up(remote: &Remote<'_>, state: &State, release: &str, bounds: &Bounds) {
    let before = State {
        current: Some(release.to_owned()),
        ..state.clone()
    };
    let old = before.to_prune(remote.settings.keep_releases, release);
    if !old.is_empty() {
        match remote
            .release(
                "remove old releases",
                &release::remove(&remote.settings.target, &old),
                bounds,
            )
            .await
        {
            Ok(()) => tracing::info!("removed old releases: {}", old.join(", ")),
            Err(failure) => tracing::warn!("{failure}"),
        }
    }
    // An image that is made next must find everything on the disk.
    if let Err(failure) = remote
        .release("write everything to disk", "sync", bounds)
        .await
    {
        tracing::warn!("{failure}");
    }
}

fn owner(context: &Context) -> String {
    match &context.codebuild.build_id {
        Some(build) => format!("build {build}"),
        None => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            format!("process {} on {}", std::process::id(), host.trim())
        }
    }
}

/// Two releases within one second, of the same commit, must not share a name.
fn free_name(wanted: &str, taken: &[String]) -> String {
    let mut name = wanted.to_owned();
    while taken.contains(&name) {
        let (time, id) = name.split_at(14);
        let next = time.parse::<u64>().unwrap_or_default() + 1;
        name = format!("{next:014}{id}");
    }
    name
}

async fn plan(
    remote: &Remote<'_>,
    application: &Application,
    state: &State,
    (diff, unwell): (Diff, Option<String>),
    commands: &Commands<'_>,
    bounds: &Bounds,
) -> Plan {
    let is_new = state.current.is_none() || !diff.is_empty();
    let release = free_name(&application.release, &state.releases);
    let mut deeds = Vec::new();
    if let Some(lock) = &state.lock {
        deeds.push(format!("refuse, as long as the lock is held by {lock}"));
    }
    let shown = |deed: &str, command: Option<crate::runtime::Command>| {
        command.map(|command| format!("{deed}: {}", command.script))
    };
    if is_new {
        deeds.extend(shown("build", commands.build(&release)));
        deeds.extend(shown("stop", commands.stop(&release)).filter(|_| state.current.is_some()));
        deeds.extend(shown("start", commands.start(&release, false)));
    } else if let (Some(current), Some(unwell)) = (&state.current, &unwell) {
        deeds.push(format!("start the current release again, because {unwell}"));
        deeds.extend(shown("start", commands.start(current, true)));
    }
    if let Some((name, url)) = &remote.settings.model
        && !matches!(
            model::is_there(&remote.session, name, url, bounds).await,
            Ok(true)
        )
    {
        deeds.push(format!("pull the model {name} through {url}"));
    }
    if is_new {
        let before = State {
            current: Some(release.clone()),
            ..state.clone()
        };
        let old = before.to_prune(remote.settings.keep_releases, &release);
        deeds.extend(
            old.iter()
                .map(|old| format!("remove the old release {old}")),
        );
    }
    let bytes = application
        .manifest
        .entries()
        .iter()
        .filter(|entry| !diff.kept.contains_key(&entry.path))
        .map(|entry| match entry.kind {
            bundle::manifest::Kind::File { size, .. } => size,
            _ => 0,
        })
        .sum();
    Plan {
        host: remote.shown.clone(),
        target: remote.settings.target.clone(),
        current: state.current.clone(),
        release: is_new.then_some(release),
        diff,
        bytes,
        deeds,
        unknown: None,
    }
}

fn exports(host: &Host, release: &str, changed: bool) -> Result<Exports, Failure> {
    let instance = host.ec2.as_ref().map(|(_, seen)| seen);
    let address = instance
        .and_then(|seen| seen.public_ip.clone())
        .unwrap_or_else(|| host.address.host.clone());
    let mut exports = Exports::new();
    let pairs = [
        ("EC2_PUBLIC_IP", Some(address)),
        ("INSTANCE_ID", instance.map(|seen| seen.id.clone())),
        ("RELEASE_ID", Some(release.to_owned())),
        ("DEPLOY_CHANGED", Some(u8::from(changed).to_string())),
    ];
    for (name, value) in pairs {
        if let Some(value) = value {
            exports
                .add(name, value)
                .map_err(|fault| Failure::failed("cannot export the result").cause(fault))?;
        }
    }
    Ok(exports)
}

#[cfg(test)]
mod tests {
    use super::free_name;

    #[test]
    fn a_second_release_in_a_second_gets_a_name_of_its_own() {
        let taken = [
            "20261123094308-0123456".to_owned(),
            "20261123094309-0123456".to_owned(),
        ];
        assert_eq!(
            free_name("20261123094308-0123456", &taken),
            "20261123094310-0123456"
        );
        assert_eq!(
            free_name("20261123094307-0123456", &taken),
            "20261123094307-0123456"
        );
    }
}
