//! Client set-up: region, credentials, endpoint, certificate authorities, proxies, retries.

use action::failure::Failure;
use action::program::Context;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::path::PathBuf;
use std::time::Duration;

/// How often a call is tried, unless `AWS_MAX_ATTEMPTS` says otherwise. The SDK's own 3 give up
/// within seconds of a throttled account (<https://github.com/hashicorp/packer/issues/10071>).
const ATTEMPTS: u32 = 10;

/// How long a call may take until its answer begins, the upload of its body included. The SDK sets
/// no bound of its own: a peer that accepts and never answers would hold a program for ever.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// An account and region that calls go to.
#[derive(Debug, Clone)]
pub struct Session {
    /// What service clients are made from.
    pub config: SdkConfig,
    /// The region's name.
    pub region: String,
}

impl Session {
    /// Sets up clients from the environment as all AWS tools read it, and proves that there are
    /// credentials, without a call to the service that will be used.
    ///
    /// # Errors
    /// A refusal: no region, no credentials, a certificate file that cannot be read.
    pub async fn open(context: &Context) -> Result<Self, Failure> {
        Self::open_in(context, None).await
    }

    /// As [`Session::open`], in a region of its own where one is given.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_in(context: &Context, region: Option<&str>) -> Result<Self, Failure> {
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http_client(context)?)
            .timeout_config(timeouts());
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        // `AWS_MAX_ATTEMPTS` keeps the last word.
        if context.variable("AWS_MAX_ATTEMPTS").is_none() {
            loader = loader.retry_config(retries());
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            Failure::refused("no AWS region is set; nothing was touched")
                .hint("set AWS_REGION, or a region in the profile that AWS_PROFILE names")
        })?;
        prove_credentials(&config).await?;
        Ok(Self { config, region })
    }

    /// Whether calls go to an endpoint that the environment names, rather than to AWS. Buckets are
    /// then addressed by path, for such endpoints rarely have a name for each bucket.
    #[must_use]
    pub fn has_own_endpoint(context: &Context, service: &str) -> bool {
        let specific = format!("AWS_ENDPOINT_URL_{service}");
        [specific.as_str(), "AWS_ENDPOINT_URL"]
            .iter()
            .any(|name| context.variable(name).is_some())
    }
}

async fn prove_credentials(config: &SdkConfig) -> Result<(), Failure> {
    let missing = || {
        Failure::refused("no AWS credentials were found; nothing was touched").hint(
            "in CodeBuild they come from the project's service role; elsewhere set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (after `aws sso login` where the profile uses SSO)",
        )
    };
    let provider = config.credentials_provider().ok_or_else(missing)?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        Err(CredentialsError::CredentialsNotLoaded(_)) => Err(missing()),
        Err(error) => Err(missing().cause(crate::error::chain(&error))),
    }
}

/// How calls are retried, unless `AWS_MAX_ATTEMPTS` says otherwise.
#[must_use]
pub fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(Duration::from_millis(500))
}

/// How long a call may take.
#[must_use]
pub fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().read_timeout(ANSWER_WITHIN).build()
}

/// The one HTTP client: rustls, the system's or the given certificate authorities, proxies from
/// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
fn http_client(context: &Context) -> Result<SharedHttpClient, Failure> {
    let tls = tls_context(context)?;
    Ok(
        Builder::new().build_with_connector_fn(move |settings, components| {
            let mut builder = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(tls.clone())
                .proxy_config(ProxyConfig::from_env());
            builder.set_connector_settings(settings.cloned());
            if let Some(components) = components {
                builder.set_sleep_impl(components.sleep_impl());
            }
            builder.build()
        }),
    )
}

/// `AWS_CA_BUNDLE` is what AWS's own tools read
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html>); the native store
/// itself honours `SSL_CERT_FILE` and `SSL_CERT_DIR`.
fn tls_context(context: &Context) -> Result<TlsContext, Failure> {
    let Some(path) = context.variable("AWS_CA_BUNDLE").map(PathBuf::from) else {
        return TlsContext::builder()
            .with_trust_store(TrustStore::default())
            .build()
            .map_err(|error| {
                Failure::refused("cannot load the system's certificate authorities").cause(error)
            });
    };
    let unusable = |cause: String| {
        Failure::refused(format!("cannot use AWS_CA_BUNDLE {}", path.display()))
            .cause(cause)
            .hint("AWS_CA_BUNDLE is the path of a PEM file with certificate authorities")
    };
    let pem = std::fs::read(&path).map_err(|error| unusable(error.to_string()))?;
    if !pem
        .windows(27)
        .any(|part| part == b"-----BEGIN CERTIFICATE-----")
    {
        return Err(unusable("the file holds no certificate".to_owned()));
    }
    TlsContext::builder()
        .with_trust_store(TrustStore::empty().with_pem_certificate(pem))
        .build()
        .map_err(|error| unusable(error.to_string()))
}
