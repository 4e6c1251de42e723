//! Where the private key comes from: its own text, a file, AWS Secrets Manager, an SSM parameter.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use action::failure::Failure;
use action::redact;
use action::settings::secret::Secret;
use aws::error::AwsError;
use aws::session::Session;

use ssh::PrivateKey;

/// A private key, or where it is to be fetched.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The setting holds the key itself.
    Text(PrivateKey),
    /// A file that could be read.
    File {
        /// The file.
        path: PathBuf,
        /// What it holds.
        key: PrivateKey,
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
}

impl FromStr for KeySource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("secretsmanager", reference)) => secret(reference),
            Some(("ssm", "")) => Err("`ssm:` names no parameter".to_owned()),
            Some(("ssm", name)) => Ok(Self::Parameter(name.to_owned())),
            _ if PrivateKey::is_meant(text) => {
                hide(text);
                PrivateKey::parse(text).map(Self::Text).map_err(|fault| {
                    format!("the value itself is no key that can be used: it {fault}")
                })
            }
            _ => file(text),
        }
    }
}

/// A key in a file. A text that names no file may be a secret, and is not repeated unless the folder is there that it
/// names.
fn file(text: &str) -> Result<KeySource, String> {
    let path = PathBuf::from(text);
    let content = std::fs::read(&path).map_err(|error| {
        let is_there = |folder: &Path| folder.parent().is_some() && folder.is_dir();
        match path.parent() {
            Some(folder) if is_there(folder) => {
                format!("cannot read the private key `{text}`: {error}")
            }
            _ if text.starts_with('~') => {
                "it is no key, and names no file: `~` stands for itself here; write the whole path"
                    .to_owned()
            }
            _ => format!("it is no key, and names no file that can be read ({error})"),
        }
    })?;
    let content = String::from_utf8_lossy(&content);
    hide(&content);
    match PrivateKey::parse(&content) {
        Ok(key) => Ok(KeySource::File { path, key }),
        Err(fault) => Err(format!("cannot use the private key `{text}`: it {fault}")),
    }
}

/// Hides a key in everything that is logged from now on.
fn hide(text: &str) {
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
    #[must_use]
    pub fn is_in_aws(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Parameter(_))
    }

    /// How messages name it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Text(_) => "DEPLOY_APP_SSH_KEY".to_owned(),
            Self::File { path, .. } => path.display().to_string(),
            Self::Secret { id, .. } => format!("secretsmanager:{id}"),
            Self::Parameter(name) => format!("ssm:{name}"),
        }
    }

    /// The key. What is fetched is hidden from every log first.
    ///
    /// # Errors
    /// A refusal when it is not there or is no key; otherwise what the call met. Never any of its text.
    pub async fn key(&self, session: Option<&Session>) -> Result<PrivateKey, Failure> {
        let text = match (self, session) {
            (Self::Text(key) | Self::File { key, .. }, _) => return Ok(key.clone()),
            (_, None) => {
                return Err(Failure::failed(format!(
                    "cannot fetch {}: AWS is not set up",
                    self.shown()
                )));
            }
            (Self::Secret { id, json_key }, Some(session)) => {
                fetch_secret(session, id, json_key.as_deref()).await?
            }
            (Self::Parameter(name), Some(session)) => fetch_parameter(session, name).await?,
        };
        hide(&text);
        PrivateKey::parse(&text).map_err(|fault| {
            Failure::refused(format!(
                "cannot use the private key in {}; nothing was touched",
                self.shown()
            ))
            .cause(format!("it {fault}"))
        })
    }
}

async fn fetch_secret(
    session: &Session,
    id: &str,
    json_key: Option<&str>,
) -> Result<String, Failure> {
    let deed = format!("cannot read the secret {id} in {}", session.region);
    let client = aws_sdk_secretsmanager::Client::new(&session.config);
    let answer = client
        .get_secret_value()
        .secret_id(id)
        .send()
        .await
        .map_err(|error| {
            missing(
                &AwsError::of(&error),
                &deed,
                "secretsmanager:GetSecretValue",
            )
        })?;
    let binary = answer
        .secret_binary()
        .map(|blob| String::from_utf8_lossy(blob.as_ref()).into_owned());
    let text = answer
        .secret_string()
        .map(str::to_owned)
        .or(binary)
        .ok_or_else(|| Failure::refused(deed.clone()).cause("it has no value"))?;
    let Some(json_key) = json_key else {
        return Ok(text);
    };
    hide(&text);
    let found = serde_json::from_str::<serde_json::Value>(&text).ok();
    found
        .as_ref()
        .and_then(|json| json.get(json_key)?.as_str().map(str::to_owned))
        .ok_or_else(|| {
            Failure::refused(deed).cause(format!(
                "it is not a JSON object with a text under `{json_key}`"
            ))
        })
}

async fn fetch_parameter(session: &Session, name: &str) -> Result<String, Failure> {
    let deed = format!("cannot read the SSM parameter {name} in {}", session.region);
    let client = aws_sdk_ssm::Client::new(&session.config);
    let answer = client
        .get_parameter()
        .name(name)
        .with_decryption(true)
        .send()
        .await
        .map_err(|error| missing(&AwsError::of(&error), &deed, "ssm:GetParameter"))?;
    answer
        .parameter()
        .and_then(|parameter| parameter.value())
        .map(str::to_owned)
        .ok_or_else(|| Failure::refused(deed).cause("it has no value"))
}

fn missing(error: &AwsError, deed: &str, action: &str) -> Failure {
    if error.is("ResourceNotFoundException") || error.is("ParameterNotFound") {
        return Failure::refused(format!("{deed}; nothing was touched"))
            .cause(error)
            .hint("check the name in DEPLOY_APP_SSH_KEY, AWS_REGION and the account");
    }
    error.failure(deed, action)
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
