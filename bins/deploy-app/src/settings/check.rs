//! Checking the settings, every fault at once.

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::secret::Secret;
use action::settings::value::{BucketName, Lines, Names};
use http_probe::Scheme;

use super::Raw;
use super::checked::{Checked, Destination, Hooks, INSTANCE, InstanceSelector, Model, Run};
use super::compose::{self, ComposeSettings};
use super::health::HealthSettings;
use super::key_source::{KeyOptions, KeySource};
use super::paths;
use super::project_name::last_part;
use super::ssh_config::Connection;
use super::values::{CertificateText, KnownHosts, LocalPath, Runtime, Transport};
use filesync::{Layout, Paths};
use ssh::HostKeyLines;

impl Settings for Raw {
    type Checked = Checked;

    fn secrets() -> &'static [&'static str] {
        &[
            "address",
            "ssh_key",
            "ssh_key_passphrase",
            "health_header",
            "ollama_url",
        ]
    }

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let place_given = !matches!(
            (&self.address, &self.instance_id, &self.instance_tag),
            (Given::Unset, Given::Unset, Given::Unset)
        );
        let instance_id = faults.optional("instance_id", self.instance_id);
        let instance_tag = faults.optional("instance_tag", self.instance_tag);
        let address = faults
            .optional("address", self.address)
            .map(|address| address.reveal().0);
        if !place_given {
            faults.add("neither INSTANCE_ID nor DEPLOY_APP_INSTANCE_TAG nor DEPLOY_APP_ADDRESS is set (or --instance-id, --instance-tag, --address): what is deployed to?");
        }
        if instance_id.is_some() && instance_tag.is_some() {
            faults.of(
                "instance_tag",
                "INSTANCE_ID is set as well; keep one of the two",
            );
        }
        let instance = instance_id
            .map(|id| InstanceSelector::Id(id.0))
            .or(instance_tag.map(InstanceSelector::Tags));
        let mut key_given = !matches!(self.ssh_key, Given::Unset);
        let mut connection = Connection {
            address,
            user: faults.optional("user", self.user),
            ssh_key: faults.optional("ssh_key", self.ssh_key),
            known_hosts: faults.optional("known_hosts", self.known_hosts),
            jumps: faults.optional("jump", self.jump).map(|jumps| jumps.0),
            host_key_alias: None,
        };
        let ssh_config = faults.optional("ssh_config", self.ssh_config);
        let ssh_config = ssh_config.as_ref().map(|path| path.0.as_path());
        let jumps = connection.complete(faults, ssh_config, instance.as_ref());
        let Connection {
            address,
            user,
            ssh_key,
            known_hosts,
            host_key_alias,
            ..
        } = connection;
        key_given |= ssh_key.is_some();
        let user = user.unwrap_or_else(|| "ubuntu".to_owned());
        let sudo = faults.optional("sudo", self.sudo);
        let host_path = paths::host_path(faults, self.host_path);
        let (ssh_key, key_options) = key(
            faults,
            ssh_key,
            (
                self.ssh_key_passphrase,
                self.ssh_certificate,
                self.ssh_auth_sock,
            ),
        );
        if !key_given && !jumps.is_empty() {
            faults.of(
                "jump",
                "needs DEPLOY_APP_SSH_KEY (or --ssh-key): Instance Connect lets into the instance only",
            );
        }
        if !key_given && instance.is_none() && address.is_some() {
            faults.add("DEPLOY_APP_SSH_KEY is not set (or --ssh-key): Instance Connect needs an INSTANCE_ID or DEPLOY_APP_INSTANCE_TAG");
        }
        let transport = faults.required("transport", self.transport);
        tunneled(faults, transport, instance.is_some(), address.is_some());
        let transfer_bucket = faults.optional("transfer_bucket", self.transfer_bucket);
        let pinned = pinned(faults, self.host_key);
        let host_key_parameter = parameter(faults, self.host_key_parameter);
        let trust_on_first_use = faults.switch("trust_on_first_use", self.trust_on_first_use);
        let has_parameter = instance.is_some() && host_key_parameter.is_some();
        let has_file = matches!(known_hosts, Some(KnownHosts::Files(_)));
        if trust_on_first_use && !has_file && !has_parameter {
            faults.of(
                "trust_on_first_use",
                "needs a file in DEPLOY_APP_KNOWN_HOSTS (or --known-hosts), or an instance with DEPLOY_APP_HOST_KEY_PARAMETER: the key is written there",
            );
        }
        let ssh_timeout = faults.required("ssh_timeout", self.ssh_timeout);
        let source = faults.required("source", self.source).map(|path| path.0);
        // `rollback` and `releases` ship nothing, so it does not matter to them where they are run.
        if faults.command().is_none()
            && let Some(source) = &source
        {
            paths::shipped(faults, source, ssh_key.as_ref());
        }
        let include = paths::paths_below(faults, "include", self.include);
        let include = include.into_keys().collect();
        let target = paths::target(faults, self.target);
        let layout = faults.required("layout", self.layout);
        let shared = paths::paths_below(faults, "shared", self.shared);
        let ephemeral = paths::ephemeral(faults, self.ephemeral);
        if layout == Some(Layout::InPlace) && !shared.is_empty() {
            faults.of(
                "shared",
                "is for the layout releases; in-place leaves everything alone that was not shipped",
            );
        }
        let runtime = faults.required("runtime", self.runtime);
        let project = faults.optional("project", self.project);
        let named = project
            .clone()
            .unwrap_or_else(|| last_part(target.as_deref().unwrap_or_default()));
        let compose = ComposeSettings {
            files: self.compose_file,
            variables: self.compose_variable,
            registries: self.registry_login,
        };
        let (compose_files, compose_variables, registries) = compose.check(faults, runtime);
        let commands = (self.start, self.stop, self.status);
        let run = run(faults, runtime, (named, compose_files), commands);
        let hooks = Hooks {
            before: faults.optional("before", self.before),
            after: faults.optional("after", self.after),
        };
        let health_timeout = faults.required("health_timeout", self.health_timeout);
        let asked = HealthSettings {
            url: self.health_url,
            count: self.health_count,
            status: self.health_status,
            header: self.health_header,
            body: self.health_body,
            ca: self.health_ca,
        };
        let health = asked.check(faults, runtime, health_timeout);
        let target_group = target_group(faults, self.target_group_arn, instance.is_some());
        let model_name = faults.optional("ollama_model", self.ollama_model);
        let ollama_url = faults
            .required("ollama_url", self.ollama_url)
            .map(Guarded::reveal);
        if ollama_url
            .as_ref()
            .is_some_and(|url| url.scheme == Scheme::Https)
        {
            faults.of(
                "ollama_url",
                "Ollama is asked over http://, on the host itself",
            );
        }
        let stall = faults.required("ollama_stall", self.ollama_stall);
        let warm_up = faults.switch("ollama_warm_up", self.ollama_warm_up);
        if warm_up && model_name.is_none() {
            faults.of(
                "ollama_warm_up",
                "needs DEPLOY_APP_OLLAMA_MODEL (or --ollama-model)",
            );
        }
        let keep_releases = faults.required("keep_releases", self.keep_releases);
        let lock_wait = faults.required("lock_wait", self.lock_wait);
        let agent_dir = paths::agent_dir(faults, self.agent_dir);
        let secrets = secrets(faults, self.secret);
        let bundle = faults
            .optional("diagnostics_dir", self.diagnostics_dir)
            .map(|path| path.0);
        let release = release(faults, self.release);
        let model = match (model_name, ollama_url, stall) {
            (Some(name), Some(url), Some(stall)) => Some(Model {
                name,
                url,
                warm_up,
                stall: stall.0,
            }),
            _ => None,
        };
        Some(Checked {
            destination: Destination { instance, address },
            transport: transport?,
            transfer_bucket: transfer_bucket.map(|BucketName(name)| name),
            user,
            sudo,
            host_path,
            ssh_key,
            key_options,
            jumps,
            host_key_alias,
            pinned,
            known_hosts,
            host_key_parameter,
            trust_on_first_use,
            ssh_timeout: ssh_timeout?.0,
            source: source?,
            include,
            paths: Paths {
                target: target?,
                layout: layout?,
            },
            shared_folders: shared
                .iter()
                .filter(|(_, is_folder)| **is_folder)
                .map(|(path, _)| path.clone())
                .collect(),
            shared: shared.into_keys().collect(),
            ephemeral,
            project,
            run: run?,
            compose_variables,
            registries,
            logins: Vec::new(),
            hooks,
            health: health?,
            health_timeout: health_timeout?.0,
            target_group,
            model,
            keep_releases: keep_releases?.size(),
            lock_wait: lock_wait?.0,
            agent_dir,
            secrets,
            bundle,
            release,
        })
    }
}

/// A tunnel leads to port 22 of an instance, and to nothing else.
fn tunneled(
    faults: &mut Faults,
    transport: Option<Transport>,
    has_instance: bool,
    has_address: bool,
) {
    let Some(transport @ (Transport::Eic | Transport::Ssm)) = transport else {
        return;
    };
    if !has_instance {
        faults.of(
            "transport",
            format!(
                "{transport} connects to an instance: it needs INSTANCE_ID or DEPLOY_APP_INSTANCE_TAG"
            ),
        );
    }
    if has_address {
        faults.of(
            "transport",
            format!("{transport} connects to port 22 of the instance, but DEPLOY_APP_ADDRESS is set; keep one of the two"),
        );
    }
}

/// What opens the key and vouches for it; and the key, opened where it is at hand.
fn key(
    faults: &mut Faults,
    source: Option<KeySource>,
    (passphrase, certificate, socket): (
        Given<Guarded<Secret>>,
        Given<CertificateText>,
        Given<LocalPath>,
    ),
) -> (Option<KeySource>, KeyOptions) {
    let passphrase = faults.optional("ssh_key_passphrase", passphrase);
    let has_certificate = !matches!(certificate, Given::Unset);
    let mut options = KeyOptions {
        passphrase: passphrase.map(Guarded::reveal),
        certificate: faults.optional("ssh_certificate", certificate),
        agent: faults.optional("ssh_auth_sock", socket).map(|path| path.0),
    };
    action::redact::hide(options.passphrase.clone());
    let Some(source) = source else {
        return (None, options);
    };
    if !has_certificate {
        options.certificate = source.certificate_beside();
    }
    match source.opened(&options) {
        Ok(source) => (Some(source), options),
        Err(fault) => {
            faults.of("ssh_key", fault);
            (Some(source), options)
        }
    }
}

fn pinned(faults: &mut Faults, given: Given<Lines>) -> HostKeyLines {
    let lines = faults.optional("host_key", given).unwrap_or_default().0;
    match HostKeyLines::parse(&lines.join("\n")) {
        Ok(known) => known,
        Err(fault) => {
            faults.of("host_key", fault);
            HostKeyLines::default()
        }
    }
}

/// A name that is the same for every instance would be trusted for every instance.
fn parameter(faults: &mut Faults, given: Given<String>) -> Option<String> {
    let name = faults.required("host_key_parameter", given)?;
    if name == "none" {
        return None;
    }
    if !name.contains(INSTANCE) {
        faults.of(
            "host_key_parameter",
            format!("{name:?} does not contain {INSTANCE}, so all instances would share one; or write none"),
        );
    }
    Some(name)
}

fn target_group(faults: &mut Faults, given: Given<String>, has_instance: bool) -> Option<String> {
    let arn = faults.optional("target_group_arn", given)?;
    if !(arn.starts_with("arn:") && arn.contains(":targetgroup/")) {
        faults.of(
            "target_group_arn",
            format!("{arn:?} is not the ARN of a target group (arn:…:targetgroup/…)"),
        );
    }
    if !has_instance {
        faults.of(
            "target_group_arn",
            "needs an INSTANCE_ID or DEPLOY_APP_INSTANCE_TAG: whose health is meant?",
        );
    }
    Some(arn)
}

fn release(faults: &mut Faults, given: Given<String>) -> Option<String> {
    let release = faults.optional("release", given)?;
    if matches!(release.as_str(), "rollback" | "releases") {
        faults.of(
            "release",
            format!("the command comes first: `deploy-app {release} …`"),
        );
    } else if !filesync::release::is_name(&release) {
        faults.of(
            "release",
            format!("{release:?} is not the name of a release, such as 20261123094308-1a2b3c4; `deploy-app releases` lists them"),
        );
    }
    Some(release)
}

fn secrets(faults: &mut Faults, given: Given<Names>) -> Vec<String> {
    let names = faults.optional("secret", given).unwrap_or_default().0;
    for name in &names {
        if !compose::is_name(name) {
            // What is no name may be the secret itself.
            faults.of(
                "secret",
                "one of them is not the name of a variable; write names, not values",
            );
        }
    }
    names
}

fn run(
    faults: &mut Faults,
    runtime: Option<Runtime>,
    (project, files): (String, Vec<String>),
    (start, stop, status): (Given<String>, Given<String>, Given<String>),
) -> Option<Run> {
    let only_commands = [("start", &start), ("stop", &stop), ("status", &status)]
        .into_iter()
        .find(|(_, given)| !matches!(given, Given::Unset))
        .map(|(name, _)| name);
    match runtime? {
        Runtime::Command => {
            let start = faults.required("start", start);
            let stop = faults.optional("stop", stop);
            let status = faults.optional("status", status);
            Some(Run::Command {
                start: start?,
                stop,
                status,
            })
        }
        other if only_commands.is_some() => {
            faults.of(
                only_commands.unwrap_or_default(),
                format!("is used with runtime command only, and the runtime is {other}"),
            );
            None
        }
        Runtime::None => Some(Run::None),
        Runtime::Compose => compose::run(faults, project, files),
    }
}
