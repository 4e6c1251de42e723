//! Private keys as people give them, and what is said of those that are none: never a part of one.

use std::process::Command;

use harness::{FakeAws, Program, Ran, Reply};

use crate::world::World;

/// `base64`, as people call it.
fn base64(text: &str, arguments: &[&str]) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let output = Command::new("base64")
        .args(arguments)
        .arg(file.path())
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

/// A key in the forms in which it stands in variables and secret stores.
fn forms(pem: &str) -> Vec<String> {
    let flat = pem.trim().replace('\n', " ");
    let json = serde_json::json!({"user": "ubuntu", "pem": pem}).to_string();
    vec![
        pem.to_owned(),
        pem.replace('\n', "\\n"),
        base64(pem, &["-w0"]),
        base64(pem, &[]),
        base64(&flat, &["-w0"]),
        base64(&json, &["-w0"]),
        serde_json::json!({ "pem": flat }).to_string(),
        json,
        flat,
    ]
}

/// Refuses any part of the key, in any form, in all that was printed.
#[track_caller]
fn assert_hidden(ran: &Ran, pem: &str) {
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with('-')).collect();
    // The first line of any key of this kind is the same.
    let content = lines[1..].concat();
    let packed: Vec<String> = (0..3)
        .map(|skip| base64(&content[skip..], &["-w0"]))
        .collect();
    for text in std::iter::once(&content).chain(&packed) {
        for part in text.as_bytes().windows(16) {
            ran.refute_stderr(std::str::from_utf8(part).unwrap());
        }
    }
}

/// The same run, with its log as text and as JSON, by variable and by flag.
fn ways(program: &Program, value: &str) -> Vec<Program> {
    let by_variable = program.clone().env("DEPLOY_APP_SSH_KEY", value);
    let by_flag = program.clone().env_remove("DEPLOY_APP_SSH_KEY");
    vec![
        by_variable.clone(),
        by_variable
            .env("DEPLOY_APP_LOG_FORMAT", "json")
            .env("DEPLOY_APP_LOG", "trace"),
        by_flag.arg("--ssh-key").arg(value),
    ]
}

#[test]
fn the_setting_may_hold_the_key_itself() {
    let Some(world) = World::start() else { return };
    for kind in ["ed25519", "rsa"] {
        let pem = std::fs::read_to_string(world.sshd.user_key_path(kind)).unwrap();
        for value in forms(&pem) {
            let program = world.files_only().env("DEPLOY_APP_DRY_RUN", "1");
            let ran = program.env("DEPLOY_APP_SSH_KEY", &value).run();
            ran.assert_code(0).assert_stdout("");
            assert_hidden(&ran, &pem);
        }
    }
    // As a flag, whose value begins like one; and what the host says about it is hidden.
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ed25519")).unwrap();
    let hook = format!("echo '{pem}'; echo {}", base64(&pem, &["-w0"]));
    let program = world.files_only().env("DEPLOY_APP_BEFORE", hook);
    for (n, program) in ways(&program, &pem).into_iter().enumerate() {
        world.write("content", &n.to_string());
        let ran = program.run();
        ran.assert_code(0);
        assert_hidden(&ran, &pem);
    }
}

#[test]
fn a_key_that_cannot_be_used_is_described_and_not_shown() {
    let Some(world) = World::start() else { return };
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ed25519")).unwrap();
    let public = std::fs::read_to_string(world.sshd.user_key_path("ed25519.pub")).unwrap();
    let locked = world.state().join("locked");
    std::fs::copy(world.sshd.user_key_path("ed25519"), &locked).unwrap();
    let keygen = Command::new("ssh-keygen")
        .args(["-q", "-p", "-N", "secret phrase", "-f"])
        .arg(&locked)
        .status();
    assert!(keygen.unwrap().success());
    let locked = std::fs::read_to_string(locked).unwrap();
    let cut = "holds a part of a private key";
    for (key, told) in [
        (&pem[..pem.len() / 2], cut),
        (&pem[pem.len() / 2..], cut),
        (&locked, "has a passphrase"),
        (&public, "holds a public key"),
        (&pem.replace("OPENSSH", "EC"), "cannot be used"),
    ] {
        for (n, value) in forms(key).into_iter().enumerate() {
            let ran = ways(&world.files_only(), &value).swap_remove(n % 3).run();
            ran.assert_code(2).assert_stderr(told);
            assert_hidden(&ran, &pem);
            assert_hidden(&ran, &locked);
        }
        // From a file, and from where keys are kept.
        let file = world.state().join("key");
        std::fs::write(&file, key).unwrap();
        let aws = FakeAws::start();
        let secret = serde_json::json!({"ARN": "arn:x", "Name": "web", "SecretString": key});
        let parameter =
            serde_json::json!({"Parameter": {"Name": "/k", "Type": "SecureString", "Value": key}});
        aws.on("secretsmanager:GetSecretValue", [Reply::json(&secret)]);
        aws.on("ssm:GetParameter", [Reply::json(&parameter)]);
        for from in [file.to_str().unwrap(), "secretsmanager:web", "ssm:/k"] {
            let program = world.files_only().envs(aws.env());
            let ran = program.env("DEPLOY_APP_SSH_KEY", from).run();
            ran.assert_code(2).assert_stderr(told).assert_stderr(from);
            assert_hidden(&ran, &pem);
            assert_hidden(&ran, &locked);
        }
    }
    // What names no file may be the most of a key.
    let line = pem.lines().nth(3).unwrap();
    let ran = world.files_only().env("DEPLOY_APP_SSH_KEY", line).run();
    ran.assert_code(2)
        .assert_stderr("not a file that can be read")
        .refute_stderr(line);
    let absent = world.state().join("absent.pem");
    let ran = world.files_only().env("DEPLOY_APP_SSH_KEY", &absent).run();
    ran.assert_code(2).assert_stderr(absent.to_str().unwrap());
}

#[test]
fn a_secret_with_one_key_needs_no_name_of_its_field() {
    let Some(world) = World::start() else { return };
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ed25519")).unwrap();
    let aws = FakeAws::start();
    for value in forms(&pem) {
        let secret = serde_json::json!({"ARN": "arn:x", "Name": "web", "SecretString": value});
        aws.on("secretsmanager:GetSecretValue", [Reply::json(&secret)]);
        world
            .files_only()
            .envs(aws.env())
            .env("DEPLOY_APP_SSH_KEY", "secretsmanager:web")
            .env("DEPLOY_APP_DRY_RUN", "1")
            .run()
            .assert_code(0);
    }
    let two = serde_json::json!({"one": pem, "two": pem.replace("OPENSSH", "EC")}).to_string();
    let secret = serde_json::json!({"ARN": "arn:x", "Name": "web", "SecretString": two});
    aws.on("secretsmanager:GetSecretValue", [Reply::json(&secret)]);
    let program = world.files_only().envs(aws.env());
    let ran = program
        .env("DEPLOY_APP_SSH_KEY", "secretsmanager:web")
        .run();
    ran.assert_code(2)
        .assert_stderr("holds several private keys");
    assert_hidden(&ran, &pem);
}

#[test]
fn the_lines_of_a_known_hosts_file_are_taken_as_they_are() {
    let Some(world) = World::start() else { return };
    let program = world.untrusting().env("DEPLOY_APP_DRY_RUN", "1");
    let lines = world.sshd.known_hosts();
    let given = |text: &str| program.clone().env("DEPLOY_APP_KNOWN_HOSTS", text);
    given(&lines).run().assert_code(0);
    given(lines.lines().next().unwrap()).run().assert_code(0);
    given("other ssh-ed25519 AAAA")
        .run()
        .assert_code(2)
        .assert_stderr("nothing is known about the host key");
    given(&lines)
        .env("DEPLOY_APP_TRUST_ON_FIRST_USE", "yes")
        .run()
        .assert_code(2)
        .assert_stderr("needs a file in DEPLOY_APP_KNOWN_HOSTS");
    // A private key in the place of the host's public one.
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ed25519")).unwrap();
    for value in forms(&pem) {
        let ran = program.clone().env("DEPLOY_APP_HOST_KEY", value).run();
        ran.assert_code(2).assert_stderr("a public key looks like");
        assert_hidden(&ran, &pem);
    }
}
