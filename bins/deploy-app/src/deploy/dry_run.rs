//! What a run would do.

use action::failure::Failure;
use action::wait::Limits;
use serde_json::Value;

use super::application::Application;
use super::compare::{self, Compared};
use super::plan::{Entry, Plan};
use super::preflight::Ahead;
use crate::connect::needs;
use crate::host::Remote;
use crate::host::command::Command;
use crate::host::lock;
use crate::host::state::State;
use crate::runtime::commands::Commands;
use crate::runtime::compose::{self, Outline, Unread};
use crate::runtime::images;
use crate::runtime::ollama;
use crate::runtime::run_spec::RunSpec;
use crate::runtime::stop::{self, Stopping};
use crate::settings::key_source::KeySource;
use crate::settings::{Checked, Transport};
use filesync::release::next_name;
use filesync::{Tree, size};

/// The plan of a deployment.
pub(super) async fn of_deployment(
    remote: &Remote<'_>,
    application: &Application,
    compared: Compared,
    ahead: Option<&Ahead>,
    limits: &Limits,
) -> Result<Plan, Failure> {
    let settings = remote.settings;
    let commands = compare::commands(remote);
    let Compared { state, diff, .. } = &compared;
    let current = state.current_name();
    let is_new = !compared.is_same();
    let release = next_name(&application.release, &state.releases);
    let mut deeds = Vec::new();
    deeds.extend(wait_for_lock(remote, limits).await?);
    let shown = |deed: &str, command: Option<Command>| {
        command.map(|command| format!("{deed}: {}", command.shown))
    };
    let run_spec = RunSpec::of(settings);
    let runs = current.map_or_else(
        || run_spec.clone(),
        |current| state.run_spec(current, settings),
    );
    let stopping = Stopping {
        runs: &runs,
        release: current,
        is_certain: state.is_proven(),
        next: Some((current.unwrap_or(&release), &run_spec)),
    };
    deeds.extend(compared.reason());
    if is_new {
        let old = state.to_prune(settings.keep_releases, true);
        deeds.extend(
            old.iter()
                .map(|old| format!("remove the old release {old}")),
        );
        let after = ahead.and_then(|ahead| ahead.outline.as_ref().ok());
        let after = after.map_or(&[][..], |outline| outline.services.as_slice());
        for service in images::to_pull(remote, after, limits).await? {
            let (image, name) = (&service.image, &service.name);
            deeds.push(format!("pull the image {image} of service {name}"));
        }
        deeds.extend(shown("build", commands.build(&release)));
    }
    if let Some(model) = &settings.model
        && !matches!(
            ollama::is_there(&remote.session, model, limits).await,
            Ok(Some(_))
        )
    {
        deeds.push(format!(
            "pull the model {} through {}",
            model.name, model.url
        ));
    }
    if is_new {
        deeds.extend(shown("before the switch", commands.before(&release)));
        deeds.extend(stop::foreseen(remote, &stopping, limits).await?);
        let outline = ahead.map(|ahead| &ahead.outline);
        deeds.extend(services(remote, &compared, outline, &commands, limits).await);
        let taken = ahead.into_iter().flat_map(|ahead| &ahead.taken);
        deeds.extend(
            taken.map(|taken| format!("{taken}: the start fails unless it is given up before")),
        );
        deeds.extend(shown("start", commands.start(&release, false, false)));
        deeds.extend(shown("after the start", commands.after(&release)));
    } else if let (Some(current), Some(doubt)) = (current, compared.doubt()) {
        deeds.push(format!("start the current release again, because {doubt}"));
        deeds.extend(stop::foreseen(remote, &stopping, limits).await?);
        let anew = compared.health_problem.is_some();
        deeds.extend(shown("start", commands.start(current, false, anew)));
        let after = commands.after(current).filter(|_| !state.is_proven());
        deeds.extend(shown("after the start", after));
    }
    let sized = |paths: &[String], tree: &Tree| {
        let size_of = |path: &String| tree.get(path).map_or(0, size);
        paths
            .iter()
            .map(|path| Entry {
                path: path.clone(),
                size: size_of(path),
            })
            .collect()
    };
    let stored = state.stored().cloned().unwrap_or_default();
    Ok(Plan {
        host: remote.shown.clone(),
        way: remote.ssh_target.routes.way(),
        target: settings.paths.target.clone(),
        current: current.map(str::to_owned),
        release: is_new.then_some(release),
        added: sized(&diff.added, &application.wanted),
        changed: sized(&diff.changed, &application.wanted),
        removed: sized(&diff.removed, &stored),
        bytes: application
            .wanted
            .iter()
            .filter(|(path, _)| !diff.kept.contains_key(*path))
            .map(|(_, kind)| size(kind))
            .sum(),
        deeds,
        permissions: permissions(settings, remote.ssh_target.instance.is_some()),
        unknown: None,
    })
}

/// The IAM actions that this configuration uses.
pub(super) fn permissions(settings: &Checked, has_instance: bool) -> Vec<String> {
    let of_key = match &settings.ssh_key {
        Some(KeySource::Secret { .. }) => Some("secretsmanager:GetSecretValue"),
        Some(KeySource::Parameter(_)) => Some("ssm:GetParameter"),
        Some(KeySource::Text(_) | KeySource::File { .. } | KeySource::Agent { .. }) => None,
        None => Some("ec2-instance-connect:SendSSHPublicKey").filter(|_| has_instance),
    };
    let mut actions: Vec<&str> = of_key.into_iter().collect();
    if !has_instance {
        return actions.into_iter().map(str::to_owned).collect();
    }
    actions.extend(["ec2:DescribeInstances", "ec2:StartInstances"]);
    if settings.pinned.is_empty() && settings.known_hosts.is_none() {
        actions.extend([
            "ssm:GetParameter",
            "ec2:GetConsoleOutput",
            "ssm:SendCommand",
            "ssm:GetCommandInvocation",
            "ssm:PutParameter",
        ]);
    }
    // A key of Session Manager's preferences is known once a session begins.
    if settings.destination.address.is_none() {
        actions.extend(needs::permissions(settings.transport));
    }
    if settings.transfer_bucket.is_some()
        && matches!(settings.transport, Transport::Auto | Transport::Ssm)
    {
        actions.extend(needs::BUCKET_PERMISSIONS);
    }
    if settings.target_group.is_some() {
        actions.push("elasticloadbalancing:DescribeTargetHealth");
    }
    actions.sort_unstable();
    actions.dedup();
    actions.into_iter().map(str::to_owned).collect()
}

/// What becomes of each service of a Compose project.
async fn services(
    remote: &Remote<'_>,
    compared: &Compared,
    outline: Option<&Result<Outline, Unread>>,
    commands: &Commands<'_>,
    limits: &Limits,
) -> Vec<String> {
    let (Some(_), Some(outline)) = (commands.project(), outline) else {
        return Vec::new();
    };
    let current = compared.state.current_name();
    let settings = remote.settings;
    let runs = current.map(|current| compared.state.run_spec(current, settings));
    let is_same_project = |runs: &RunSpec| runs.commands(settings).project() == commands.project();
    let Some((current, runs)) = current.zip(runs.filter(is_same_project)) else {
        return vec!["every service is built and started".to_owned()];
    };
    let told = async {
        let before = images::services(remote, &runs.commands(settings), current, limits).await;
        let before = before.map_err(|failure| failure.deed().to_owned())?;
        let after = &outline
            .as_ref()
            .map_err(|unread| unread.words.clone())?
            .services;
        let diff = &compared.diff;
        let changed = diff.added.iter().chain(&diff.changed).chain(&diff.removed);
        let moves = !remote.settings.paths.moves_files();
        let touched = compose::touched(&before, after, moves, changed.map(String::as_str))
            .into_iter()
            .map(|(service, touched)| format!("service {service}: {touched}"));
        let model = remote.settings.model.as_ref();
        let lost = model
            .and_then(|model| compose::ollama(after, model.url.port))
            .filter(|service| !compose::keeps_models(service))
            .map(|service| {
                format!(
                    "service {} keeps its models inside its container: it is refused, because each new one would pull them again",
                    service.name
                )
            });
        Ok::<_, String>(touched.chain(lost).collect::<Vec<_>>())
    };
    match told.await {
        Ok(told) => told,
        Err(why) => vec![format!("cannot find out which services change: {why}")],
    }
}

/// What is waited for first.
async fn wait_for_lock(remote: &Remote<'_>, limits: &Limits) -> Result<Option<String>, Failure> {
    let holder = lock::holder(remote, limits).await?;
    Ok(holder.map(|holder| format!("wait: {}", lock::shown(&holder))))
}

/// The plan of going back.
pub(super) async fn of_rollback(
    remote: &Remote<'_>,
    current: &str,
    release: &str,
    state: &State,
    limits: &Limits,
) -> Result<(String, Value), Failure> {
    let settings = remote.settings;
    let run_spec = state.run_spec(release, settings);
    let runs = state.run_spec(current, settings);
    let commands = run_spec.commands(settings);
    let mut deeds: Vec<String> = wait_for_lock(remote, limits).await?.into_iter().collect();
    deeds.push(format!(
        "switch from release {current} to release {release}"
    ));
    let shown = |deed: &str, command: Option<Command>| {
        command.map(|command| format!("{deed}: {}", command.shown))
    };
    let stopping = Stopping {
        runs: &runs,
        release: Some(current),
        is_certain: state.is_proven(),
        next: Some((release, &run_spec)),
    };
    deeds.extend(stop::foreseen(remote, &stopping, limits).await?);
    deeds.extend(shown("start", commands.start(release, false, false)));
    let plan = Plan {
        host: remote.shown.clone(),
        way: remote.ssh_target.routes.way(),
        target: remote.settings.paths.target.clone(),
        current: Some(current.to_owned()),
        deeds,
        permissions: permissions(remote.settings, remote.ssh_target.instance.is_some()),
        ..Plan::default()
    };
    Ok((plan.text(), plan.json()))
}
