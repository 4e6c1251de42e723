//! The AWS SDK connected to a fake.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_ec2::config::BehaviorVersion;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_types::SdkConfig;
use aws_types::region::Region;
use harness::FakeAws;

/// What clients are made from: no retries, no socket.
pub(crate) fn config(fake: &FakeAws, region: &str) -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .http_client(fake.http_client())
        .build()
}

/// An EC2 client in eu-west-1.
pub(crate) fn ec2(fake: &FakeAws) -> aws_sdk_ec2::Client {
    aws_sdk_ec2::Client::new(&config(fake, "eu-west-1"))
}

/// The code of an error that a service gave.
pub(crate) fn code<T, E, R>(result: Result<T, SdkError<E, R>>) -> String
where
    T: std::fmt::Debug,
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let error = result.unwrap_err();
    let code = error.as_service_error().and_then(|error| error.code());
    match code {
        Some(code) => code.to_owned(),
        None => panic!("{}", DisplayErrorContext(&error)),
    }
}
