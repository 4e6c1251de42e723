//! What the program does, step by step: the deployment, going back, listing.

mod apply;
mod find;
mod look;
mod plan;
mod rollback;
mod switch;

use action::exit::Exit;
use action::export::Exports;
use action::failure::Failure;
use action::program::{Context, Output};
use action::redact::SHORTEST;

use self::find::{Found, Host};
use crate::application;
use crate::failure_bundle::{self, Evidence};
use crate::host::exec::Bounds;
use crate::host::transport::Route;
use crate::host_keys;
use crate::reach::Way;
use crate::remote::Remote;
use crate::settings::{Checked, Runtime};
use crate::stages::Stages;

/// Deploys, goes back, or lists; with `--dry-run` tells what that would do.
///
/// # Errors
/// Whatever went wrong; what had been done is taken back by then, or named.
pub async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    let (stages, evidence) = (Stages::default(), Evidence::default());
    let ended = act(&settings, &context, &stages, &evidence).await;
    let took = stages.finish();
    match ended {
        Ok(output) => {
            tracing::info!("done in {took}");
            Ok(output)
        }
        Err(failure) => {
            tracing::info!("ended after {took}");
            Err(failure_bundle::write(
                &settings, &context, &stages, &evidence, failure,
            ))
        }
    }
}

/// What one run is about.
enum Job {
    Deploy(Box<application::Application>),
    Rollback,
    Releases,
}

async fn act(
    settings: &Checked,
    context: &Context,
    stages: &Stages,
    evidence: &Evidence,
) -> Result<Output, Failure> {
    check_secrets(settings, context)?;
    stages.begin("read");
    let job = match context.command.as_deref() {
        Some("rollback") => Job::Rollback,
        command if settings.release.is_some() => {
            return Err(Failure::refused(format!(
                "a release is named (DEPLOY_APP_RELEASE), and `{}` takes none; nothing was touched",
                command.unwrap_or("deploy-app")
            ))
            .hint("`deploy-app rollback RELEASE` goes back to it"));
        }
        Some(_) => Job::Releases,
        None => Job::Deploy(Box::new(application::read(settings, context)?)),
    };
    let bounds = Bounds {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    stages.begin("find");
    // Listing looks only; it must not start what somebody stopped.
    let looks_only = context.dry_run || matches!(job, Job::Releases);
    let host = match find::find(settings, context, looks_only, &bounds).await? {
        Found::Host(host) => *host,
        Found::NotRunning(plan) if context.dry_run => {
            context.show_plan(&plan.text(), &plan.json())?;
            return Ok(Output::Nothing);
        }
        Found::NotRunning(plan) => {
            return Err(Failure::refused(format!(
                "cannot list the releases on {}: {}",
                settings.place,
                plan.unknown.unwrap_or_default()
            )));
        }
    };
    connected(settings, context, &host, job, (stages, evidence), &bounds)
        .await
        .map_err(|failure| match (&host.instance, host.started) {
            (Some((_, seen)), true) => {
                failure.changed(format!("instance {} was started and stays so", seen.id))
            }
            _ => failure,
        })
}

async fn connected(
    settings: &Checked,
    context: &Context,
    host: &Host,
    job: Job,
    (stages, evidence): (&Stages, &Evidence),
    bounds: &Bounds,
) -> Result<Output, Failure> {
    let key = match &settings.ssh_key {
        Some(source) => Some(source.key(host.session.as_ref()).await?),
        None => None,
    };
    stages.begin("connect");
    let way = Way {
        route: Route::Tcp(host.address.clone()),
        instance: host.instance.as_ref().map(|(cloud, seen)| (cloud, seen)),
        key,
    };
    let belief = host_keys::learn(settings, &way, bounds).await?;
    let reached = Remote::connect(settings, &way, &belief, (stages, evidence), bounds).await;
    let remote = match reached {
        Ok(remote) => remote,
        Err(failure) => {
            if let (Some((cloud, seen)), Some(_)) = (way.instance, &settings.bundle) {
                failure_bundle::gather_unreached(evidence, cloud, &seen.id).await;
            }
            return Err(failure);
        }
    };
    if !context.dry_run || settings.known_hosts.is_some() {
        remote.store_belief().await?;
    }
    let ended = match &job {
        Job::Deploy(application) => apply::ship(&remote, application, context, bounds).await,
        Job::Rollback => rollback::go_back(&remote, context, bounds).await,
        Job::Releases => return rollback::list(&remote, bounds).await,
    };
    let ended = ended?;
    remote.session.close().await;
    match ended {
        Some((release, changed)) => exports(host, &release, changed).map(Output::Exports),
        None => Ok(Output::Nothing),
    }
}

fn check_secrets(settings: &Checked, context: &Context) -> Result<(), Failure> {
    for name in &settings.secrets {
        if context
            .variable(name)
            .is_some_and(|value| value.len() < SHORTEST)
        {
            return Err(Failure::refused(format!(
                "the secret {name} is too short to be hidden in logs; nothing was touched"
            ))
            .hint(format!(
                "secrets in DEPLOY_APP_SECRETS need {SHORTEST} bytes or more"
            )));
        }
    }
    Ok(())
}

/// The refusal of a host without Docker Compose.
fn without_compose(failure: Failure) -> Failure {
    let failure = match failure.exit() {
        Exit::Failed => failure.with_exit(Exit::Refused),
        _ => failure,
    };
    failure.hint(format!(
        "install docker and its Compose plugin (v2) on the host and let the user use them, or set DEPLOY_APP_RUNTIME={} with DEPLOY_APP_START",
        Runtime::Command
    ))
}

fn exports(host: &Host, release: &str, changed: bool) -> Result<Exports, Failure> {
    let instance = host.instance.as_ref().map(|(_, seen)| seen);
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
