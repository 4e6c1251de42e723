//! Clients that ask a fake, set up as a session sets them up.

use aws::limit::Limit;
use aws::session::{retries, timeouts};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::{BehaviorVersion, Region};
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use harness::FakeAws;

/// With the retries of every program.
pub(crate) fn config(fake: &FakeAws, limit: &Limit) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(retries())
        .timeout_config(timeouts())
        .http_client(limit.client(fake.http_client()))
        .sleep_impl(limit.sleep())
        .build()
}

/// Without retries.
pub(crate) fn once(fake: &FakeAws, limit: &Limit) -> SdkConfig {
    let config = config(fake, limit).to_builder();
    config.retry_config(RetryConfig::disabled()).build()
}
