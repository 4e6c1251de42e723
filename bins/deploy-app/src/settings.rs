//! What `deploy-app` is told.

mod check;
mod checked;
mod compose;
mod compose_run;
mod environment;
mod health;
pub(crate) mod key_source;
mod paths;
pub(crate) mod project_name;
mod ssh_config;
mod values;
mod variables;

use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::secret::Secret;
use action::settings::tags::InstanceTags;
use action::settings::value::{BucketName, Count, InstanceId, Lines, Names, Switch, Timeout};
use clap::ArgAction;
use http_probe::{Headers, HttpUrl, Statuses};
use serde::Deserialize;

use self::key_source::KeySource;
use filesync::Layout;
use ssh::{Address, SudoUser};

pub(crate) use checked::Checked;
pub(crate) use checked::{Health, Hooks, Hop, INSTANCE, InstanceSelector, Model, Run};
pub(crate) use compose_run::{ComposeRun, Login};
pub(crate) use values::{
    CertificateText, Jumps, KnownHosts, LocalPath, Parsed, Runtime, Transport,
};
pub(crate) use variables::Variables;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The instance to deploy to; it is started when it does not run
    #[arg(long, value_name = "i-…", help_heading = "The host")]
    instance_id: Given<InstanceId>,
    /// Find the instance by a tag instead; by several, it must have all of them; exactly one instance must match
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "The host")]
    instance_tag: Given<InstanceTags>,
    /// host or host:port of the SSH server; overrides the instance's address, and without an instance no AWS call is made
    #[arg(long, value_name = "HOST[:PORT]", help_heading = "The host")]
    address: Given<Guarded<Parsed<Address>>>,
    /// How the SSH port is reached: direct (TCP), eic (EC2 Instance Connect Endpoint), ssm (Session Manager) or auto, which tries each way that may work; a given address is reached directly
    #[arg(
        long,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "The host"
    )]
    transport: Given<Transport>,
    /// A bucket for large releases over Session Manager: 4 MiB and more is stored there, fetched by the host with curl or wget, and deleted; where the host cannot reach S3, the release is sent through the session
    #[arg(long, value_name = "NAME", help_heading = "The host")]
    transfer_bucket: Given<BucketName>,
    /// The user to log in as; unset: the one of the ssh_config, else ubuntu
    #[arg(long, value_name = "NAME", help_heading = "The host")]
    user: Given<String>,
    /// Do everything on the host as this user, by sudo without a password: commands run as that user, who owns the files; unset: the user who logs in
    #[arg(long, value_name = "USER", help_heading = "The host")]
    sudo: Given<SudoUser>,
    /// Folders to put in front of PATH on the host, such as /snap/bin:/opt/bin
    #[arg(long, value_name = "FOLDERS", help_heading = "The host")]
    host_path: Given<String>,
    /// The private key: a file, the key itself (PEM, also on one line, in base64 or in JSON), secretsmanager:ID[:JSON-KEY], ssm:PARAMETER, or agent[:FINGERPRINT or COMMENT] for keys of the SSH agent; unset: a key made for this run is pushed with EC2 Instance Connect
    #[arg(
        long,
        value_name = "KEY",
        allow_hyphen_values = true,
        help_heading = "The host"
    )]
    ssh_key: Given<KeySource>,
    /// The passphrase of the private key
    #[arg(
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        help_heading = "The host"
    )]
    ssh_key_passphrase: Given<Guarded<Secret>>,
    /// An OpenSSH certificate for the private key, as a file or as its line; unset: KEY-cert.pub, where it lies beside the file of the key
    #[arg(long, value_name = "FILE", help_heading = "The host")]
    ssh_certificate: Given<CertificateText>,
    /// The socket of the SSH agent, for the key `agent`
    #[arg(long, value_name = "SOCKET", help_heading = "The host")]
    ssh_auth_sock: Given<LocalPath>,
    /// A host to go through, [user@]host[:port]; it proves its key as the host itself does, and takes the same private key; none: no such host, whatever the ssh_config says
    #[arg(long, value_name = "HOST", action = ArgAction::Append, help_heading = "The host")]
    jump: Given<Jumps>,
    /// A file in the form of OpenSSH's ssh_config, for HostName, Port, User, IdentityFile, ProxyJump, UserKnownHostsFile and HostKeyAlias of the host; settings win over it
    #[arg(long, value_name = "FILE", help_heading = "The host")]
    ssh_config: Given<LocalPath>,
    /// A public key that the host may present, as `TYPE BASE64`; `@cert-authority TYPE BASE64` for an authority; with a name before the key, as ssh-keyscan prints it, it counts for the host of that name
    #[arg(long, value_name = "KEY", action = ArgAction::Append, help_heading = "The host")]
    host_key: Given<Lines>,
    /// known_hosts file to look the host up in, by instance id or address; or the lines of one
    #[arg(long, value_name = "FILE", help_heading = "The host")]
    known_hosts: Given<KnownHosts>,
    /// SSM parameter in which an instance's host keys are looked up and stored, or none; {instance} stands for its id
    #[arg(
        long,
        value_name = "NAME",
        default_value = "/deploy-app/{instance}/host-keys",
        help_heading = "The host"
    )]
    host_key_parameter: Given<String>,
    /// Trust the key of an unknown host on first use, and store it in the known_hosts file, or without one in the SSM parameter
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "The host")]
    trust_on_first_use: Given<Switch>,
    /// How long the host may take to answer on SSH; a key that is refused is tried again only on an instance that was just started, and on a host that came up during the wait
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "5m",
        help_heading = "The host"
    )]
    ssh_timeout: Given<Timeout>,
    /// The application's local folder
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = ".",
        help_heading = "The files"
    )]
    source: Given<LocalPath>,
    /// A file named .env* that is shipped; the others stay here
    #[arg(long, value_name = "PATH", action = ArgAction::Append, help_heading = "The files")]
    include: Given<Lines>,
    /// The application's folder on the host
    #[arg(
        long,
        value_name = "FOLDER",
        default_value = "/home/ubuntu/app",
        help_heading = "The files"
    )]
    target: Given<String>,
    /// The layout of that folder: releases (releases/, shared/ and the link current) or in-place (the files directly)
    #[arg(
        long,
        value_name = "HOW",
        default_value = "releases",
        help_heading = "The files"
    )]
    layout: Given<Layout>,
    /// With layout releases: a file or folder that outlives releases; it lies in shared/, linked into each release
    #[arg(long, value_name = "PATH", action = ArgAction::Append, help_heading = "The files")]
    shared: Given<Lines>,
    /// With Compose and layout releases: a path that containers may write to and whose content need not be kept; `.` is the whole application
    #[arg(long, value_name = "PATH", action = ArgAction::Append, help_heading = "The files")]
    ephemeral: Given<Lines>,
    /// How the application runs: compose, command or none
    #[arg(
        long,
        value_name = "HOW",
        default_value = "compose",
        help_heading = "The start"
    )]
    runtime: Given<Runtime>,
    /// Compose project name; unset: the one that the target has had so far, else the Compose file's own, else the last part of the target folder, or its whole path where another target has that
    #[arg(long, value_name = "NAME", help_heading = "The start")]
    project: Given<String>,
    /// With Compose: a Compose file, relative to the application; each overrides those before it; unset: those that Compose finds by itself
    #[arg(long, value_name = "PATH", action = ArgAction::Append, help_heading = "The start")]
    compose_file: Given<Lines>,
    /// With Compose: the name of a variable whose value Compose gets; for `${NAME}` in Compose files, build arguments, and secrets with `environment: NAME`; it is not shipped
    #[arg(long, value_name = "NAME", action = ArgAction::Append, help_heading = "The start")]
    compose_variable: Given<Names>,
    /// With Compose: a registry to log in to while images are pulled, built and started, as `REGISTRY USER VARIABLE`, where VARIABLE names the variable with the password
    #[arg(long, value_name = "LOGIN", action = ArgAction::Append, help_heading = "The start")]
    registry_login: Given<Lines>,
    /// With runtime command: starts the application in the background, run by sh in the release's folder
    #[arg(long, value_name = "COMMAND", help_heading = "The start")]
    start: Given<String>,
    /// With runtime command: stops what runs, run before each start in the folder of the release that runs; `true` where the start command replaces it
    #[arg(long, value_name = "COMMAND", help_heading = "The start")]
    stop: Given<String>,
    /// With runtime command: succeeds while the application runs; asked until it does, before the health URL
    #[arg(long, value_name = "COMMAND", help_heading = "The start")]
    status: Given<String>,
    /// Hook of the release, run by sh in its folder before the switch, while the old release still serves; fails the deployment when it fails
    #[arg(long, value_name = "COMMAND", help_heading = "The start")]
    before: Given<String>,
    /// Hook of the release, run by sh in its folder once it is proven healthy; rolls back when it fails
    #[arg(long, value_name = "COMMAND", help_heading = "The start")]
    after: Given<String>,
    /// The URL that answers when the application is healthy, http:// or https://, as the host sees it; empty or none: no health check; unset: http://127.0.0.1:8001/collection unless the runtime is none
    #[arg(long, value_name = "URL", help_heading = "Health")]
    health_url: Given<String>,
    /// How many healthy answers in a row are needed
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Health")]
    health_count: Given<Count>,
    /// The HTTP statuses of a healthy answer, such as 200,204,301-399; redirects are not followed
    #[arg(
        long,
        value_name = "LIST",
        default_value = "200",
        help_heading = "Health"
    )]
    health_status: Given<Statuses>,
    /// A header of the request, such as `Host: app.example.com`
    #[arg(long, value_name = "HEADER", action = ArgAction::Append, help_heading = "Health")]
    health_header: Given<Guarded<Headers>>,
    /// Text that a healthy answer contains
    #[arg(long, value_name = "TEXT", help_heading = "Health")]
    health_body: Given<String>,
    /// For https://: a PEM file with the authorities or the server's own certificate; none: any certificate is accepted; unset: the authorities of the system that deploys
    #[arg(long, value_name = "FILE", help_heading = "Health")]
    health_ca: Given<String>,
    /// How long the application may take to be healthy, and then the load balancer to find it so
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "2m",
        help_heading = "Health"
    )]
    health_timeout: Given<Timeout>,
    /// Target group in which the instance must be healthy at the end
    #[arg(long, value_name = "ARN", help_heading = "Health")]
    target_group_arn: Given<String>,
    /// Model that Ollama on the host must have, such as llama3.2:3b
    #[arg(long, value_name = "MODEL", help_heading = "Health")]
    ollama_model: Given<String>,
    /// Where Ollama listens, as the host sees it
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:11434",
        help_heading = "Health"
    )]
    ollama_url: Given<Guarded<HttpUrl>>,
    /// Have the model generate one token, as the last check
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_missing_value = "yes", help_heading = "Health")]
    ollama_warm_up: Given<Switch>,
    /// Ask for the model again after this long without progress
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        help_heading = "Health"
    )]
    ollama_stall: Given<Timeout>,
    /// How many releases stay on the host, the current one included
    #[arg(
        long,
        value_name = "N",
        default_value = "5",
        help_heading = "The deployment"
    )]
    keep_releases: Given<Count>,
    /// How long to wait for another deployment to the same folder
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10m",
        help_heading = "The deployment"
    )]
    lock_wait: Given<Timeout>,
    /// Folder on the host for the agent, this program's other half there; unset: in the target folder, the user's cache folder, /var/tmp or /run/user, the first where programs may be executed
    #[arg(long, value_name = "FOLDER", help_heading = "The deployment")]
    agent_dir: Given<String>,
    /// The name of a variable whose value must never be printed
    #[arg(long, value_name = "NAME", action = ArgAction::Append, help_heading = "The deployment")]
    secret: Given<Names>,
    /// Folder for the failure bundle: diagnostics of the host, the containers and AWS when a deployment fails
    #[arg(long, value_name = "FOLDER", help_heading = "The deployment")]
    diagnostics_dir: Given<LocalPath>,
    /// For `rollback`: the release to go back to; unset: the one before the current
    #[arg(value_name = "RELEASE", help_heading = "The deployment")]
    release: Given<String>,
}

#[cfg(test)]
mod tests;
