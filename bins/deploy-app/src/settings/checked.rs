//! The settings after checking.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use action::settings::tags::InstanceTags;
use filesync::Paths;
use http_probe::{HttpUrl, Probe};
use ssh::{Address, HostKeyLines, SudoUser};

use super::compose_run::{ComposeRun, Login, Registry};
use super::key_source::{KeyOptions, KeySource};
use super::values::{KnownHosts, Transport};

/// Stands for the instance's id in the name of the SSM parameter.
pub(crate) const INSTANCE: &str = "{instance}";

/// The settings after checking.
#[derive(Debug, Clone)]
pub struct Checked {
    /// What is deployed to.
    pub destination: Destination,
    /// How the SSH port is reached.
    pub transport: Transport,
    /// The bucket for what is too much for Session Manager.
    pub transfer_bucket: Option<String>,
    /// The user to log in as.
    pub user: String,
    /// The user whom everything is done as; none where that is who logs in.
    pub sudo: Option<SudoUser>,
    /// Folders in which commands are looked for first.
    pub host_path: Option<String>,
    /// The key; none means Instance Connect.
    pub ssh_key: Option<KeySource>,
    /// What opens the key and vouches for it.
    pub key_options: KeyOptions,
    /// Hosts to go through.
    pub jumps: Vec<Hop>,
    /// The name under which known_hosts files list the host, whatever its address is.
    pub host_key_alias: Option<String>,
    /// Pinned host keys and authorities.
    pub pinned: HostKeyLines,
    /// The known_hosts files, or the lines of one.
    pub known_hosts: Option<KnownHosts>,
    /// The name of the SSM parameter, with `{instance}` for the instance's id.
    pub host_key_parameter: Option<String>,
    /// Whether an unknown host is believed.
    pub trust_on_first_use: bool,
    /// How long the host may take to answer.
    pub ssh_timeout: Duration,
    /// The application's local folder.
    pub source: PathBuf,
    /// `.env` files that are shipped.
    pub include: Vec<String>,
    /// The folder on the host.
    pub paths: Paths,
    /// Paths that outlive releases.
    pub shared: Vec<String>,
    /// Those of them that were written as folders, with a slash at the end.
    pub shared_folders: BTreeSet<String>,
    /// Paths that containers may write to and where nothing is kept; the empty one is the whole application.
    pub ephemeral: Vec<String>,
    /// The Compose project that was named.
    pub project: Option<String>,
    /// How the application runs.
    pub run: Run,
    /// Names of variables that Compose gets.
    pub compose_variables: Vec<String>,
    /// Registries to log in to.
    pub registries: Vec<Registry>,
    /// The same with the passwords, once the environment was read.
    pub logins: Vec<Login>,
    pub hooks: Hooks,
    /// How health is proven.
    pub health: Option<Health>,
    /// How long becoming healthy may take, for the runtime and the load balancer too.
    pub health_timeout: Duration,
    /// The target group's ARN.
    pub target_group: Option<String>,
    pub model: Option<Model>,
    /// How many releases stay.
    pub keep_releases: usize,
    /// How long a held lock is waited for.
    pub lock_wait: Duration,
    /// Where the agent lies on the host.
    pub agent_dir: Option<String>,
    /// Names of variables whose values are hidden.
    pub secrets: Vec<String>,
    /// Where the failure bundle goes.
    pub bundle: Option<PathBuf>,
    /// The release to go back to.
    pub release: Option<String>,
}

/// A host on the way to the one that is deployed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// The user to log in as; the host's own where none is named.
    pub user: Option<String>,
    /// Where its SSH server listens.
    pub address: Address,
    /// The names under which known_hosts files may list it, the one to write first.
    pub names: Vec<String>,
}

/// What is deployed to. At least one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The EC2 instance.
    pub instance: Option<InstanceSelector>,
    /// The address that overrides the looked-up one.
    pub address: Option<Address>,
}

/// How an instance is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceSelector {
    /// By its id.
    Id(String),
    /// By tags that it alone has.
    Tags(InstanceTags),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.instance, &self.address) {
            (Some(InstanceSelector::Id(id)), _) => f.write_str(id),
            (Some(InstanceSelector::Tags(tags)), _) => write!(f, "the instance with {tags}"),
            (None, Some(address)) => write!(f, "{address}"),
            (None, None) => f.write_str("nowhere"),
        }
    }
}

impl Checked {
    /// The user of the host whom everything is done as.
    pub fn acts_as(&self) -> String {
        match &self.sudo {
            Some(user) => user.to_string(),
            None => self.user.clone(),
        }
    }

    /// The same, run as this Compose project.
    pub fn as_project(&self, project: &str) -> Self {
        let mut own = self.clone();
        if let Run::Compose(compose) = &mut own.run {
            project.clone_into(&mut compose.project);
        }
        own
    }
}

/// How the application runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// Docker Compose.
    Compose(ComposeRun),
    /// Its own commands.
    Command {
        /// Starts it in the background.
        start: String,
        stop: Option<String>,
        /// Succeeds while it runs.
        status: Option<String>,
    },
    /// Not by us: files only.
    None,
}

/// Commands of the release around its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before the switch.
    pub before: Option<String>,
    /// After the proof of health.
    pub after: Option<String>,
}

/// How health is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What is asked, and which answers are healthy.
    pub probe: Probe,
    /// How many healthy answers in a row are enough.
    pub count: u32,
    /// How long it may take.
    pub timeout: Duration,
}

/// The model that Ollama must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Such as `llama3.2:3b`.
    pub name: String,
    /// Where Ollama listens, as the host sees it.
    pub url: HttpUrl,
    /// Whether it must generate a token.
    pub warm_up: bool,
    /// A pull that is silent for so long is asked for again.
    pub stall: Duration,
}
