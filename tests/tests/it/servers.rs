//! sshd, moto and the shells, each with a client that is not ours.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::moto::Moto;
use harness::shells;
use harness::sshd::{KINDS, Sshd};

fn ssh(sshd: &Sshd, kind: &str, known_hosts: &Path, command: &str) -> std::process::Output {
    Command::new("ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "StrictHostKeyChecking=yes",
        ])
        .args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .arg("-i")
        .arg(sshd.user_key_path(kind))
        .args([
            "-p",
            &sshd.port().to_string(),
            "-l",
            &sshd.user(),
            "127.0.0.1",
            command,
        ])
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_ssh_client_logs_in_with_each_kind_of_key() {
    let Some(sshd) = Sshd::start() else { return };
    if Command::new("ssh").arg("-V").output().is_err() {
        return harness::missing("OpenSSH's client");
    }
    let known_hosts = sshd.folder().join("known_hosts");
    std::fs::write(&known_hosts, sshd.known_hosts()).unwrap();
    for kind in KINDS {
        let output = ssh(&sshd, kind, &known_hosts, "echo hello; exit 5");
        assert_eq!(output.status.code(), Some(5), "{kind}: {}", sshd.log());
        assert_eq!(output.stdout, b"hello\n");
    }
    assert!(sshd.log().contains("Accepted publickey"));
    // A host with other keys is not this one.
    let Some(other) = Sshd::start() else { return };
    let wrong = other
        .known_hosts()
        .replace(&other.port().to_string(), &sshd.port().to_string());
    std::fs::write(&known_hosts, wrong).unwrap();
    assert_eq!(
        ssh(&sshd, "ed25519", &known_hosts, "true").status.code(),
        Some(255)
    );
}

#[test]
fn a_server_that_stops_takes_its_daemons_along() {
    let Some(sshd) = Sshd::start() else { return };
    let known_hosts = sshd.folder().join("known_hosts");
    std::fs::write(&known_hosts, sshd.known_hosts()).unwrap();
    let daemon = "setsid sh -c 'echo $$; exec sleep 600' < /dev/null 2> /dev/null & sleep 0.2";
    let output = ssh(
        &sshd,
        "ed25519",
        &known_hosts,
        &format!("({daemon}) | head -n 1"),
    );
    let id: u32 = String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let runs = || Path::new(&format!("/proc/{id}/cmdline")).exists() && !ended(id);
    assert!(runs());
    drop(sshd);
    let deadline = Instant::now() + Duration::from_secs(5);
    while runs() {
        assert!(Instant::now() < deadline, "the daemon lives on");
        std::thread::yield_now();
    }
}

/// A process that nobody has collected yet still has a number.
fn ended(id: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{id}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[test]
fn moto_starts_answers_and_forgets() {
    let Some(moto) = Moto::start() else { return };
    let params = [
        ("ImageId", "ami-12c6146b"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    let started = moto.query("ec2", "RunInstances", &params);
    assert!(
        started.contains("<imageId>ami-12c6146b</imageId>"),
        "{started}"
    );
    assert!(
        moto.query("ec2", "DescribeInstances", &[])
            .contains("<instanceId>i-")
    );
    let region = b"<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assert_eq!(moto.s3("PUT", "/bucket-of-tests", region).0, 200);
    moto.reset();
    assert!(
        !moto
            .query("ec2", "DescribeInstances", &[])
            .contains("<instanceId>i-")
    );
}

#[test]
fn every_shell_reads_quoted_values_and_loses_unquoted_ones() {
    for shell in shells::found() {
        let text = b"export A='it'\\''s $HOME `id` \\'\nexport B=' two\nlines '\n";
        let values = shells::round_trip(&shell, text, &["A", "B"]);
        assert_eq!(values[0], b"it's $HOME `id` \\", "{}", shell.name);
        assert_eq!(values[1], b" two\nlines ", "{}", shell.name);
        let values = shells::round_trip(&shell, b"export A=a\\b\n", &["A"]);
        assert_eq!(values[0], b"ab", "{}", shell.name);
    }
}
