//! What every program that calls AWS must do with the settings of the SDK: refuse the wrong ones before any
//! call, ask for credentials directly, and end like a failure where the SDK panics.

use crate::{FakeAws, Program};
use std::path::Path;

/// Settings with a value that the SDK would panic on, or drop. A part of each value is [`MARK`].
const WRONG: [(&str, &str); 16] = [
    ("AWS_MAX_ATTEMPTS", "0-mark"),
    ("AWS_RETRY_MODE", "legacy-mark"),
    ("AWS_REGION", "eu mark"),
    ("AWS_ENDPOINT_URL_EC2", "mark:4566"),
    ("AWS_ENDPOINT_URL_STS", "https://user:mark@sts.example.com"),
    ("AWS_USE_FIPS_ENDPOINT", "mark"),
    ("AWS_USE_DUALSTACK_ENDPOINT", "mark"),
    ("AWS_EC2_METADATA_DISABLED", "mark"),
    ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "mark"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "mark:80"),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "mark"),
    ("AWS_REQUEST_CHECKSUM_CALCULATION", "mark"),
    ("AWS_SECRET_ACCESS_KEY", "mark\n"),
    ("AWS_PROFILE", "mark"),
    ("HTTPS_PROXY", "socks5://user:mark@proxy.example.com:1080"),
    ("http_proxy", "http://user:ma#mark@proxy.example.com"),
];

const MARK: &str = "mark";

/// Checks that each is refused by its name, all at once, without its value and without a call.
///
/// # Panics
/// When one is not.
#[track_caller]
pub fn assert_refused(program: &Program, fake: &FakeAws) {
    let refuses = |program: Program, names: &[&str]| {
        let ran = program.run();
        ran.assert_code(2).assert_stdout("(exit 2)\n");
        for name in names {
            let of = [format!("{name} must be "), format!("{name}: ")];
            let is_named = of.iter().any(|begin| ran.stderr.contains(begin));
            assert!(is_named, "{name}: {ran}");
        }
        ran.refute_stderr(MARK).refute_stderr("panicked");
        assert!(fake.requests().is_empty(), "{:?}", fake.operations());
    };
    let names = WRONG.map(|(name, _)| name);
    refuses(program.clone().envs(WRONG), &names);
    for (name, value) in [
        ("AWS_MAX_ATTEMPTS", "0"),
        ("AWS_MAX_ATTEMPTS", "abc"),
        ("AWS_RETRY_MODE", "legacy"),
    ] {
        refuses(program.clone().env(name, value), &[name]);
    }
    let fips = program.clone().env("AWS_USE_FIPS_ENDPOINT", "yes").run();
    fips.assert_stderr("a setting for AWS is wrong; nothing was called")
        .assert_stderr("AWS_USE_FIPS_ENDPOINT must be true or false");
    let folder = program.home().join(".aws");
    std::fs::create_dir_all(&folder).unwrap();
    let config = folder.join("config");
    std::fs::write(
        &config,
        "[default]\nmax_attempts = 0\n[profile dev]\nretry_mode = legacy-mark\nuse_fips_endpoint = mark\nservices = own\n\
         [services own]\ns3 =\n  endpoint_url = mark:80\n",
    )
    .unwrap();
    // A variable would win.
    let program = program.clone().env_remove("AWS_MAX_ATTEMPTS");
    let of = |profile: &str, key: &str| format!("{}: profile {profile}: {key}", config.display());
    refuses(program.clone(), &[&of("default", "max_attempts")]);
    let dev = program.clone().env("AWS_PROFILE", "dev");
    let keys = ["retry_mode", "use_fips_endpoint", "endpoint_url of S3"].map(|key| of("dev", key));
    refuses(dev, &keys.each_ref().map(String::as_str));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Checks that a panic of the SDK ends the program like a failure, with `code`.
///
/// The SDK panics on a file of partitions that is none, at the first client that it makes. No program of ours
/// has a way to panic on request.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn assert_panic_is_a_failure(program: &Program, code: i32) {
    let partitions = program.home().join("partitions.json");
    std::fs::write(&partitions, "{}").unwrap();
    let exports = program.home().join(".exports");
    let program = program
        .clone()
        .env("SMITHY_CLIENT_SDK_CUSTOM_PARTITION", &partitions);
    let ran = program.run();
    ran.assert_code(code)
        .assert_stdout(&format!("(exit {code})\n"))
        .assert_stderr(" has a defect: it panicked in aws-sdk-")
        .assert_stderr("hint: please report this");
    // What runs on an instance exports nothing.
    let help = program.clone().arg("--help").run();
    if !help.stdout.contains("--export-file") {
        return;
    }
    std::fs::write(&exports, "export A='stale'\n").unwrap();
    let ran = program.arg("--export-file").arg(&exports).run();
    ran.assert_code(code).assert_stdout("");
    assert!(!Path::new(&exports).exists(), "{ran}");
}
