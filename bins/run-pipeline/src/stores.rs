//! Values of Parameter Store and Secrets Manager: from a file, or from the service where it may be asked. All of them
//! are hidden in what this program prints.

use std::collections::BTreeMap;

use action::failure::Failure;
use action::program::Context;
use action::redact;
use action::settings::secret::Secret;
use action::wait::Limits;
use aws::error::AwsError;
use serde_json::Value as Json;

use crate::aws_access::{self, may_ask};

/// Values that are given in a file.
#[derive(Clone, Default)]
pub(crate) struct StoreFile {
    parameters: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

impl std::fmt::Debug for StoreFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreFile")
    }
}

impl StoreFile {
    /// Reads `{"parameter-store": {"/name": "value"}, "secrets-manager": {"id": "text" or {"key": "value"}}}`.
    pub(crate) fn read(file: &str) -> Result<Self, String> {
        let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
        let value: Json = serde_json::from_slice(&bytes)
            .map_err(|error| format!("not JSON (line {})", error.line()))?;
        let Json::Object(map) = value else {
            return Err("not a JSON object".to_owned());
        };
        let mut stores = Self::default();
        for (store, entries) in map {
            let target = match store.as_str() {
                "parameter-store" => &mut stores.parameters,
                "secrets-manager" => &mut stores.secrets,
                other => {
                    return Err(format!("{other}: write parameter-store or secrets-manager"));
                }
            };
            let Json::Object(entries) = entries else {
                return Err(format!("{store} is not an object"));
            };
            for (name, value) in entries {
                target.insert(name, plain(&value));
            }
        }
        let all = stores.parameters.values().chain(stores.secrets.values());
        redact::hide(all.map(|value| Secret::from(value.clone())));
        Ok(stores)
    }
}

/// What names a secret, and which part of it.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    id: &'a str,
    key: Option<&'a str>,
    stage: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Reads `id:key:stage:version`; an ARN has six colons of its own.
    fn parse(text: &'a str) -> Self {
        let own = if text.starts_with("arn:") { 6 } else { 0 };
        let end = text.match_indices(':').nth(own).map(|(at, _)| at);
        let (id, rest) = match end {
            Some(end) => (&text[..end], &text[end + 1..]),
            None => (text, ""),
        };
        let mut parts = rest
            .split(':')
            .map(|part| (!part.is_empty()).then_some(part));
        Self {
            id,
            key: parts.next().flatten(),
            stage: parts.next().flatten(),
            version: parts.next().flatten(),
        }
    }

    /// The part of the secret's text that is meant.
    fn part(&self, text: &str) -> Result<String, String> {
        let Some(key) = self.key else {
            return Ok(text.to_owned());
        };
        let value: Json = serde_json::from_str(text)
            .map_err(|_| format!("the secret {} is not JSON", self.id))?;
        match value.get(key) {
            Some(value) => Ok(plain(value)),
            None => Err(format!("the secret {} has no key {key}", self.id)),
        }
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where values come from.
pub(crate) struct Stores<'a> {
    pub(crate) file: &'a StoreFile,
    pub(crate) context: &'a Context,
    pub(crate) allow_aws: bool,
    pub(crate) region: Option<&'a str>,
    pub(crate) limits: &'a Limits,
}

impl Stores<'_> {
    /// The value of a parameter; nothing when it is not given and Parameter Store may not be asked.
    pub(crate) async fn parameter(&self, name: &str) -> Result<Option<String>, Failure> {
        if let Some(value) = self.file.parameters.get(name) {
            return Ok(Some(value.clone()));
        }
        if !may_ask(self.context, self.allow_aws, "SSM") {
            return Ok(None);
        }
        let asking = async {
            let session =
                aws_access::session(self.context, self.allow_aws, "SSM", self.region).await?;
            let client = aws_sdk_ssm::Client::new(&session.config);
            let call = client.get_parameter().name(name).with_decryption(true);
            let answer = call.send().await.map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot read the parameter {name}"),
                    "ssm:GetParameter",
                )
            })?;
            Ok(answer.parameter.and_then(|one| one.value))
        };
        let value = self.limits.in_time("a parameter was read", asking).await?;
        hide(&value);
        Ok(value)
    }

    /// The value of a secret; nothing when it is not given and Secrets Manager may not be asked.
    pub(crate) async fn secret(&self, text: &str) -> Result<Option<String>, Failure> {
        let reference = Reference::parse(text);
        let cannot =
            |why: String| Failure::refused(format!("cannot use the secret {text}")).cause(why);
        if let Some(value) = self.file.secrets.get(reference.id) {
            let part = reference.part(value).map_err(cannot)?;
            hide(&Some(part.clone()));
            return Ok(Some(part));
        }
        if !may_ask(self.context, self.allow_aws, "Secrets Manager") {
            return Ok(None);
        }
        let asking = async {
            let session =
                aws_access::session(self.context, self.allow_aws, "Secrets Manager", self.region)
                    .await?;
            let client = aws_sdk_secretsmanager::Client::new(&session.config);
            let call = client
                .get_secret_value()
                .secret_id(reference.id)
                .set_version_stage(reference.stage.map(str::to_owned))
                .set_version_id(reference.version.map(str::to_owned));
            let answer = call.send().await.map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot read the secret {}", reference.id),
                    "secretsmanager:GetSecretValue",
                )
            })?;
            Ok(answer.secret_string)
        };
        let whole = self.limits.in_time("a secret was read", asking).await?;
        let part = whole.map(|whole| reference.part(&whole).map_err(cannot));
        let part = part.transpose()?;
        hide(&part);
        Ok(part)
    }
}

fn hide(value: &Option<String>) {
    redact::hide(value.iter().map(|value| Secret::from(value.clone())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_a_part_of_a_secret() {
        let of = |id, key, stage, version| Reference {
            id,
            key,
            stage,
            version,
        };
        assert_eq!(Reference::parse("a/b"), of("a/b", None, None, None));
        assert_eq!(
            Reference::parse("a:k:AWSCURRENT"),
            of("a", Some("k"), Some("AWSCURRENT"), None)
        );
        assert_eq!(Reference::parse("a:::v"), of("a", None, None, Some("v")));
        let arn = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:a-123456";
        assert_eq!(Reference::parse(arn), of(arn, None, None, None));
        let with_key = format!("{arn}:k");
        assert_eq!(Reference::parse(&with_key), of(arn, Some("k"), None, None));
    }

    #[test]
    fn a_key_is_looked_up_in_the_secret() {
        let reference = Reference::parse("a:k");
        assert_eq!(reference.part(r#"{"k": "v"}"#), Ok("v".to_owned()));
        assert_eq!(reference.part(r#"{"k": 5}"#), Ok("5".to_owned()));
        assert!(reference.part("{}").is_err());
        assert!(reference.part("x").is_err());
    }
}
