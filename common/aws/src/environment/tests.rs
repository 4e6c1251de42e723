#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::known::{ALL, ENDPOINT, SERVICES};

/// For each setting values that the SDK would drop or panic on, and one that it takes.
const CASES: &[(&str, &[&str], &str)] = &[
    (
        "AWS_MAX_ATTEMPTS",
        &["0", "abc", "-1", "1.5", " 3", "1001", "4294967295"],
        "3",
    ),
    ("AWS_RETRY_MODE", &["legacy", "on"], "adaptive"),
    ("AWS_NEW_RETRIES_2026", &["1"], "true"),
    ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", &["yes", "1"], "True"),
    (
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        &[
            "localhost:8080",
            "localhost",
            "/v2/credentials",
            "ftp://localhost/",
            "http://",
            "http://a:b@localhost/",
        ],
        "http://localhost:8080/credentials",
    ),
    (
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        &["169.254.169.254", "http:"],
        "http://[fd00:ec2::254]/",
    ),
    (
        "AWS_REGION",
        &["eu west 1", "eu-west-1\n", "-eu", "eu.west"],
        "eu-west-1",
    ),
    ("AWS_DEFAULT_REGION", &["eu_west_1"], "us-gov-west-1"),
    (
        "AWS_ACCESS_KEY_ID",
        &["AKIA\n", "AKIA é", " AKIA"],
        "AKIAIOSFODNN7EXAMPLE",
    ),
    ("AWS_SECRET_ACCESS_KEY", &["secret\r"], "a/b+c="),
    ("AWS_SESSION_TOKEN", &["to\nken"], "a/b+c=="),
    ("AWS_USE_FIPS_ENDPOINT", &["yes", "1", "on"], "TRUE"),
    ("AWS_USE_DUALSTACK_ENDPOINT", &["0"], "false"),
    ("AWS_DISABLE_REQUEST_COMPRESSION", &["0"], "false"),
    ("AWS_DISABLE_CLOCK_SKEW_CORRECTION", &["0"], "false"),
    ("AWS_S3_DISABLE_EXPRESS_SESSION_AUTH", &["0"], "false"),
    ("AWS_EC2_METADATA_DISABLED", &["1", "yes"], "true"),
    (
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        &["v6", "6"],
        "IPv6",
    ),
    (
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        &["10k", "-1", "10485761"],
        "10240",
    ),
    ("AWS_ACCOUNT_ID_ENDPOINT_MODE", &["always"], "required"),
    (
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        &["always"],
        "when_required",
    ),
    (
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        &["never"],
        "WHEN_SUPPORTED",
    ),
    ("AWS_SDK_UA_APP_ID", &["my app", "a/b"], "my-app"),
    (
        "AWS_AUTH_SCHEME_PREFERENCE",
        &["sigv4,,sigv4a", ","],
        "sigv4, sigv4a",
    ),
    ("AWS_SIGV4A_SIGNING_REGION_SET", &[",", " "], "*"),
    (
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        &["v2/credentials", "*", "http://169.254.170.2/", "/a b"],
        "/v2/credentials/0a",
    ),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN", &["a\nb"], "Basic abc"),
    (
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        &["/nowhere", "/"],
        "/dev/null",
    ),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", &["/nowhere"], "/dev/null"),
    ("AWS_EXECUTION_ENV", &["a\nb"], "AWS_ECS_EC2"),
    (
        "SMITHY_CLIENT_SDK_CUSTOM_PARTITION",
        &["/nowhere"],
        "/dev/null",
    ),
];

#[test]
fn every_setting_of_the_sdk_takes_its_good_values_and_no_others() {
    assert!(
        ALL.iter()
            .map(|known| known.variable)
            .eq(CASES.iter().map(|case| case.0))
    );
    for (known, (name, bad, good)) in ALL.iter().zip(CASES) {
        assert!((known.fits)(good), "{name}={good}");
        for bad in *bad {
            assert!(!(known.fits)(bad), "{name}={bad:?}");
        }
    }
    for bad in [
        "localhost:4566",
        "moto",
        "",
        "http://",
        "https://user:secret@moto",
    ] {
        assert!(!(ENDPOINT.fits)(bad), "{bad}");
    }
    assert!((ENDPOINT.fits)("http://[::1]:4566"));
}

#[test]
fn a_service_has_the_variable_that_the_sdk_reads() {
    let names: Vec<_> = SERVICES.iter().map(|service| service.variable()).collect();
    for name in [
        "AWS_ENDPOINT_URL_EC2_INSTANCE_CONNECT",
        "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2",
        "AWS_ENDPOINT_URL_SSO_OIDC",
        "AWS_ENDPOINT_URL_S3",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}
