//! Whether and how AWS is asked. AWS itself is asked only with `--allow-aws`; an endpoint that the environment
//! names, such as that of an emulator, may always be asked.

use std::collections::BTreeMap;

use action::failure::Failure;
use action::program::Context;
use aws::error::AwsError;
use aws::session::Session;

/// The region that the environment names.
pub(crate) fn region(context: &Context) -> Option<String> {
    context
        .variable("AWS_REGION")
        .or_else(|| context.variable("AWS_DEFAULT_REGION"))
}

/// Whether a service may be asked, as far as the environment tells.
pub(crate) fn may_ask(context: &Context, allow_aws: bool, service: &str) -> bool {
    let own = format!(
        "AWS_ENDPOINT_URL_{}",
        service.to_uppercase().replace(' ', "_")
    );
    allow_aws || context.variable("AWS_ENDPOINT_URL").is_some() || context.variable(&own).is_some()
}

/// Clients for a service, by its id such as `S3`.
pub(crate) async fn session(
    context: &Context,
    allow_aws: bool,
    service: &str,
    region: Option<&str>,
) -> Result<Session, Failure> {
    let refused = || {
        Failure::refused(format!("{service} of AWS itself would be asked"))
            .hint("allow it with --allow-aws, or name an emulator's endpoint with AWS_ENDPOINT_URL")
    };
    // Opening a session may ask for credentials already.
    if !may_ask(context, allow_aws, service) {
        return Err(refused());
    }
    let session = Session::open_in(context, region).await?;
    if allow_aws || session.has_own_endpoint(service) {
        Ok(session)
    } else {
        Err(refused())
    }
}

/// The exports of the region's stacks.
pub(crate) async fn stack_exports(
    context: &Context,
    allow_aws: bool,
) -> Result<BTreeMap<String, String>, Failure> {
    let session = session(context, allow_aws, "CloudFormation", None)
        .await
        .map_err(|failure| failure.detail("asked for by Fn::ImportValue of the definition"))?;
    let client = aws_sdk_cloudformation::Client::new(&session.config);
    let mut all = BTreeMap::new();
    let mut next = None;
    loop {
        let answer = client
            .list_exports()
            .set_next_token(next)
            .send()
            .await
            .map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot list the exports of stacks in {}", session.region),
                    "cloudformation:ListExports",
                )
            })?;
        for export in answer.exports() {
            if let (Some(name), Some(value)) = (export.name(), export.value()) {
                all.insert(name.to_owned(), value.to_owned());
            }
        }
        next = answer.next_token;
        if next.is_none() {
            return Ok(all);
        }
    }
}
