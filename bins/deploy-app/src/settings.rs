//! What `deploy-app` is told.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::{InstanceId, Lines, Switch, Timeout};
use serde::Deserialize;

use crate::host::http::HttpUrl;
use crate::host::key::Key;
use crate::host::transport::Address;
use crate::host::trust::HostKey;

/// Where an application answers unless told otherwise.
const HEALTH_URL: &str = "http://127.0.0.1:8001/collection";

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The instance to deploy to; started when it does not run
    #[arg(long, value_name = "i-…")]
    instance_id: Given<InstanceId>,
    /// host or host:port of the SSH server; overrides the instance's address, and without INSTANCE_ID no AWS call is made
    #[arg(long, value_name = "HOST[:PORT]")]
    address: Given<Parsed<Address>>,
    /// The user to log in as
    #[arg(long, value_name = "NAME", default_value = "ubuntu")]
    user: Given<String>,
    /// File of the private key; unset: a key made for this run is pushed with EC2 Instance Connect
    #[arg(long, value_name = "FILE")]
    ssh_key: Given<KeyFile>,
    /// Public keys that the host may present, one `TYPE BASE64` a line
    #[arg(long, value_name = "LINES")]
    host_key: Given<Lines>,
    /// known_hosts file to look the host up in, by instance id or address
    #[arg(long, value_name = "FILE")]
    known_hosts: Given<PathBuf>,
    /// Believe the key of a host that nothing is known about, and write it to the known_hosts file
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    trust_on_first_use: Given<Switch>,
    /// How long the host may take to answer on SSH
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    ssh_timeout: Given<Timeout>,
    /// The application's folder here
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    source: Given<PathBuf>,
    /// The folder on the host that holds releases/, shared/ and current
    #[arg(long, value_name = "FOLDER", default_value = "/home/ubuntu/app")]
    target: Given<String>,
    /// Paths of the application that outlive releases, one a line: folders in shared/, linked into each release
    #[arg(long, value_name = "PATHS")]
    shared: Given<Lines>,
    /// How the application runs: compose, command or none
    #[arg(long, value_name = "HOW", default_value = "compose")]
    runtime: Given<Runtime>,
    /// Compose project name; unset: the last part of the target folder
    #[arg(long, value_name = "NAME")]
    project: Given<String>,
    /// With runtime command: starts the application in the background, run by sh in the release's folder
    #[arg(long, value_name = "COMMAND")]
    start: Given<String>,
    /// With runtime command: stops what runs, run before each start but the first
    #[arg(long, value_name = "COMMAND")]
    stop: Given<String>,
    /// http:// address, as the host sees it, that answers 200 when the application is well, or none; unset: http://127.0.0.1:8001/collection unless the runtime is none
    #[arg(long, value_name = "URL")]
    health_url: Given<String>,
    /// How many healthy answers in a row prove it
    #[arg(long, value_name = "N", default_value = "3")]
    health_count: Given<u32>,
    /// How long the application may take to become healthy
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    health_timeout: Given<Timeout>,
    /// Model that Ollama on the host must have, such as llama3.2:3b
    #[arg(long, value_name = "MODEL")]
    ollama_model: Given<String>,
    /// Where Ollama listens, as the host sees it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:11434")]
    ollama_url: Given<Parsed<HttpUrl>>,
    /// How many releases stay on the host, the current one included
    #[arg(long, value_name = "N", default_value = "5")]
    keep_releases: Given<usize>,
    /// Names of variables whose values are hidden in what the host prints, one a line
    #[arg(long, value_name = "NAMES")]
    secrets: Given<Lines>,
}

/// The settings after checking.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What is deployed to.
    pub place: Place,
    /// The user to log in as.
    pub user: String,
    /// The key; none means Instance Connect.
    pub ssh_key: Option<(PathBuf, Key)>,
    /// Pinned host keys.
    pub host_keys: Vec<HostKey>,
    /// The known_hosts file.
    pub known_hosts: Option<PathBuf>,
    /// Whether an unknown host is believed.
    pub trust_on_first_use: bool,
    /// How long the host may take to answer.
    pub ssh_timeout: Duration,
    /// The application's folder here.
    pub source: PathBuf,
    /// The folder on the host, absolute, without a slash at the end.
    pub target: String,
    /// Paths that outlive releases.
    pub shared: Vec<String>,
    /// How the application runs.
    pub run: Run,
    /// How health is proven.
    pub health: Option<Health>,
    /// The model and where Ollama listens.
    pub model: Option<(String, HttpUrl)>,
    /// How many releases stay.
    pub keep_releases: usize,
    /// Names of variables whose values are hidden.
    pub secrets: Vec<String>,
}

/// What is deployed to. At least one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The EC2 instance.
    pub instance_id: Option<String>,
    /// The address that overrides the looked-up one.
    pub address: Option<Address>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.instance_id, &self.address) {
            (Some(id), _) => f.write_str(id),
            (None, Some(address)) => write!(f, "{address}"),
            (None, None) => f.write_str("nowhere"),
        }
    }
}

/// How the application runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// Docker Compose, under this project name.
    Compose {
        /// The project.
        project: String,
    },
    /// Its own commands.
    Command {
        /// Starts it in the background.
        start: String,
        /// Stops it.
        stop: Option<String>,
    },
    /// Not by us: files only.
    None,
}

/// How health is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is asked.
    pub url: HttpUrl,
    /// How many healthy answers in a row are enough.
    pub count: u32,
    /// How long it may take.
    pub timeout: Duration,
}

impl Settings for Raw {
    type Checked = Checked;

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let instance_id = faults
            .optional("instance_id", self.instance_id)
            .map(|id| id.0);
        let address_given = !matches!(self.address, Given::Unset);
        let address = faults
            .optional("address", self.address)
            .map(|address| address.0);
        if instance_id.is_none() && !address_given && faults.is_empty() {
            faults.add("neither INSTANCE_ID nor DEPLOY_APP_ADDRESS is set (or --instance-id, --address): what is deployed to?");
        }
        let key_given = !matches!(self.ssh_key, Given::Unset);
        let ssh_key = faults.optional("ssh_key", self.ssh_key);
        if !key_given && instance_id.is_none() && address.is_some() {
            faults.add("DEPLOY_APP_SSH_KEY is not set (or --ssh-key): Instance Connect needs an INSTANCE_ID");
        }
        let user = faults.required("user", self.user);
        let host_keys = host_keys(faults, self.host_key);
        let known_hosts = faults.optional("known_hosts", self.known_hosts);
        let trust_on_first_use = faults.switch("trust_on_first_use", self.trust_on_first_use);
        if trust_on_first_use && known_hosts.is_none() {
            faults.of(
                "trust_on_first_use",
                "needs DEPLOY_APP_KNOWN_HOSTS (or --known-hosts), where the key is written",
            );
        }
        let ssh_timeout = faults.required("ssh_timeout", self.ssh_timeout);
        let source = faults.required("source", self.source);
        if let Some(source) = &source
            && !source.is_dir()
        {
            faults.of("source", format!("`{}` is not a folder", source.display()));
        }
        if let (Some(source), Some(KeyFile { path, .. })) = (&source, &ssh_key)
            && is_inside(path, source)
        {
            faults.of(
                "ssh_key",
                format!(
                    "`{}` lies inside the application `{}`; a private key must never be shipped",
                    path.display(),
                    source.display()
                ),
            );
        }
        let target = target(faults, self.target);
        let shared = shared(faults, self.shared);
        let runtime = faults.required("runtime", self.runtime);
        let run = run(
            faults,
            runtime,
            target.as_deref(),
            (self.project, self.start, self.stop),
        );
        let health = health(
            faults,
            runtime,
            (self.health_url, self.health_count, self.health_timeout),
        );
        let model = faults.optional("ollama_model", self.ollama_model);
        let ollama_url = faults.required("ollama_url", self.ollama_url);
        let keep_releases = faults.required("keep_releases", self.keep_releases);
        if keep_releases == Some(0) {
            faults.of(
                "keep_releases",
                "the current release always stays; use 1 or more",
            );
        }
        let secrets = faults
            .optional("secrets", self.secrets)
            .unwrap_or_default()
            .0;
        Some(Checked {
            place: Place {
                instance_id,
                address,
            },
            user: user?,
            ssh_key: ssh_key.map(|file| (file.path, file.key)),
            host_keys,
            known_hosts,
            trust_on_first_use,
            ssh_timeout: ssh_timeout?.0,
            source: source?,
            target: target?,
            shared,
            run: run?,
            health: health?,
            model: model.zip(ollama_url.map(|url| url.0)),
            keep_releases: keep_releases?,
            secrets,
        })
    }
}

fn host_keys(faults: &mut Faults, given: Given<Lines>) -> Vec<HostKey> {
    let lines = faults.optional("host_key", given).unwrap_or_default().0;
    match HostKey::parse_lines(&lines.join("\n")) {
        Ok(keys) => keys,
        Err(fault) => {
            faults.of("host_key", fault);
            Vec::new()
        }
    }
}

fn is_inside(path: &std::path::Path, folder: &std::path::Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

fn target(faults: &mut Faults, given: Given<String>) -> Option<String> {
    let target = faults.required("target", given)?;
    let trimmed = target.trim_end_matches('/');
    let parts: Vec<&str> = trimmed.split('/').skip(1).collect();
    let is_good = trimmed.starts_with('/')
        && !trimmed.contains(char::is_control)
        && parts
            .iter()
            .all(|part| !part.is_empty() && !matches!(*part, "." | ".."));
    if !is_good {
        faults.of(
            "target",
            format!("{target:?} is not an absolute path of a folder of its own"),
        );
        return None;
    }
    Some(trimmed.to_owned())
}

fn shared(faults: &mut Faults, given: Given<Lines>) -> Vec<String> {
    let lines = faults.optional("shared", given).unwrap_or_default().0;
    let mut paths = BTreeSet::new();
    for line in lines {
        let path = line.trim_end_matches('/');
        match bundle::names::check(path, bundle::names::Names::Unix) {
            Ok(()) => drop(paths.insert(path.to_owned())),
            Err(fault) => faults.of(
                "shared",
                format!("`{line}` {fault}; write paths relative to the application"),
            ),
        }
    }
    paths.into_iter().collect()
}

fn run(
    faults: &mut Faults,
    runtime: Option<Runtime>,
    target: Option<&str>,
    (project, start, stop): (Given<String>, Given<String>, Given<String>),
) -> Option<Run> {
    let has_commands = !matches!((&start, &stop), (Given::Unset, Given::Unset));
    let project = faults.optional("project", project);
    match runtime? {
        Runtime::Command => {
            let start = faults.required("start", start);
            let stop = faults.optional("stop", stop);
            Some(Run::Command {
                start: start?,
                stop,
            })
        }
        other if has_commands => {
            let name = if matches!(start, Given::Unset) {
                "stop"
            } else {
                "start"
            };
            faults.of(
                name,
                format!("is used with runtime command only, and the runtime is {other}"),
            );
            None
        }
        Runtime::None => Some(Run::None),
        Runtime::Compose => {
            let project = project.unwrap_or_else(|| project_of(target.unwrap_or_default()));
            let is_good = project
                .starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && project.bytes().all(|byte| {
                    byte.is_ascii_lowercase()
                        || byte.is_ascii_digit()
                        || matches!(byte, b'-' | b'_')
                });
            if !is_good {
                faults.of("project", format!("{project:?} is not a Compose project name (lower-case letters, digits, `-`, `_`)"));
                return None;
            }
            Some(Run::Compose { project })
        }
    }
}

/// The target's last part, reduced to what Compose takes.
fn project_of(target: &str) -> String {
    let last = target
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let name: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() {
        "app".to_owned()
    } else {
        name.to_owned()
    }
}

fn health(
    faults: &mut Faults,
    runtime: Option<Runtime>,
    (url, count, timeout): (Given<String>, Given<u32>, Given<Timeout>),
) -> Option<Option<Health>> {
    let default = if runtime == Some(Runtime::None) {
        "none"
    } else {
        HEALTH_URL
    };
    let url = faults
        .optional("health_url", url)
        .unwrap_or_else(|| default.to_owned());
    let count = faults.required("health_count", count);
    let timeout = faults.required("health_timeout", timeout);
    if count == Some(0) {
        faults.of(
            "health_count",
            "no answer proves nothing; use 1 or more, or the health URL none",
        );
    }
    if url == "none" {
        return Some(None);
    }
    match HttpUrl::parse(&url) {
        Ok(url) => Some(Some(Health {
            url,
            count: count?,
            timeout: timeout?.0,
        })),
        Err(fault) => {
            faults.of("health_url", fault);
            None
        }
    }
}

/// How the application runs, as said in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runtime {
    /// Docker Compose.
    Compose,
    /// The application's own commands.
    Command,
    /// Files only.
    None,
}

impl FromStr for Runtime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "compose" => Ok(Self::Compose),
            "command" => Ok(Self::Command),
            "none" => Ok(Self::None),
            _ => Err(format!(
                "{text:?} is not a runtime; use compose, command or none"
            )),
        }
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compose => "compose",
            Self::Command => "command",
            Self::None => "none",
        })
    }
}

/// A value with a `parse` function of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

impl FromStr for Parsed<Address> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Address::parse(text).map(Self)
    }
}

impl FromStr for Parsed<HttpUrl> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        HttpUrl::parse(text).map(Self)
    }
}

/// A private key file that could be read.
#[derive(Debug, Clone)]
pub struct KeyFile {
    path: PathBuf,
    key: Key,
}

impl FromStr for KeyFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((store @ ("secretsmanager" | "ssm"), _)) = text.split_once(':') {
            return Err(format!(
                "keys from {store}: are not supported yet; give a file, or leave it unset for Instance Connect"
            ));
        }
        let path = PathBuf::from(text);
        match Key::load(&path) {
            Ok(key) => Ok(Self { path, key }),
            Err(fault) => Err(format!("cannot use the private key `{text}`: {fault}")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::{Given, Health, Raw, Run, Settings, project_of};
    use action::settings::faults::Faults;

    /// What `clap` and `envy` make of nothing but an address and a key.
    fn raw(folder: &std::path::Path) -> Raw {
        let given = |text: &str| text.parse().unwrap();
        let key = folder.join("key");
        let status = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status();
        assert!(status.unwrap().success());
        Raw {
            address: "10.0.0.7".parse().unwrap(),
            user: given("ubuntu"),
            ssh_key: key.to_str().unwrap().parse().unwrap(),
            ssh_timeout: "5m".parse().unwrap(),
            source: "/usr".parse().unwrap(),
            target: given("/srv/My App/"),
            runtime: "compose".parse().unwrap(),
            health_count: "3".parse().unwrap(),
            health_timeout: "2m".parse().unwrap(),
            ollama_url: "http://127.0.0.1:11434".parse().unwrap(),
            keep_releases: "5".parse().unwrap(),
            ..Raw::default()
        }
    }

    #[test]
    fn defaults_follow_from_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let mut faults = Faults::for_tests();
        let checked = raw(folder.path()).check(&mut faults).unwrap();
        assert_eq!(faults.messages(), Vec::<String>::new());
        assert_eq!(checked.target, "/srv/My App");
        assert_eq!(
            checked.run,
            Run::Compose {
                project: "my-app".to_owned()
            }
        );
        assert!(matches!(checked.health, Some(Health { count: 3, .. })));
        let mut raw = raw(tempfile::tempdir().unwrap().path());
        raw.runtime = "none".parse().unwrap();
        assert_eq!(raw.check(&mut Faults::for_tests()).unwrap().health, None);
    }

    #[test]
    fn every_fault_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut raw = raw(folder.path());
        raw.address = "a b".parse().unwrap();
        raw.ssh_key = "ssm:/deploy/key".parse().unwrap();
        raw.host_key = "SHA256:x".parse().unwrap();
        raw.trust_on_first_use = "yes".parse().unwrap();
        raw.source = "/nonexistent".parse().unwrap();
        raw.target = "app".parse().unwrap();
        raw.shared = "../data".parse().unwrap();
        raw.start = "./start".parse().unwrap();
        raw.health_url = "https://x/".parse().unwrap();
        raw.keep_releases = Given::Value(0);
        let mut faults = Faults::for_tests();
        assert!(raw.check(&mut faults).is_none());
        let text = faults.messages().join("\n");
        for part in [
            "ADDRESS",
            "SSH_KEY: keys from ssm: are not supported yet",
            "HOST_KEY",
            "KNOWN_HOSTS",
            "SOURCE",
            "TARGET",
            "`../data`",
            "START",
            "http://",
            "KEEP_RELEASES",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert_eq!(faults.messages().len(), 10, "{text}");
    }

    #[test]
    fn project_names_are_what_compose_takes() {
        for (target, project) in [
            ("/home/ubuntu/app", "app"),
            ("/srv/_My.App", "my-app"),
            ("/ü", "app"),
        ] {
            assert_eq!(project_of(target), project);
        }
    }
}
