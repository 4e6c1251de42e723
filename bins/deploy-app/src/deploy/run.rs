//! What the program does, step by step: the deployment, going back, listing.

use ::bundle::digest::Digest;
use action::export::Exports;
use action::failure::Failure;
use action::program::{Context, Output};
use action::redact::SHORTEST;
use action::wait::Limits;

use super::application::{self, Application};
use super::find::{self, Found, Host};
use super::{release, rollback};
use crate::connect::host_keys::{self, HostKeyTrust};
use crate::connect::ssh_target::SshTarget;
use crate::connect::{diagnose, private_key};
use crate::diagnostics::bundle;
use crate::diagnostics::collector::Diagnostics;
use crate::diagnostics::timings::Timings;
use crate::host::{Looking, Remote};
use crate::settings::Checked;

/// Deploys, goes back, or lists; with `--dry-run` tells what that would do.
pub(crate) async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    let (timings, diagnostics) = (Timings::default(), Diagnostics::default());
    let ended = act(&settings, &context, &timings, &diagnostics).await;
    let took = timings.finish();
    match ended {
        Ok(output) => {
            tracing::info!("done in {took}");
            Ok(output)
        }
        Err(failure) => {
            tracing::info!("ended after {took}");
            Err(bundle::write(
                &settings,
                &context,
                &timings,
                &diagnostics,
                failure,
            ))
        }
    }
}

/// What one run is about.
enum Job {
    Deploy,
    Rollback,
    Releases,
}

/// The same once it can be done.
enum Work {
    Deploy(Box<Application>),
    Rollback,
    Releases,
}

impl Work {
    /// Reads the application where one is deployed and it was not read before.
    async fn of(
        job: &Job,
        application: Option<Application>,
        settings: &Checked,
        context: &Context,
    ) -> Result<Self, Failure> {
        Ok(match (job, application) {
            (Job::Rollback, _) => Self::Rollback,
            (Job::Releases, _) => Self::Releases,
            (Job::Deploy, Some(application)) => Self::Deploy(Box::new(application)),
            (Job::Deploy, None) => {
                Self::Deploy(Box::new(application::read(settings, context).await?))
            }
        })
    }
}

async fn act(
    settings: &Checked,
    context: &Context,
    timings: &Timings,
    diagnostics: &Diagnostics,
) -> Result<Output, Failure> {
    check_secrets(settings, context)?;
    let settings = &settings.with_environment(context)?;
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
        None => Job::Deploy,
    };
    let mut application = None;
    if matches!(job, Job::Deploy) && settings.destination.instance.is_some() {
        // No instance is started for what is refused.
        timings.begin("read");
        application = Some(application::read(settings, context).await?);
    }
    let limits = Limits {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    timings.begin("find");
    // Listing looks only; it must not start what somebody stopped.
    let looks_only = context.dry_run || matches!(job, Job::Releases);
    let host = match find::find(settings, context, looks_only, &limits).await? {
        Found::Host(host) => *host,
        Found::NotRunning(plan) if context.dry_run => {
            context.show_plan(&plan.text(), &plan.json())?;
            return Ok(Output::Nothing);
        }
        Found::NotRunning(plan) => {
            return Err(Failure::refused(format!(
                "cannot list the releases on {}: {}",
                settings.destination,
                plan.unknown.unwrap_or_default()
            )));
        }
    };
    let job = (job, application);
    let ended = connected(
        settings,
        context,
        &host,
        job,
        (timings, diagnostics),
        &limits,
    )
    .await;
    let broken = host.routes.broken();
    let left = host.routes.close().await;
    for line in &left {
        tracing::warn!("left behind: {line}");
    }
    ended.map_err(|failure| {
        let failure = match &broken {
            Some(reason) => failure.detail(format!("the tunnel: {reason}")),
            None => failure,
        };
        match (&host.instance, host.started) {
            (Some((cloud, seen)), true) => cloud.ec2.started(failure, &seen.id),
            _ => failure,
        }
    })
}

async fn connected(
    settings: &Checked,
    context: &Context,
    host: &Host,
    (job, application): (Job, Option<Application>),
    (timings, diagnostics): (&Timings, &Diagnostics),
    limits: &Limits,
) -> Result<Output, Failure> {
    let key = match &settings.ssh_key {
        Some(source) => {
            let key = private_key::identity(source, &settings.key_options, host.session.as_ref());
            Some(limits.in_time("the SSH key was read", key).await?)
        }
        None => None,
    };
    timings.begin("connect");
    let ssh_target = SshTarget {
        address: host.address.clone(),
        routes: &host.routes,
        instance: host.instance.as_ref().map(|(cloud, seen)| (cloud, seen)),
        key,
    };
    let trust = host_keys::learn(settings, &ssh_target, context.dry_run, limits);
    let trust = limits.in_time("the host keys were learnt", trust).await?;
    let wanted = match (&job, &application) {
        (Job::Deploy, application) => application.as_ref().map(|it| it.digest),
        (Job::Rollback | Job::Releases, _) => Some(rollback::no_tree()),
    };
    // Where nothing is started, the application is read and the host looked at side by side.
    let reading = Work::of(&job, application, settings, context);
    let reaching = async {
        let kept = (timings, diagnostics);
        let reached = reach(settings, &ssh_target, &trust, kept, wanted, limits);
        let (remote, looking) = reached.await?;
        let seen = remote.looked(looking, limits).await?;
        Ok((remote, seen))
    };
    let (work, (remote, seen)) = tokio::try_join!(reading, reaching)?;
    if !context.dry_run {
        let storing = remote.store_trust();
        limits.in_time("the host keys were stored", storing).await?;
    }
    let ended = match &work {
        Work::Deploy(application) => {
            release::ship(&remote, application, seen, context, limits).await
        }
        Work::Rollback => rollback::go_back(&remote, seen, context, limits).await,
        Work::Releases => return Ok(Output::Data(rollback::list(&remote, &seen))),
    };
    let ended = ended?;
    remote.session.close().await;
    match ended {
        Some((release, changed)) => exports(host, &release, changed).map(Output::Exports),
        None => Ok(Output::Nothing),
    }
}

/// Connects, and has a look begun; gathers what AWS knows of an instance that does not answer.
async fn reach<'a>(
    settings: &'a Checked,
    ssh_target: &'a SshTarget<'a>,
    trust: &'a HostKeyTrust,
    kept: (&'a Timings, &'a Diagnostics),
    wanted: Option<Digest>,
    limits: &Limits,
) -> Result<(Remote<'a>, Looking), Failure> {
    let reached = Remote::connect(settings, ssh_target, trust, kept, wanted, limits).await;
    if let (Err(_), Some((cloud, seen)), Some(_)) =
        (&reached, ssh_target.instance, &settings.bundle)
    {
        diagnose::gather_unreached(kept.1, cloud, &seen.id).await;
    }
    reached
}

/// Refuses names under which nothing can be hidden: a slip there would print the secret.
fn check_secrets(settings: &Checked, context: &Context) -> Result<(), Failure> {
    for name in &settings.secrets {
        let fault = match context.variable(name) {
            None => format!("DEPLOY_APP_SECRET names {name}, and no such variable is set"),
            Some(value) if value.len() < SHORTEST => {
                format!("the secret {name} is too short to be hidden in logs")
            }
            Some(_) => continue,
        };
        return Err(
            Failure::refused(format!("{fault}; nothing was touched")).hint(format!(
                "name variables that are set, one a line, with values of {SHORTEST} bytes or more"
            )),
        );
    }
    Ok(())
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
