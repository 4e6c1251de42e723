//! The ways into a host: keys, certificates, agents, jump hosts, and what servers allow.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::Program;
use harness::dropbear::Dropbear;
use harness::sshd::{Options, Sshd};

use crate::world::World;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A key of this kind that no server knows yet, with further words for `ssh-keygen`.
fn key(folder: &Path, name: &str, words: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let fixed = ["-q", "-C", name, "-f", path.to_str().unwrap()];
    run("ssh-keygen", &[&fixed, words].concat());
    path
}

/// Lets a key log in, besides those that may.
fn authorize(sshd: &Sshd, line: &str) {
    let file = sshd.folder().join("authorized_keys");
    let before = std::fs::read_to_string(&file).unwrap();
    std::fs::write(file, format!("{before}{line}\n")).unwrap();
}

fn public(key: &Path) -> String {
    let line = std::fs::read_to_string(format!("{}.pub", key.display())).unwrap();
    line.trim().to_owned()
}

fn with_config(lines: &[&str]) -> Option<World> {
    World::start_with(&Options {
        config: lines.iter().map(|line| (*line).to_owned()).collect(),
        ..Options::default()
    })
}

/// Looks at the host, and changes nothing.
fn look(world: &World) -> Program {
    world.files_only().env("DEPLOY_APP_DRY_RUN", "1")
}

#[test]
fn a_host_in_fips_mode_is_deployed_to() {
    let Some(world) = with_config(&[
        "KexAlgorithms ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521",
        "Ciphers aes256-gcm@openssh.com,aes256-ctr",
        "MACs hmac-sha2-256-etm@openssh.com,hmac-sha2-512",
        "HostKeyAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512",
        "PubkeyAcceptedAlgorithms ecdsa-sha2-nistp256,rsa-sha2-512",
    ]) else {
        return;
    };
    let host_key = world.sshd.host_key_line("ecdsa");
    let program = world.files_only().env("DEPLOY_APP_HOST_KEY", host_key);
    program
        .clone()
        .env("DEPLOY_APP_SSH_KEY", world.sshd.user_key_path("ecdsa"))
        .run()
        .assert_code(0);
    program
        .run()
        .assert_code(3)
        .assert_stderr("with ssh-ed25519 SHA256:");
}

#[test]
fn every_curve_of_nist_is_enough() {
    for curve in ["ecdh-sha2-nistp384", "ecdh-sha2-nistp521"] {
        let Some(world) = with_config(&[&format!("KexAlgorithms {curve}")]) else {
            return;
        };
        look(&world).run().assert_code(0);
    }
}

#[test]
fn known_hosts_lines_and_what_ssh_keyscan_prints_are_taken_as_they_are() {
    let Some(world) = World::start() else { return };
    let program = world.untrusting().env("DEPLOY_APP_DRY_RUN", "1");
    let port = world.sshd.port().to_string();
    let scanned = run("ssh-keyscan", &["-p", &port, "127.0.0.1"]);
    assert!(scanned.starts_with('['), "{scanned}");
    let given = |lines: &str| program.clone().env("DEPLOY_APP_HOST_KEY", lines);
    given(&scanned).run().assert_code(0);
    // A line for another host is none for this one.
    given(&scanned.replace("127.0.0.1", "192.0.2.1"))
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_HOST_KEY names only other hosts, not [127.0.0.1]:");
    let without_port = format!("127.0.0.1 {}\n", world.sshd.host_key_line("ed25519"));
    let given = |lines: String| program.clone().env("DEPLOY_APP_KNOWN_HOSTS", lines);
    given(without_port.clone()).run().assert_code(0);
    let other = Sshd::start().unwrap().host_key_line("ed25519");
    given(format!("[127.0.0.1]:{port} {other}\n{without_port}"))
        .run()
        .assert_code(2)
        .assert_stderr("is not the known one");
}

#[test]
fn the_home_folder_may_be_written_as_a_tilde() {
    let Some(world) = World::start() else { return };
    let home = world.state();
    std::fs::write(home.join("hosts"), world.sshd.known_hosts()).unwrap();
    std::fs::copy(world.sshd.user_key_path("ed25519"), home.join("key")).unwrap();
    let program = world.untrusting().env("HOME", &home);
    program
        .clone()
        .env("DEPLOY_APP_KNOWN_HOSTS", "~/hosts")
        .env("DEPLOY_APP_SSH_KEY", "~/key")
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(0);
    program
        .clone()
        .env("DEPLOY_APP_SSH_KEY", "~other/key")
        .run()
        .assert_code(2)
        .assert_stderr("only `~/` stands for a home folder");
    program
        .env("DEPLOY_APP_TARGET", "~/app")
        .run()
        .assert_code(2)
        .assert_stderr("is not an absolute path");
}

#[test]
fn a_key_with_a_passphrase_is_opened_and_the_passphrase_is_shown_nowhere() {
    let Some(world) = World::start() else { return };
    let phrase = "correct horse";
    // Few rounds: what takes long here is what should take long for others.
    let forms: [&[&str]; 3] = [
        &["-t", "ed25519", "-N", phrase, "-a", "1"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", phrase],
        &["-t", "ecdsa", "-m", "PKCS8", "-N", phrase],
    ];
    for (n, words) in forms.into_iter().enumerate() {
        let key = key(&world.state(), &format!("locked{n}"), words);
        authorize(&world.sshd, &public(&key));
        let program = look(&world).env("DEPLOY_APP_SSH_KEY", &key);
        program
            .run()
            .assert_code(2)
            .assert_stderr("DEPLOY_APP_SSH_KEY_PASSPHRASE");
        program
            .clone()
            .env("DEPLOY_APP_SSH_KEY_PASSPHRASE", "battery staple")
            .run()
            .assert_code(2)
            .assert_stderr("a passphrase that is not the one given")
            .refute_stderr("battery");
        let opened = program.env("DEPLOY_APP_SSH_KEY_PASSPHRASE", phrase);
        opened.run().assert_code(0).refute_stderr(phrase);
        let text = std::fs::read_to_string(&key).unwrap();
        let flat = text.trim().replace('\n', " ");
        opened.env("DEPLOY_APP_SSH_KEY", flat).run().assert_code(0);
    }
}

#[test]
fn a_certificate_of_a_user_is_offered_before_its_key() {
    let Some(world) = World::start() else { return };
    let folder = world.state();
    let authority = key(&folder, "authority", &["-t", "ed25519", "-N", ""]);
    authorize(
        &world.sshd,
        &format!("cert-authority {}", public(&authority)),
    );
    let user = world.sshd.user();
    let sign = |key: &Path, words: &[&str]| {
        let public = format!("{}.pub", key.display());
        let fixed = ["-q", "-s", authority.to_str().unwrap(), "-I", "release"];
        run("ssh-keygen", &[&fixed, words, &[&public]].concat());
    };
    for kind in ["ed25519", "rsa", "ecdsa"] {
        let key = key(&folder, kind, &["-t", kind, "-N", ""]);
        sign(&key, &["-n", &user]);
        // Beside the key; as a setting, without the file; as text.
        let program = look(&world).env("DEPLOY_APP_SSH_KEY", &key);
        program.run().assert_code(0);
        let moved = folder.join(format!("{kind}-certificate"));
        std::fs::rename(folder.join(format!("{kind}-cert.pub")), &moved).unwrap();
        program
            .run()
            .assert_code(3)
            .assert_stderr("the server refused user");
        let text = std::fs::read_to_string(&moved).unwrap();
        for value in [moved.to_str().unwrap(), text.trim()] {
            let program = program.clone().env("DEPLOY_APP_SSH_CERTIFICATE", value);
            program.run().assert_code(0);
        }
        sign(&key, &["-n", &user, "-V", "20200101:20200102"]);
        program
            .run()
            .assert_code(3)
            .assert_stderr("with certificate `release` for")
            .assert_stderr(", expired and ");
    }
    let other = world.sshd.user_key_path("ed25519");
    let given = |value: &Path| {
        let program = look(&world).env("DEPLOY_APP_SSH_KEY", &other);
        program.env("DEPLOY_APP_SSH_CERTIFICATE", value).run()
    };
    given(&folder.join("ed25519-certificate"))
        .assert_code(2)
        .assert_stderr("which belongs to another private key");
    given(&other)
        .assert_code(2)
        .assert_stderr("is not an OpenSSH certificate");
}

/// An agent, ended with the test.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("agent");
        let child = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "the agent did not start");
            std::thread::yield_now();
        }
        Self { child, socket }
    }

    fn add(&self, key: &Path) {
        let added = Command::new("ssh-add")
            .env("SSH_AUTH_SOCK", &self.socket)
            .arg("-q")
            .arg(key)
            .status();
        assert!(added.unwrap().success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn the_keys_of_an_agent_are_offered() {
    let Some(world) = World::start() else { return };
    let agent = Agent::start(&world.state());
    let program = look(&world).env("DEPLOY_APP_SSH_KEY", "agent");
    program
        .clone()
        .env_remove("SSH_AUTH_SOCK")
        .run()
        .assert_code(2)
        .assert_stderr("SSH_AUTH_SOCK is not set");
    let program = program.env("SSH_AUTH_SOCK", &agent.socket);
    program.run().assert_code(2).assert_stderr("has no keys");
    let stranger = key(&world.state(), "stranger", &["-t", "ed25519", "-N", ""]);
    agent.add(&stranger);
    program
        .run()
        .assert_code(3)
        .assert_stderr("with ssh-ed25519 SHA256:");
    for kind in ["rsa", "ecdsa"] {
        agent.add(&world.sshd.user_key_path(kind));
    }
    program.run().assert_code(0);
    let only = |which: &str| {
        program
            .clone()
            .env("DEPLOY_APP_SSH_KEY", format!("agent:{which}"))
    };
    only("stranger").run().assert_code(3);
    let listed = run(
        "ssh-keygen",
        &[
            "-l",
            "-f",
            world.sshd.user_key_path("rsa").to_str().unwrap(),
        ],
    );
    only(listed.split(' ').nth(1).unwrap()).run().assert_code(0);
    only("absent")
        .run()
        .assert_code(2)
        .assert_stderr("none with the fingerprint or comment `absent`");
}

/// Lets the keys of one server log in to another.
fn share_keys(from: &Sshd, to: &Sshd) {
    share_keys_of(&from.user_key_path("ed25519"), to);
}

fn share_keys_of(key: &Path, to: &Sshd) {
    authorize(to, &public(key));
}

fn known_hosts(servers: &[&Sshd]) -> String {
    servers.iter().map(|sshd| sshd.known_hosts()).collect()
}

#[test]
fn a_host_behind_others_is_deployed_to_and_each_proves_its_key() {
    let Some(world) = World::start() else { return };
    let (first, second) = (Sshd::start().unwrap(), Sshd::start().unwrap());
    share_keys(&world.sshd, &first);
    share_keys(&world.sshd, &second);
    let user = world.sshd.user();
    let jumps = format!(
        "{user}@127.0.0.1:{},127.0.0.1:{}",
        first.port(),
        second.port()
    );
    let hosts = world.state().join("hosts");
    let program = world
        .files_only()
        .env_remove("DEPLOY_APP_HOST_KEY")
        .env("DEPLOY_APP_KNOWN_HOSTS", &hosts)
        .env("DEPLOY_APP_JUMP", &jumps);
    std::fs::write(&hosts, known_hosts(&[&world.sshd, &first, &second])).unwrap();
    program.run().assert_code(0);
    for server in [&first, &second] {
        assert!(
            server.log().contains("Accepted publickey"),
            "{}",
            server.log()
        );
    }
    // One that nothing is known about, and one that has another key.
    std::fs::write(&hosts, known_hosts(&[&world.sshd, &first])).unwrap();
    program
        .run()
        .assert_code(2)
        .assert_stderr("nothing is known about the host key of the jump host");
    let text = known_hosts(&[&world.sshd, &first])
        + &first.known_hosts().replace(
            &format!(":{}", first.port()),
            &format!(":{}", second.port()),
        );
    std::fs::write(&hosts, text).unwrap();
    program.run().assert_code(2).assert_stderr(&format!(
        "the host key of the jump host 127.0.0.1:{} is not the known one",
        second.port()
    ));
    // A line without a name is for the host alone; one with the name of a jump host is for that.
    std::fs::write(&hosts, "").unwrap();
    let own = world.sshd.host_key_line("ed25519");
    let named = format!("{own}\n{}", known_hosts(&[&first, &second]));
    let program = program.env("DEPLOY_APP_DRY_RUN", "1");
    program
        .clone()
        .env("DEPLOY_APP_HOST_KEY", named)
        .run()
        .assert_code(0);
    program
        .clone()
        .env("DEPLOY_APP_HOST_KEY", own)
        .run()
        .assert_code(2)
        .assert_stderr("nothing is known about the host key of the jump host");
    let program = program.env("DEPLOY_APP_TRUST_ON_FIRST_USE", "yes");
    program.run().assert_code(0);
    assert_eq!(std::fs::read_to_string(&hosts).unwrap(), "", "a dry run");
    program
        .env_remove("DEPLOY_APP_DRY_RUN")
        .run()
        .assert_code(0);
    let written = std::fs::read_to_string(&hosts).unwrap();
    assert!(
        written.contains(&format!("[127.0.0.1]:{} ", first.port())),
        "{written}"
    );
}

#[test]
fn a_jump_host_that_lets_nobody_on_is_told_at_once() {
    let Some(world) = World::start() else { return };
    let options = Options {
        config: vec!["AllowTcpForwarding no".to_owned()],
        ..Options::default()
    };
    let jump = Sshd::start_with(&options).unwrap();
    share_keys(&world.sshd, &jump);
    let program = world
        .files_only()
        .env_remove("DEPLOY_APP_HOST_KEY")
        .env("DEPLOY_APP_KNOWN_HOSTS", known_hosts(&[&world.sshd, &jump]))
        .env("DEPLOY_APP_JUMP", format!("127.0.0.1:{}", jump.port()));
    program
        .run()
        .assert_code(3)
        .assert_stderr("through its jump host")
        .assert_stderr("AllowTcpForwarding");
    assert_eq!(jump.log().matches("Accepted publickey").count(), 1);
    program
        .env("DEPLOY_APP_JUMP", "not a host")
        .run()
        .assert_code(2)
        .assert_stderr("[user@]host[:port]");
}

#[test]
fn an_ssh_config_says_how_to_get_to_a_host() {
    let Some(world) = World::start() else { return };
    let jump = Sshd::start().unwrap();
    share_keys(&world.sshd, &jump);
    let home = world.state();
    let file = home.join("config");
    let hosts = home.join("my hosts");
    let alias = world.sshd.host_key_line("ecdsa");
    std::fs::write(&hosts, format!("web {alias}\n{}", jump.known_hosts())).unwrap();
    std::fs::copy(world.sshd.user_key_path("ed25519"), home.join("id")).unwrap();
    let config = format!(
        "Host web\n HostName 127.0.0.1\n Port {}\n HostKeyAlias web\n ProxyJump bastion\n\
         Host bastion\n HostName 127.0.0.1\n Port {}\n\
         Host *\n User {}\n IdentityFile ~/absent\n IdentityFile %d/id\n UserKnownHostsFile \"~/my hosts\"\n",
        world.sshd.port(),
        jump.port(),
        world.sshd.user()
    );
    std::fs::write(&file, &config).unwrap();
    let program = ["USER", "SSH_KEY", "HOST_KEY"]
        .into_iter()
        .fold(world.files_only(), |program, name| {
            program.env_remove(format!("DEPLOY_APP_{name}"))
        })
        .env("HOME", &home)
        .env("DEPLOY_APP_ADDRESS", "web")
        .env("DEPLOY_APP_SSH_CONFIG", &file);
    let ran = program.run();
    ran.assert_code(0);
    assert_eq!(ran.exports()["EC2_PUBLIC_IP"], "127.0.0.1");
    assert!(jump.log().contains("Accepted publickey"));
    // Settings win.
    let program = program.env("DEPLOY_APP_DRY_RUN", "1");
    let before = jump.log().matches("Accepted publickey").count();
    program
        .clone()
        .env("DEPLOY_APP_JUMP", "none")
        .run()
        .assert_code(0);
    assert_eq!(jump.log().matches("Accepted publickey").count(), before);
    program
        .clone()
        .env("DEPLOY_APP_USER", "nobody-here")
        .run()
        .assert_code(3)
        .assert_stderr("nobody-here");
    for (line, told) in [
        (" ProxyCommand nc %h %p", "`ProxyCommand` is not supported"),
        ("Match all", "`Match` is not supported"),
        (
            " StrictHostKeyChecking no",
            "`StrictHostKeyChecking` is not supported",
        ),
    ] {
        std::fs::write(&file, format!("{config}{line}\n")).unwrap();
        program.run().assert_code(2).assert_stderr(told);
    }
    std::fs::write(&file, config.replace("ProxyJump bastion", "ProxyJump web")).unwrap();
    program
        .run()
        .assert_code(2)
        .assert_stderr("more than 8 jump hosts");
}

#[test]
fn a_host_that_runs_one_command_at_a_time_is_deployed_to() {
    let Some(world) = with_config(&["MaxSessions 1"]) else {
        return;
    };
    let program = world.files_only().env("DEPLOY_APP_BEFORE", "echo migrated");
    program.run().assert_code(0);
    world.assert_unlocked();
}

#[test]
fn a_refusal_tells_what_was_offered_and_what_the_server_says() {
    let Some(banner) = World::start() else { return };
    let text = banner.state().join("banner");
    std::fs::write(&text, "Authorised staff only.\n").unwrap();
    let Some(world) = with_config(&[&format!("Banner {}", text.display())]) else {
        return;
    };
    let stranger = key(&world.state(), "stranger", &["-t", "ed25519", "-N", ""]);
    let listed = run("ssh-keygen", &["-l", "-f", stranger.to_str().unwrap()]);
    world
        .files_only()
        .env("DEPLOY_APP_SSH_KEY", &stranger)
        .run()
        .assert_code(3)
        .assert_stderr(&format!(
            "with ssh-ed25519 {}",
            listed.split(' ').nth(1).unwrap()
        ))
        .assert_stderr("it says: Authorised staff only.");
    // At once, since the host was up: no key will come to it. The harness connected once, too.
    assert_eq!(world.sshd.log().matches("Connection from").count(), 2);
}

#[test]
fn a_host_with_dropbear_is_deployed_to_directly_and_through_another() {
    let Some(host) = Dropbear::start(&[]) else {
        return;
    };
    let Some(world) = World::start() else { return };
    let program = world
        .files_only()
        .env("DEPLOY_APP_BEFORE", "echo migrated")
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", host.port()))
        .env("DEPLOY_APP_USER", "root")
        .env("DEPLOY_APP_SSH_KEY", host.user_key_path())
        .env("DEPLOY_APP_HOST_KEY", host.host_key_line());
    program
        .run()
        .assert_code(0)
        .assert_stderr("before: migrated");
    world.assert_unlocked();
    // As a jump host, which is dropbear's part of the way, and to the host behind it.
    share_keys_of(&host.user_key_path(), &world.sshd);
    let lines = [
        world.sshd.host_key_line("ed25519"),
        format!("[127.0.0.1]:{} {}", host.port(), host.host_key_line()),
    ];
    let through = look(&world)
        .env("DEPLOY_APP_SSH_KEY", host.user_key_path())
        .env("DEPLOY_APP_HOST_KEY", lines.join("\n"))
        .env("DEPLOY_APP_JUMP", format!("root@127.0.0.1:{}", host.port()));
    through.run().assert_code(0);
    // One that forwards nothing.
    let Some(closed) = Dropbear::start(&["-j"]) else {
        return;
    };
    let lines = [
        world.sshd.host_key_line("ed25519"),
        format!("[127.0.0.1]:{} {}", closed.port(), closed.host_key_line()),
    ];
    through
        .env("DEPLOY_APP_SSH_KEY", closed.user_key_path())
        .env("DEPLOY_APP_HOST_KEY", lines.join("\n"))
        .env(
            "DEPLOY_APP_JUMP",
            format!("root@127.0.0.1:{}", closed.port()),
        )
        .run()
        .assert_code(3)
        .assert_stderr("through its jump host");
}
