//! Values of settings that only this program has.

use action::words;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ssh::{Address, Jump, JumpError};

words! {
    /// How the application runs, as said in one word.
    pub(crate) enum Runtime: "a runtime" {
        /// Docker Compose.
        Compose = "compose",
        /// The application's own commands.
        Command = "command",
        /// Files only.
        None = "none",
    }
}

words! {
    /// How bytes reach the SSH port of the host.
    pub enum Transport: "a transport" {
        /// A TCP connection from this machine.
        Direct = "direct",
        /// An EC2 Instance Connect Endpoint.
        Eic = "eic",
        /// Session Manager.
        Ssm = "ssm",
        /// Whatever leads there.
        Auto = "auto",
    }
}

/// Where known_hosts lines are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownHosts {
    /// In files of these names. New keys are written to the first.
    Files(Vec<PathBuf>),
    /// In the setting itself.
    Text(String),
}

impl FromStr for KnownHosts {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A line has a name, a kind of key, and a key that begins with its kind, in base64.
        let is_text = text.contains('\n') || text.contains(" AAAA");
        Ok(match is_text {
            true => Self::Text(text.to_owned()),
            false => Self::Files(vec![local_path(text)]),
        })
    }
}

/// A path on this machine, in which `~/` at the beginning stands for the home folder, as it does in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalPath(pub PathBuf);

impl FromStr for LocalPath {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(local_path(text)))
    }
}

/// The path that a text names. Variables of a buildspec and of an env file pass no shell that would read the `~`.
pub(crate) fn local_path(text: &str) -> PathBuf {
    match (text.strip_prefix("~/"), std::env::home_dir()) {
        (Some(below), Some(home)) => home.join(below),
        _ => PathBuf::from(text),
    }
}

/// Jump hosts, the first one first on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Jumps(pub Vec<Jump>);

impl FromStr for Jumps {
    type Err = JumpError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let words = text.split(['\n', '\0']).map(str::trim);
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        Jump::list(&words.join(",")).map(Self)
    }
}

/// An OpenSSH certificate: its line, or the file that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateText {
    /// How messages name it.
    pub shown: String,
    /// The line.
    pub text: String,
}

impl FromStr for CertificateText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains("-cert-v01@openssh.com ") {
            return Ok(Self {
                shown: "DEPLOY_APP_SSH_CERTIFICATE".to_owned(),
                text: text.to_owned(),
            });
        }
        Self::file(&local_path(text)).map_err(|error| {
            // What is neither may be a key in the wrong place, and is not repeated.
            format!("it is not a certificate, and not a file that can be read ({error})")
        })
    }
}

impl CertificateText {
    /// What a file holds.
    pub fn file(path: &Path) -> Result<Self, std::io::Error> {
        Ok(Self {
            shown: path.display().to_string(),
            text: std::fs::read_to_string(path)?,
        })
    }
}

/// A value with a `parse` function of its own. It may hold a password, so a refusal does not repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed<T>(pub T);

impl FromStr for Parsed<Address> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let address = text.parse::<Address>().map(Self);
        address.map_err(|_| "not `host` or `host:port`; the user is DEPLOY_APP_USER")
    }
}
