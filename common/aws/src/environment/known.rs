//! Every setting that the SDK reads, and what it must be. Where the SDK has a reader of its own, that judges.

use crate::proxy::has_good_port;
use action::settings::value::RegionName;
use aws_config::imds::client::EndpointMode;
use aws_smithy_types::retry::RetryMode;
use aws_types::app_name::AppName;
use aws_types::endpoint_config::AccountIdEndpointMode;
use aws_types::sdk_config::{RequestChecksumCalculation, ResponseChecksumValidation};
use hyper::Uri;
use hyper::header::HeaderValue;
use std::path::Path;
use std::str::FromStr as _;

/// A setting of the SDK.
pub(super) struct Known {
    /// Its variable.
    pub(super) variable: &'static str,
    /// Its key in a profile, where it has one.
    pub(super) key: Option<&'static str>,
    /// What a value must be, after "must be".
    pub(super) must: &'static str,
    /// Whether a value is that.
    pub(super) fits: fn(&str) -> bool,
}

impl Known {
    const fn new(
        variable: &'static str,
        key: &'static str,
        must: &'static str,
        fits: fn(&str) -> bool,
    ) -> Self {
        let key = Some(key);
        Self {
            variable,
            key,
            must,
            fits,
        }
    }

    const fn variable(variable: &'static str, must: &'static str, fits: fn(&str) -> bool) -> Self {
        Self {
            variable,
            key: None,
            must,
            fits,
        }
    }

    const fn switch(variable: &'static str, key: &'static str) -> Self {
        Self::new(variable, key, SWITCH, is_switch)
    }
}

const SWITCH: &str = "true or false";
/// Before each call the SDK adds up the pauses of all its attempts, one by one: for 4,294,967,295 that takes minutes.
const MOST_ATTEMPTS: u32 = 1000;

pub(super) const MAX_ATTEMPTS: Known = Known::new(
    "AWS_MAX_ATTEMPTS",
    "max_attempts",
    "a whole number from 1 to 1000",
    |text| {
        text.parse()
            .is_ok_and(|attempts: u32| (1..=MOST_ATTEMPTS).contains(&attempts))
    },
);
pub(super) const RETRY_MODE: Known = Known::new(
    "AWS_RETRY_MODE",
    "retry_mode",
    "standard or adaptive (legacy is a mode of the AWS CLI and boto3 only)",
    |text| RetryMode::from_str(text).is_ok(),
);
pub(super) const NEW_RETRIES: Known = Known::variable("AWS_NEW_RETRIES_2026", SWITCH, is_switch);
pub(super) const IGNORE_ENDPOINTS: Known = Known::switch(
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "ignore_configured_endpoint_urls",
);
/// Its own is not in [`ALL`]: endpoints may be ignored.
pub(super) const ENDPOINT: Known = Known::new(
    "AWS_ENDPOINT_URL",
    "endpoint_url",
    "an http:// or https:// address with a host, without user and password",
    is_address,
);
pub(super) const CONTAINER_CREDENTIALS: Known = Known::variable(
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "an http:// or https:// address with a host, without user and password",
    is_address,
);
pub(super) const METADATA_ENDPOINT: Known = Known::new(
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "ec2_metadata_service_endpoint",
    "an http:// or https:// address with a host, without user and password",
    is_address,
);

const REGION: &str = "the name of a region, such as eu-west-1";
const WITHOUT_SPACE: &str = "one word of printable characters (is a line break at its end?)";

/// The settings of `aws-config` 1.13 and of the service crates of that time, but for endpoints.
/// `AWS_DEFAULTS_MODE` and `AWS_STS_REGIONAL_ENDPOINTS` are not among them: this SDK does not read them.
pub(super) const ALL: &[Known] = &[
    MAX_ATTEMPTS,
    RETRY_MODE,
    NEW_RETRIES,
    IGNORE_ENDPOINTS,
    CONTAINER_CREDENTIALS,
    METADATA_ENDPOINT,
    Known::new("AWS_REGION", "region", REGION, is_region),
    Known::variable("AWS_DEFAULT_REGION", REGION, is_region),
    Known::variable("AWS_ACCESS_KEY_ID", WITHOUT_SPACE, is_word),
    Known::variable("AWS_SECRET_ACCESS_KEY", WITHOUT_SPACE, is_word),
    Known::variable("AWS_SESSION_TOKEN", WITHOUT_SPACE, is_word),
    Known::switch("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
    Known::switch("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
    Known::switch(
        "AWS_DISABLE_REQUEST_COMPRESSION",
        "disable_request_compression",
    ),
    Known::switch(
        "AWS_DISABLE_CLOCK_SKEW_CORRECTION",
        "disable_clock_skew_correction",
    ),
    Known::switch(
        "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
        "s3_disable_express_session_auth",
    ),
    Known::variable("AWS_EC2_METADATA_DISABLED", SWITCH, is_switch),
    Known::new(
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        "ec2_metadata_service_endpoint_mode",
        "IPv4 or IPv6",
        |text| EndpointMode::from_str(text).is_ok(),
    ),
    Known::new(
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        "request_min_compression_size_bytes",
        "a whole number of bytes up to 10485760",
        |text| text.parse().is_ok_and(|bytes: u32| bytes <= 10_485_760),
    ),
    Known::new(
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        "account_id_endpoint_mode",
        "preferred, disabled or required",
        |text| AccountIdEndpointMode::from_str(text).is_ok(),
    ),
    Known::new(
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        "request_checksum_calculation",
        "WHEN_SUPPORTED or WHEN_REQUIRED",
        |text| RequestChecksumCalculation::from_str(text).is_ok(),
    ),
    Known::new(
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        "response_checksum_validation",
        "WHEN_SUPPORTED or WHEN_REQUIRED",
        |text| ResponseChecksumValidation::from_str(text).is_ok(),
    ),
    Known::new(
        "AWS_SDK_UA_APP_ID",
        "sdk_ua_app_id",
        "the name of an application (letters, digits and !#$%&'*+-.^_`|~)",
        |text| AppName::new(text.to_owned()).is_ok(),
    ),
    Known::new(
        "AWS_AUTH_SCHEME_PREFERENCE",
        "auth_scheme_preference",
        "a list of names with commas between them",
        |text| text.split(',').all(|name| !name.trim().is_empty()),
    ),
    Known::new(
        "AWS_SIGV4A_SIGNING_REGION_SET",
        "sigv4a_signing_region_set",
        "a list of regions with commas between them",
        |text| text.split(',').any(|name| !name.trim().is_empty()),
    ),
    Known::variable(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "a path that begins with /",
        |text| text.starts_with('/') && text.parse::<Uri>().is_ok(),
    ),
    Known::variable(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "text that an HTTP header can carry",
        is_header,
    ),
    Known::variable(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "the name of a file that can be read",
        is_file,
    ),
    Known::variable(
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "the name of a file that can be read",
        is_file,
    ),
    Known::variable(
        "AWS_EXECUTION_ENV",
        "text that an HTTP header can carry",
        is_header,
    ),
    // Its content is the SDK's own matter.
    Known::variable(
        "SMITHY_CLIENT_SDK_CUSTOM_PARTITION",
        "the name of a file that can be read",
        is_file,
    ),
];

/// A service that some program calls, or that gives credentials.
pub(super) struct Service {
    /// Its id, as the SDK has it.
    pub(super) id: &'static str,
}

impl Service {
    /// The variable of its own endpoint.
    pub(super) fn variable(&self) -> String {
        let id = self.id.to_ascii_uppercase().replace(' ', "_");
        format!("{}_{id}", ENDPOINT.variable)
    }
}

pub(super) const SERVICES: &[Service] = &[
    Service { id: "Auto Scaling" },
    Service {
        id: "CloudFormation",
    },
    Service { id: "CodeBuild" },
    Service { id: "CodePipeline" },
    Service { id: "EBS" },
    Service { id: "EC2" },
    Service {
        id: "EC2 Instance Connect",
    },
    Service {
        id: "Elastic Load Balancing v2",
    },
    Service { id: "KMS" },
    Service { id: "S3" },
    Service {
        id: "Secrets Manager",
    },
    Service { id: "SSM" },
    Service { id: "SSO" },
    Service { id: "SSO OIDC" },
    Service { id: "STS" },
];

fn is_switch(text: &str) -> bool {
    ["true", "false"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

fn is_address(text: &str) -> bool {
    let Ok(address) = text.parse::<Uri>() else {
        return false;
    };
    let has_user = address
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'));
    matches!(address.scheme_str(), Some("http" | "https"))
        && address.host().is_some_and(|host| !host.is_empty())
        && has_good_port(&address)
        && !has_user
}

/// What a header of a signed request can hold. The SDK panics on anything else.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_region(text: &str) -> bool {
    text.parse::<RegionName>().is_ok()
}

fn is_header(text: &str) -> bool {
    HeaderValue::from_str(text).is_ok()
}

fn is_file(text: &str) -> bool {
    std::fs::File::open(Path::new(text))
        .is_ok_and(|file| file.metadata().is_ok_and(|found| !found.is_dir()))
}
