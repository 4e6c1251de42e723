//! Secrets among the values.

use super::file;
use crate::program;

#[test]
fn secrets_of_the_build_are_not_exported() {
    let spec = b"version: 0.2\nenv:\n  parameter-store: {DB_PASS: /db}\n  secrets-manager: {TOKEN: app}\n  exported-variables: [NOTE]\nphases: {build: {commands: ['true']}}\n";
    let (_folder, path) = file("buildspec.yml", spec);
    let run = |value: &str| {
        program()
            .env("DB_PASS", "hunter2-hunter2")
            .env("TOKEN", "s3")
            .env("CODEBUILD_AUTH_TOKEN", "build-token-1")
            .env("MY_SECRET", "from-the-project")
            .args(["--secret", "MY_*", "--buildspec"])
            .arg(&path)
            .arg(format!("NOTE={value}"))
            .run()
    };
    for (value, message) in [
        (
            "hunter2-hunter2",
            "NOTE: is the value of DB_PASS, from Parameter Store; output variables are shown in plain text (--allow-secret NOTE exports it anyway)",
        ),
        (
            "url?p=hunter2-hunter2&x",
            "NOTE: holds the value of DB_PASS, from Parameter Store",
        ),
        ("s3", "NOTE: is the value of TOKEN, from Secrets Manager"),
        (
            "xx build-token-1",
            "NOTE: holds the value of CODEBUILD_AUTH_TOKEN, a credential of this build",
        ),
        (
            "fake-secret-for-tests",
            "NOTE: is the value of AWS_SECRET_ACCESS_KEY, a credential of this build",
        ),
        (
            "from-the-project",
            "NOTE: is the value of MY_SECRET, named by --secret",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "NOTE: holds an AWS access key id"),
        (
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "NOTE: holds a GitHub token",
        ),
    ] {
        let ran = run(value);
        ran.assert_code(2)
            .assert_stderr(message)
            .refute_stderr(value);
    }
    // A short secret is in many values by chance.
    run("s3://bucket").assert_code(0);
    program()
        .args(["--allow-secret", "NOTE", "NOTE=fake-secret-for-tests"])
        .run()
        .assert_code(0);
}

#[test]
fn a_secret_that_is_allowed_is_still_masked_for_people() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.env"), "NOTE=s3kr1t-value\n").unwrap();
    std::fs::write(folder.path().join("b.env"), "NOTE=x-s3kr1t-value\n").unwrap();
    let program = || {
        program()
            .dir(folder.path())
            .env("DB", "s3kr1t-value")
            .args(["--secret", "DB"])
    };
    let ran = program()
        .args(["--allow-secret", "NOTE", "NOTE=s3kr1t-value", "--print"])
        .run();
    ran.assert_code(0)
        .assert_stderr("NOTE      *** (12 bytes)")
        .refute_stderr("s3kr1t");
    assert_eq!(ran.exports()["NOTE"], "s3kr1t-value");
    for format in ["sh", "json"] {
        for command in [&["diff", "a.env", "b.env"][..], &["explain", "a.env"]] {
            let ran = harness::Program::new(env!("CARGO_BIN_EXE_export-vars"))
                .dir(folder.path())
                .env("DB", "s3kr1t-value")
                .args([command[0], "--secret", "DB", "--format", format])
                .args(&command[1..])
                .run();
            ran.assert_code(0).refute_stderr("s3kr1t");
            assert!(
                ran.stdout.contains("*** (12 bytes)") && !ran.stdout.contains("s3kr1t"),
                "{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn a_pattern_of_secrets_that_matches_nothing_is_warned_of() {
    let ran = program()
        .env("MY_SECRET", "from-the-project")
        .args(["--secret", "MY_SECRETS", "--secret", "MY_*", "A=1"])
        .run();
    ran.assert_code(0)
        .assert_stderr(
            "--secret MY_SECRETS: matches no variable of the environment, so it protects nothing",
        )
        .refute_stderr("--secret MY_*");
}

#[test]
fn what_may_be_a_secret_is_warned_of() {
    let random = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY9";
    let ran = program()
        .args([&format!("NOTE={random}"), "DB_PASSWORD=x"])
        .run();
    ran.assert_code(0)
        .assert_stderr("NOTE: its value looks drawn at random, as keys and tokens are; output variables are shown in plain text (--allow-secret NOTE if it is not a secret)")
        .assert_stderr("DB_PASSWORD: its name says that it is a secret")
        .refute_stderr(random);
}
