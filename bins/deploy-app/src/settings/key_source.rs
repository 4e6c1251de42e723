//! Where the private key comes from: its own text, a file, an SSH agent, AWS Secrets Manager, an SSM parameter.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use action::redact;
use action::settings::secret::Secret;
use ssh::{Identity, PrivateKey, PrivateKeyError, UserCertificate};

use super::values::{CertificateText, local_path};

/// A private key, or where it is to be fetched.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The setting holds the key itself.
    Text(Stored),
    /// A file that could be read.
    File {
        /// The file.
        path: PathBuf,
        /// What it holds.
        key: Stored,
    },
    /// A secret of Secrets Manager.
    Secret {
        /// Its name or ARN.
        id: String,
        /// The key of a JSON secret that holds the private key.
        json_key: Option<String>,
    },
    /// A parameter of SSM, usually a SecureString.
    Parameter(String),
    /// The keys of an SSH agent.
    Agent {
        /// The fingerprint or comment of the one that is meant.
        only: Option<String>,
    },
}

/// A key that is at hand.
#[derive(Debug, Clone)]
pub enum Stored {
    /// It can be used.
    Open(PrivateKey),
    /// Its text, which needs a passphrase.
    Locked(Secret),
}

/// What opens a key and vouches for it.
#[derive(Debug, Clone, Default)]
pub struct KeyOptions {
    pub passphrase: Option<Secret>,
    pub certificate: Option<CertificateText>,
    /// The socket of the agent.
    pub agent: Option<PathBuf>,
}

impl KeyOptions {
    /// Reads a key.
    pub(crate) fn read(&self, text: &str) -> Result<PrivateKey, String> {
        let passphrase = self.passphrase.as_ref().map(Secret::reveal);
        PrivateKey::parse(text, passphrase).map_err(|fault| match fault {
            PrivateKeyError::Passphrase => {
                format!("{fault}; set DEPLOY_APP_SSH_KEY_PASSPHRASE, or use a key without one")
            }
            fault => fault.to_string(),
        })
    }

    /// A key with its certificate.
    pub(crate) fn identity(&self, key: PrivateKey) -> Result<Identity, String> {
        let Some(certificate) = &self.certificate else {
            return Ok(Identity::Key(key));
        };
        match UserCertificate::parse(&certificate.text, &key) {
            Ok(certificate) => Ok(Identity::Certificate(key, certificate)),
            Err(fault) => Err(format!(
                "cannot be used with {}, which {fault}",
                certificate.shown
            )),
        }
    }
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("secretsmanager", reference)) => secret(reference),
            Some(("ssm", "")) => Err("`ssm:` names no parameter".to_owned()),
            Some(("ssm", name)) => Ok(Self::Parameter(name.to_owned())),
            Some(("agent", "")) => Err("`agent:` names no key of the agent".to_owned()),
            Some(("agent", only)) => Ok(Self::Agent {
                only: Some(only.to_owned()),
            }),
            None if text == "agent" => Ok(Self::Agent { only: None }),
            _ if PrivateKey::is_meant(text) => {
                Stored::read(text).map(Self::Text).map_err(|fault| {
                    format!("the value itself is not a key that can be used: it {fault}")
                })
            }
            _ => file(text),
        }
    }
}

impl Stored {
    fn read(text: &str) -> Result<Self, PrivateKeyError> {
        hide(text);
        match PrivateKey::parse(text, None) {
            Ok(key) => Ok(Self::Open(key)),
            Err(PrivateKeyError::Passphrase) => Ok(Self::Locked(Secret::from(text.to_owned()))),
            Err(fault) => Err(fault),
        }
    }

    /// The key itself.
    pub(crate) fn opened(&self, options: &KeyOptions) -> Result<PrivateKey, String> {
        match self {
            Self::Open(key) => Ok(key.clone()),
            Self::Locked(text) => options.read(text.reveal()),
        }
    }
}

/// A key in a file. A text that names no file may be a secret, and is not repeated unless the folder is there that it
/// names.
pub(crate) fn file(text: &str) -> Result<KeySource, String> {
    let path = local_path(text);
    let content = std::fs::read(&path).map_err(|error| {
        let is_there = |folder: &Path| folder.parent().is_some() && folder.is_dir();
        match path.parent() {
            Some(folder) if is_there(folder) => {
                format!("cannot read the private key `{text}`: {error}")
            }
            _ if text.starts_with('~') => {
                "it is not a key, and not a file that can be read; only `~/` stands for a home folder, the one of the user \
                 who runs this"
                    .to_owned()
            }
            _ => format!("it is not a key, and not a file that can be read ({error})"),
        }
    })?;
    match Stored::read(&String::from_utf8_lossy(&content)) {
        Ok(key) => Ok(KeySource::File { path, key }),
        Err(fault) => Err(format!("cannot use the private key `{text}`: it {fault}")),
    }
}

/// Hides a key in everything that is logged from now on.
pub(crate) fn hide(text: &str) {
    redact::hide(PrivateKey::secret_forms(text).into_iter().map(Secret::from));
}

/// `ID` or `ID:JSON-KEY`, as CodeBuild writes them; an ARN has six colons of its own.
fn secret(reference: &str) -> Result<KeySource, String> {
    let own = if reference.starts_with("arn:") { 6 } else { 0 };
    let at = reference.match_indices(':').nth(own).map(|(at, _)| at);
    let (id, json_key) = match at {
        Some(at) => (&reference[..at], Some(&reference[at + 1..])),
        None => (reference, None),
    };
    if id.is_empty() || json_key.is_some_and(|key| key.is_empty() || key.contains(':')) {
        return Err(format!(
            "`secretsmanager:{reference}` is not secretsmanager:ID or secretsmanager:ID:JSON-KEY"
        ));
    }
    Ok(KeySource::Secret {
        id: id.to_owned(),
        json_key: json_key.map(str::to_owned),
    })
}

impl KeySource {
    /// Whether AWS must be asked for it.
    pub fn is_in_aws(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Parameter(_))
    }

    /// How messages name it.
    pub fn shown(&self) -> String {
        match self {
            Self::Text(_) => "DEPLOY_APP_SSH_KEY".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
            Self::Secret { id, .. } => format!("secretsmanager:{id}"),
            Self::Parameter(name) => format!("ssm:{name}"),
            Self::Agent { .. } => "the SSH agent".to_owned(),
        }
    }

    /// The certificate that lies beside the file of the key, as OpenSSH looks for it.
    pub fn certificate_beside(&self) -> Option<CertificateText> {
        let Self::File { path, .. } = self else {
            return None;
        };
        let mut name = path.clone().into_os_string();
        name.push("-cert.pub");
        CertificateText::file(Path::new(&name)).ok()
    }

    /// The same with its key opened, where that is at hand.
    pub fn opened(&self, options: &KeyOptions) -> Result<Self, String> {
        let named = match self {
            Self::File { path, .. } => format!("the private key `{}`", path.display()),
            _ => "the private key".to_owned(),
        };
        let open = |key: &Stored| {
            let key = key
                .opened(options)
                .map_err(|fault| format!("{named} {fault}"))?;
            let identity = options.identity(key.clone());
            identity.map_err(|fault| format!("{named} {fault}"))?;
            Ok::<_, String>(Stored::Open(key))
        };
        match self {
            Self::Text(key) => Ok(Self::Text(open(key)?)),
            Self::File { path, key } => Ok(Self::File {
                path: path.clone(),
                key: open(key)?,
            }),
            Self::Agent { .. } if options.agent.is_none() => Err(
                "is `agent`, and SSH_AUTH_SOCK is not set (or --ssh-auth-sock)".to_owned(),
            ),
            Self::Agent { .. } if options.certificate.is_some() => Err(
                "is `agent`, which offers the certificates that it has; remove DEPLOY_APP_SSH_CERTIFICATE".to_owned(),
            ),
            other => Ok(other.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::KeySource;

    #[test]
    fn sources_are_read_as_codebuild_writes_them() {
        let arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:web/key-AbCdEf";
        for (text, want_id, want_key) in [
            ("secretsmanager:web/key", "web/key", None),
            ("secretsmanager:web/key:pem", "web/key", Some("pem")),
            (&format!("secretsmanager:{arn}"), arn, None),
            (&format!("secretsmanager:{arn}:pem"), arn, Some("pem")),
        ] {
            let KeySource::Secret { id, json_key } = text.parse().unwrap() else {
                panic!("{text}");
            };
            assert_eq!((id.as_str(), json_key.as_deref()), (want_id, want_key));
        }
        let parameter: KeySource = "ssm:/web/key".parse().unwrap();
        assert_eq!(parameter.shown(), "ssm:/web/key");
        assert!(parameter.is_in_aws());
        for bad in [
            "ssm:",
            "secretsmanager:",
            "secretsmanager:a:",
            "secretsmanager:a:b:c",
        ] {
            assert!(bad.parse::<KeySource>().is_err(), "{bad}");
        }
    }
}
