//! What the AWS SDK reads by itself, from the environment and from profiles, read before it.
//!
//! The SDK panics on some wrong values (`AWS_MAX_ATTEMPTS=0`), drops others after a warning
//! (`AWS_USE_FIPS_ENDPOINT=yes` calls an endpoint without FIPS), and passes over the rest until a call fails
//! far away. Here all of them are refused at once, before any call, by the name of the variable or of the
//! key, profile and file. No value is repeated: some of them hold secrets.

mod known;
mod profile;

use crate::proxy::{Address, Proxies};
use action::failure::Failure;
use action::program::Context;
use aws_smithy_types::retry::{RetryConfig, RetryMode, RetrySpec};
pub(crate) use known::is_word;
use known::{Known, SERVICES};
use profile::Profile;
use std::str::FromStr as _;

/// What of it the set-up of clients needs.
#[derive(Debug)]
pub(crate) struct Environment {
    /// How calls are retried.
    pub(crate) retries: RetryConfig,
    /// Which way they go.
    pub(crate) proxies: Proxies,
}

/// Reads everything, with `retries` where nothing says otherwise.
pub(crate) async fn read(context: &Context, retries: RetryConfig) -> Result<Environment, Failure> {
    let mut faults = not_utf8(context);
    let (profile, profile_faults) = Profile::load(context).await;
    faults.extend(profile_faults);
    let found = |known: &Known| found(context, &profile, known);
    for known in known::ALL {
        if let Some((place, text)) = found(known)
            && !(known.fits)(&text)
        {
            faults.push(format!("{place} must be {}", known.must));
        }
    }
    let ignores = found(&known::IGNORE_ENDPOINTS).is_some_and(|(_, text)| is_true(&text));
    if !ignores {
        faults.extend(endpoints(context, &profile));
    }
    faults.extend(halves(context));
    let asked_directly = [
        found(&known::CONTAINER_CREDENTIALS),
        found(&known::METADATA_ENDPOINT),
    ];
    let asked_directly = asked_directly
        .into_iter()
        .flatten()
        .filter_map(|(_, text)| Address::of(&text))
        .collect();
    let (proxies, proxy_faults) = Proxies::read(|name| context.variable(name), asked_directly);
    faults.extend(proxy_faults);
    if !faults.is_empty() {
        return Err(refusal(faults));
    }
    let mut retries = retries;
    let text = |known: &Known| found(known).map(|(_, text)| text);
    if let Some(attempts) = text(&known::MAX_ATTEMPTS).and_then(|text| text.parse().ok()) {
        retries = retries.with_max_attempts(attempts);
    }
    if let Some(mode) = text(&known::RETRY_MODE).and_then(|text| RetryMode::from_str(&text).ok()) {
        retries = retries.with_retry_mode(mode);
    }
    if text(&known::NEW_RETRIES).is_some_and(|text| is_true(&text)) {
        retries = retries.with_retry_spec(RetrySpec::v2_1());
    }
    Ok(Environment { retries, proxies })
}

fn refusal(faults: Vec<String>) -> Failure {
    let deed = match faults.len() {
        1 => "a setting for AWS is wrong; nothing was called".to_owned(),
        n => format!("{n} settings for AWS are wrong; nothing was called"),
    };
    faults
        .into_iter()
        .fold(Failure::refused(deed), Failure::detail)
        .hint("https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html explains them; values are not shown, because some are secret")
}

fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

/// Where a setting is set and to what: by its variable, else by its key in the profile.
fn found(context: &Context, profile: &Profile, known: &Known) -> Option<(String, String)> {
    if let Some(text) = context.variable(known.variable) {
        return Some((known.variable.to_owned(), text));
    }
    let key = known.key?;
    let text = profile.get(key)?;
    Some((profile.place(key), text.to_owned()))
}

/// What cannot be read as text is as good as unset to the SDK.
fn not_utf8(context: &Context) -> Vec<String> {
    let ours = |name: &str| name.starts_with("AWS_") || name.to_lowercase().ends_with("_proxy");
    let odd = context
        .environment
        .iter()
        .filter(|(name, found)| ours(name) && found.value.to_str().is_none());
    odd.map(|(name, _)| format!("{name}: not UTF-8")).collect()
}

fn endpoints(context: &Context, profile: &Profile) -> Vec<String> {
    let own = |service: &known::Service| match context.variable(&service.variable()) {
        Some(text) => Some((service.variable(), text)),
        None => profile.endpoint_of(service.id),
    };
    let found = found(context, profile, &known::ENDPOINT);
    SERVICES
        .iter()
        .filter_map(own)
        .chain(found)
        .filter(|(_, text)| !(known::ENDPOINT.fits)(text))
        .map(|(place, _)| format!("{place} must be {}", known::ENDPOINT.must))
        .collect()
}

/// Settings of which one alone means nothing: the SDK would take what comes next, such as the role of the
/// instance, and so another account.
fn halves(context: &Context) -> Vec<String> {
    let set = |name: &str| context.variable(name).is_some();
    let alone =
        |one: &str, other: &str| format!("{one} is set and {other} is not; set both or none");
    let key = set("AWS_ACCESS_KEY_ID");
    // The second name is an old one that the SDK still reads.
    let secret = set("AWS_SECRET_ACCESS_KEY") || set("SECRET_ACCESS_KEY");
    let mut faults = Vec::new();
    match (key, secret) {
        (true, false) => faults.push(alone("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")),
        (false, true) if set("AWS_SECRET_ACCESS_KEY") => {
            faults.push(alone("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"));
        }
        _ => {}
    }
    if set("AWS_WEB_IDENTITY_TOKEN_FILE") && !set("AWS_ROLE_ARN") {
        faults.push("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not".to_owned());
    }
    faults
}

#[cfg(test)]
mod tests;
