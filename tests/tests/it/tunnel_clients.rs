//! The agent of Session Manager that the tests speak to, tried with clients that are not ours: npm's `ssm-session` and
//! PyPI's `aws-ssm-bridge`. Both are used with AWS.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::sshd::Sshd;
use harness::tunnel::{Agent, Behaviour};
use harness::{FakeAws, Program, build_folder};

/// A file that `scripts/setup tunnel-clients` puts into the build folder.
fn installed(path: &str) -> Option<PathBuf> {
    let file = build_folder().join("tunnel-clients").join(path);
    if !file.exists() {
        harness::missing(path);
        return None;
    }
    file.canonicalize().ok()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(name)
}

/// A port behind which a shell reads commands.
fn shell() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let output = OwnedFd::from(stream.try_clone().unwrap());
        let shell = Command::new("sh")
            .stdin(Stdio::from(OwnedFd::from(stream)))
            .stdout(Stdio::from(output))
            .status();
        shell.unwrap();
    });
    port
}

#[test]
fn a_shell_answers_the_npm_package_ssm_session() {
    let Some(modules) = installed("npm/node_modules") else {
        return;
    };
    let behaviour = Behaviour {
        is_shell: true,
        // The package sends half of the digest's hexadecimal digits, and AWS takes that.
        judges_digests: false,
        ..Behaviour::default()
    };
    let agent = Agent::start(shell(), &behaviour);
    let (session, token) = agent.session();
    let long = "x".repeat(50_000);
    let ran = Program::new("/usr/bin/env")
        .arg("node")
        .arg(script("ssm-session.cjs"))
        .arg(agent.url(&session))
        .arg(token)
        .arg(format!(
            "echo $((6 * 7))\necho {long}\necho the-$((1 + 1))nd-end\n"
        ))
        .arg("the-2nd-end\n")
        .env("NODE_PATH", modules)
        .run();
    ran.assert_code(0);
    assert_eq!(ran.stdout, format!("42\n{long}\nthe-2nd-end\n"), "{ran}");
}

/// Logs in with OpenSSH's client over `aws-ssm-bridge`, and sends bytes there and back.
fn logs_in(behaviour: &Behaviour) {
    let (Some(python), Some(sshd)) = (installed("venv/bin/python"), Sshd::start()) else {
        return;
    };
    let aws = FakeAws::start_tls();
    let agent = Agent::start_tls(&aws, sshd.port(), behaviour);
    agent.serve(&aws);
    let at = |name: &str, text: &str| {
        let file = sshd.folder().join(name);
        std::fs::write(&file, text).unwrap();
        file
    };
    // It sends its token to AWS's own names alone, so that these lead here.
    let names = at("hosts", &format!("127.0.0.1 {}\n", Agent::TLS_NAME));
    let key = sshd.host_key_line("ed25519");
    let known_hosts = at("known_hosts", &format!("i-0123456789abcdef0 {key}\n"));
    let over = format!(
        "env LD_PRELOAD=libnss_wrapper.so NSS_WRAPPER_HOSTS={} {} {} %h",
        names.display(),
        // Not resolved: its folder says which packages it has.
        build_folder()
            .canonicalize()
            .unwrap()
            .join("tunnel-clients/venv/bin/python")
            .display(),
        script("aws-ssm-bridge.py").display(),
    );
    assert!(python.exists());
    let sent: String = (0..20_000).map(|n| format!("{n} ")).collect();
    let ran = Program::new("/usr/bin/ssh")
        .args([
            "-F",
            "none",
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args([
            "-o",
            "IdentityAgent=none",
            "-o",
            "StrictHostKeyChecking=yes",
        ])
        .arg("-o")
        .arg(format!("UserKnownHostsFile={}", known_hosts.display()))
        .arg("-o")
        .arg(format!("ProxyCommand={over}"))
        .arg("-i")
        .arg(sshd.user_key_path("ed25519"))
        .args(["-l", &sshd.user(), "i-0123456789abcdef0", "cat; exit 5"])
        .envs(aws.env())
        .env("SSL_CERT_FILE", aws.ca_bundle())
        .stdin(sent.as_str())
        .limit(Duration::from_secs(60))
        .run();
    ran.assert_code(5);
    assert_eq!(ran.stdout, sent, "{ran}");
    assert_eq!(agent.connections(), 1);
}

#[test]
fn ssh_reaches_a_host_over_the_pypi_package_aws_ssm_bridge() {
    logs_in(&Behaviour {
        greets: false,
        ..Behaviour::default()
    });
}

#[test]
fn ssh_reaches_a_host_over_aws_ssm_bridge_when_the_session_is_encrypted() {
    logs_in(&Behaviour {
        greets: false,
        kms_key: Some("alias/sessions".to_owned()),
        ..Behaviour::default()
    });
}
