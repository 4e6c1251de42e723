//! The variables that the build project itself takes from Parameter Store or Secrets Manager. They carry no mark in
//! the environment; CodeBuild knows of which type each is.

use action::program::Context;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_codebuild::types::EnvironmentVariableType;
use std::time::Duration;
use tokio::time::timeout;

/// Not knowing them is no reason to wait for them.
const ASK_WITHIN: Duration = Duration::from_secs(10);

/// Where a build has its credentials; without one there is nobody to ask as.
const CREDENTIALS: [&str; 3] = [
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_ACCESS_KEY_ID",
];

/// Whether CodeBuild is asked at all: in a build that has credentials.
pub(crate) fn is_asked(context: &Context) -> bool {
    let mut credentials = CREDENTIALS.iter();
    context.codebuild.build_id.is_some() && credentials.any(|name| context.variable(name).is_some())
}

/// The names of such variables, each with where its value is from; none outside of a build, or where CodeBuild
/// does not tell, which is said.
///
/// <https://docs.aws.amazon.com/codebuild/latest/APIReference/API_EnvironmentVariable.html>
pub(crate) async fn secrets(context: &Context) -> Vec<(String, String)> {
    let build = context.codebuild.build_id.as_deref();
    let Some(build) = build.filter(|_| is_asked(context)) else {
        return Vec::new();
    };
    let asked = timeout(ASK_WITHIN, ask(context, build));
    let why = match context.interrupt.race(asked).await {
        Ok(Ok(Ok(found))) => return found,
        Ok(Ok(Err(why))) => why,
        Ok(Err(_)) => "no answer".to_owned(),
        // Whatever comes next sees the signal too.
        Err(_) => return Vec::new(),
    };
    tracing::warn!(
        "which variables the build project takes from Parameter Store or Secrets Manager is not known ({why}); name them with --secret"
    );
    Vec::new()
}

async fn ask(context: &Context, build: &str) -> Result<Vec<(String, String)>, String> {
    let session = Session::open(context)
        .await
        .map_err(|failure| failure.deed().to_owned())?;
    let client = aws_sdk_codebuild::Client::new(&session.config);
    let reply = client.batch_get_builds().ids(build).send().await;
    let reply =
        reply.map_err(|error| format!("codebuild:BatchGetBuilds: {}", AwsError::of(&error)))?;
    let variables = reply
        .builds()
        .iter()
        .filter_map(|build| build.environment())
        .flat_map(|environment| environment.environment_variables());
    let secrets = variables.filter_map(|variable| {
        let from = match variable.r#type()? {
            EnvironmentVariableType::ParameterStore => {
                "which the build project takes from Parameter Store"
            }
            EnvironmentVariableType::SecretsManager => {
                "which the build project takes from Secrets Manager"
            }
            _ => return None,
        };
        Some((variable.name().to_owned(), from.to_owned()))
    });
    Ok(secrets.collect())
}
