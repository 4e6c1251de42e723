//! Client set-up: region, credentials, endpoint, certificate authorities, proxies, retries.

use crate::authorities;
use crate::environment;
use crate::limit::Limit;
use crate::proxy::{ByDestination, Proxies, Proxy};
use action::failure::Failure;
use action::program::Context;
use action::settings::value::RegionName;
use action::wait;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::service_config::ServiceConfigKey;
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
    /// Until when the clients may call; the run's deadline at first.
    pub limit: Limit,
}

impl Session {
    /// Sets up clients from the environment as all AWS tools read it, and proves that there are
    /// credentials, without a call to the service that will be used.
    ///
    /// # Errors
    /// A refusal: settings for AWS that are wrong, no region, no credentials, a certificate file that
    /// cannot be read.
    pub async fn open(context: &Context) -> Result<Self, Failure> {
        Self::open_in(context, None).await
    }

    /// As [`Session::open`], in a region of its own where one is given.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_in(context: &Context, region: Option<&str>) -> Result<Self, Failure> {
        Self::open_as(context, region, None).await
    }

    /// As [`Session::open_in`], with credentials of its own where they are given.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open_as(
        context: &Context,
        region: Option<&str>,
        credentials: Option<Credentials>,
    ) -> Result<Self, Failure> {
        let opening = Self::load(context, region, credentials);
        wait::in_time(
            context.deadline,
            &context.interrupt,
            "AWS was set up",
            opening,
        )
        .await
    }

    async fn load(
        context: &Context,
        region: Option<&str>,
        credentials: Option<Credentials>,
    ) -> Result<Self, Failure> {
        let limit = Limit::until(context.deadline);
        let environment = environment::read(context, retries()).await?;
        let client = http_client(context, environment.proxies)?;
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(limit.client(client))
            .sleep_impl(limit.sleep())
            .retry_config(environment.retries)
            .timeout_config(timeouts());
        if let Some(region) = region {
            // The SDK panics on one that no header can carry.
            let RegionName(region) = region.parse().map_err(Failure::refused)?;
            loader = loader.region(Region::new(region));
        }
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials);
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).ok_or_else(|| {
            Failure::refused("no AWS region is set; nothing was touched")
                .hint("set AWS_REGION, or a region in the profile that AWS_PROFILE names")
        })?;
        prove_credentials(&config, &limit).await?;
        Ok(Self {
            config,
            region,
            limit,
        })
    }

    /// What [`Session::open`] refuses in the settings for AWS, before anything else is done: for
    /// programs that open a session late, or try again to open one.
    ///
    /// # Errors
    /// A refusal with every fault.
    pub async fn check(context: &Context) -> Result<(), Failure> {
        environment::read(context, retries()).await.map(drop)
    }

    /// The HTTP client of a session, for questions that need no credentials, such as those to the instance's metadata
    /// service.
    ///
    /// # Errors
    /// A refusal: settings for AWS that are wrong, a certificate file that cannot be read.
    pub async fn http_client(context: &Context) -> Result<SharedHttpClient, Failure> {
        let environment = environment::read(context, retries()).await?;
        let client = http_client(context, environment.proxies)?;
        Ok(Limit::until(context.deadline).client(client))
    }

    /// Whether calls to a service, by its id such as `S3`, go to an endpoint that the environment or the profile
    /// names, rather than to AWS. Buckets are then addressed by path, for such endpoints rarely have a name for
    /// each bucket.
    #[must_use]
    pub fn has_own_endpoint(&self, service: &str) -> bool {
        self.own_endpoint(service).is_some()
    }

    /// The endpoint that environment or profile name for a service, by the id that its SDK gives it, such as `S3`.
    #[must_use]
    pub fn own_endpoint(&self, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder()
            .service_id(service)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build();
        let own = self.config.service_config().zip(key.ok());
        // As the clients ask for it: it knows profiles, and whether endpoints are ignored.
        own.and_then(|(config, key)| config.load_config(key))
    }
}

async fn prove_credentials(config: &SdkConfig, limit: &Limit) -> Result<(), Failure> {
    let missing = || {
        Failure::refused("no AWS credentials were found; nothing was touched").hint(
            "in CodeBuild they come from the project's service role; elsewhere set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (after `aws sso login` where the profile uses SSO)",
        )
    };
    let provider = config.credentials_provider().ok_or_else(missing)?;
    // What was answered before, such as the region of the instance, is not about credentials.
    limit.take_status();
    match provider.provide_credentials().await {
        Ok(found) => {
            let token = found.session_token();
            let fit = environment::is_word(found.access_key_id())
                && token.is_none_or(environment::is_word);
            fit.then_some(()).ok_or_else(|| {
                Failure::refused("the AWS credentials that were found hold white space or a character that no request can carry")
                    .hint("check where they come from: the profile, the credential process, or the endpoint of the container")
            })
        }
        Err(CredentialsError::CredentialsNotLoaded(_)) => Err(missing()),
        Err(error) => Err(crate::error::of_credentials(&error, limit.take_status())
            .unwrap_or_else(|| missing().cause(crate::error::chain(&error)))),
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

/// The one HTTP client: rustls, the authorities of [`authorities`], the proxies of [`crate::proxy`].
fn http_client(context: &Context, proxies: Proxies) -> Result<SharedHttpClient, Failure> {
    let tls = authorities::tls_context(context)?;
    let client = |proxy: Option<&Proxy>| {
        let tls = tls.clone();
        let proxy = match proxy.map(|proxy| ProxyConfig::all(proxy.address())) {
            Some(Ok(proxy)) => proxy,
            _ => ProxyConfig::disabled(),
        };
        Builder::new().build_with_connector_fn(move |settings, _| {
            let mut builder = ConnectorBuilder::default()
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(tls.clone())
                .proxy_config(proxy.clone());
            builder.set_connector_settings(settings.cloned());
            // Its timeouts count by the clock alone: the SDK's own pauses end with the limit.
            builder.build()
        })
    };
    Ok(SharedHttpClient::new(ByDestination::new(proxies, client)))
}
