//! Fetching the private key from where the settings say that it is.

use action::failure::Failure;
use aws::error::AwsError;
use aws::session::Session;
use ssh::Identity;

use crate::settings::key_source::{KeyOptions, KeySource, hide};

/// The key. What is fetched is hidden from every log first.
/// No error holds any of its text.
pub(crate) async fn identity(
    source: &KeySource,
    options: &KeyOptions,
    session: Option<&Session>,
) -> Result<Identity, Failure> {
    let unusable = |fault: String| {
        let deed = format!(
            "cannot use the private key in {}; nothing was touched",
            source.shown()
        );
        Failure::refused(deed).cause(format!("it {fault}"))
    };
    let text = match (source, session) {
        (KeySource::Text(key) | KeySource::File { key, .. }, _) => {
            let key = key.opened(options).map_err(unusable)?;
            return options.identity(key).map_err(unusable);
        }
        (KeySource::Agent { only }, _) => {
            let socket = options.agent.clone();
            let socket = socket.ok_or_else(|| unusable("has no SSH_AUTH_SOCK".to_owned()))?;
            return Ok(Identity::Agent {
                socket,
                only: only.clone(),
            });
        }
        (_, None) => {
            return Err(Failure::failed(format!(
                "cannot fetch {}: AWS is not set up",
                source.shown()
            )));
        }
        (KeySource::Secret { id, json_key }, Some(session)) => {
            fetch_secret(session, id, json_key.as_deref()).await?
        }
        (KeySource::Parameter(name), Some(session)) => fetch_parameter(session, name).await?,
    };
    hide(&text);
    let key = options.read(&text).map_err(unusable)?;
    options.identity(key).map_err(unusable)
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
