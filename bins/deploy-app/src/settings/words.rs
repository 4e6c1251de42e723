//! Values of settings that only this program has.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::host::http::HttpUrl;
use ssh::Address;

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

/// Where a known_hosts text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownHosts {
    /// In a file of this name.
    File(PathBuf),
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
            false => Self::File(text.into()),
        })
    }
}

/// A tag of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its key.
    pub key: String,
    /// Its value; may be empty.
    pub value: String,
}

impl FromStr for Tag {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self {
                key: key.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err(format!("{text:?} is not KEY=VALUE, such as Name=web")),
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

/// A value with a `parse` function of its own. It may hold a password, so a refusal does not repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

impl FromStr for Parsed<Address> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let address = text.parse::<Address>().map(Self);
        address.map_err(|_| "not `host` or `host:port`; the user is DEPLOY_APP_USER")
    }
}

impl FromStr for Parsed<HttpUrl> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let url = HttpUrl::parse(text).map(Self);
        url.map_err(|_| {
            "not an address such as http://127.0.0.1:8001/path, without user and blanks; it is asked from the host \
             itself, without TLS"
        })
    }
}
