//! A real OpenSSH server as an ordinary process on loopback: "the EC2 instance" of the tests.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::children;
use crate::free_port;

/// The kinds of keys that the host and the user have.
pub const KINDS: [&str; 3] = ["ed25519", "ecdsa", "rsa"];

/// How long the server may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A folder that the tests of one build share.
fn shared(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let build = own.ancestors().find(|folder| folder.ends_with("target"));
    build.map_or_else(std::env::temp_dir, |build| build.join("tmp").join(name))
}

/// What hosts of many tests keep in the user's cache is there once for all of them.
fn shared_cache() -> PathBuf {
    shared("cache")
}

/// In the environment of everything that is started through a server, with the server's folder: a
/// daemon that cut all other ties is still found when the server stops.
const MARK: &str = "HARNESS_SSHD";

/// A running `sshd`; dropping it stops it with everything that was started through it, daemons
/// included.
///
/// It lets the user who runs the tests log in with any of the user keys, and nothing else.
pub struct Sshd {
    child: Child,
    port: u16,
    folder: TempDir,
}

/// How the server differs from the usual one.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Lines for the server's configuration; the first word on a subject wins, and these come first
    /// (all but `SetEnv`: see `env`).
    pub config: Vec<String>,
    /// `NAME=value` for the environment of everything that is started through the server.
    pub env: Vec<String>,
}

impl Sshd {
    /// Starts a server on a free port with new host keys and new user keys. `None`, after
    /// [`crate::missing()`], when OpenSSH's server is not installed.
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn start() -> Option<Self> {
        Self::start_with(&Options::default())
    }

    /// Like [`Sshd::start`], with `options`.
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn start_with(options: &Options) -> Option<Self> {
        let (Some(server), Some(keygen)) = (children::find("sshd"), children::find("ssh-keygen"))
        else {
            crate::missing("OpenSSH's sshd");
            return None;
        };
        let folder = TempDir::with_prefix("sshd").expect("cannot make a temporary folder");
        for kind in KINDS {
            for whose in ["host", "user"] {
                let name = format!("{whose}_{kind}");
                if kind == "rsa" {
                    copy_shared_key(&keygen, kind, &name, folder.path());
                } else {
                    make_key(&keygen, kind, &folder.path().join(name));
                }
            }
        }
        let authorized: String = KINDS
            .map(|kind| read(&folder.path().join(format!("user_{kind}.pub"))))
            .concat();
        std::fs::write(folder.path().join("authorized_keys"), authorized)
            .expect("cannot write the authorized keys");
        privilege_separation_folder();
        let mut sshd = Self::spawn(&server, folder, options);
        sshd.wait_until_it_answers();
        Some(sshd)
    }

    fn spawn(server: &Path, folder: TempDir, options: &Options) -> Self {
        let port = free_port();
        let at = folder.path().display();
        let mut config = options.config.join("\n");
        // Only the first line of its kind counts. A home of its own, because shells read what the user has
        // in theirs, and that may take its time.
        let mut env = vec![
            format!("{MARK}={at}"),
            format!("HOME={at}"),
            format!("XDG_CACHE_HOME={}", shared_cache().display()),
        ];
        env.extend(options.env.iter().cloned());
        let env = env.join(" ");
        config.push_str(&format!(
            "\nListenAddress 127.0.0.1\nPort {port}\nPidFile {at}/pid\n\
             AuthorizedKeysFile {at}/authorized_keys\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
             StrictModes no\nLogLevel VERBOSE\nPrintMotd no\nPrintLastLog no\n\
             SetEnv {env}\nSubsystem sftp internal-sftp\nMaxStartups 100\nMaxSessions 100\n"
        ));
        for kind in KINDS {
            config.push_str(&format!("HostKey {at}/host_{kind}\n"));
        }
        let file = folder.path().join("sshd_config");
        std::fs::write(&file, config).expect("cannot write the configuration");
        let log = std::fs::File::create(folder.path().join("log")).expect("cannot write the log");
        let mut command = Command::new(server);
        // In the foreground, logging to standard error.
        command
            .args(["-D", "-e", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = children::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", server.display()));
        Self {
            child,
            port,
            folder,
        }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user who may log in: the one who runs the tests.
    pub fn user(&self) -> String {
        std::env::var("USER")
            .or_else(|_| std::env::var("LOGNAME"))
            .ok()
            .filter(|user| !user.is_empty())
            .unwrap_or_else(|| {
                let output = Command::new("id")
                    .arg("-un")
                    .output()
                    .expect("cannot run id");
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            })
    }

    /// The private key that may log in, of a kind from [`KINDS`].
    pub fn user_key_path(&self, kind: &str) -> PathBuf {
        self.folder.path().join(format!("user_{kind}"))
    }

    /// The host's public key, such as `ssh-ed25519 AAAA…`, without a comment.
    pub fn host_key_line(&self, kind: &str) -> String {
        let line = read(&self.folder.path().join(format!("host_{kind}.pub")));
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// A `known_hosts` text with all host keys, for `[127.0.0.1]:port`.
    pub fn known_hosts(&self) -> String {
        KINDS
            .map(|kind| format!("[127.0.0.1]:{} {}\n", self.port, self.host_key_line(kind)))
            .concat()
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The server's own folder, which also has room for a test's files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("cannot ask for a child");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "sshd did not start ({ended:?}):\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Each session runs in a session, and so a process group, of its own.
        let mut left = descendants(self.child.id());
        children::kill(&mut self.child);
        left.extend(marked(self.folder.path()));
        for process in left {
            let id = i32::try_from(process)
                .ok()
                .and_then(rustix::process::Pid::from_raw);
            if let Some(id) = id {
                // One that has ended already is what we want.
                let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
            }
        }
    }
}

/// Making an RSA key takes half a second of a processor, so every server has the same pair.
fn copy_shared_key(keygen: &Path, kind: &str, name: &str, to: &Path) {
    let keys = shared("keys");
    std::fs::create_dir_all(&keys).expect("cannot make the folder of shared keys");
    let lock = std::fs::File::create(keys.join("lock")).expect("cannot make a lock");
    lock.lock().expect("cannot lock the shared keys");
    let public = format!("{name}.pub");
    if !keys.join(&public).exists() {
        // The public half is written last.
        let _ = std::fs::remove_file(keys.join(name));
        make_key(keygen, kind, &keys.join(name));
    }
    for name in [name, &public] {
        std::fs::copy(keys.join(name), to.join(name)).expect("cannot copy a shared key");
    }
}

fn make_key(keygen: &Path, kind: &str, file: &Path) {
    // 2048 bits are made ten times faster than the default and are good enough for a test.
    let bits: &[&str] = if kind == "rsa" { &["-b", "2048"] } else { &[] };
    let status = Command::new(keygen)
        .args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"])
        .arg(file)
        .args(bits)
        .stdin(Stdio::null())
        .status()
        .expect("cannot run ssh-keygen");
    assert!(status.success(), "ssh-keygen makes no {kind} key: {status}");
}

/// As root, `sshd` insists on an empty folder for its unprivileged part, which the system's own
/// start-up would make.
fn privilege_separation_folder() {
    if rustix::process::geteuid().is_root() {
        // `sshd` says so itself when the folder cannot be made.
        let _ = std::fs::create_dir_all("/run/sshd");
    }
}

/// The ids of all processes.
fn processes() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Every process that was started through the server in `folder`.
fn marked(folder: &Path) -> Vec<u32> {
    let mark = format!("{MARK}={}", folder.display());
    let carries = |id: &u32| {
        let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
        environment
            .split(|byte| *byte == 0)
            .any(|entry| entry == mark.as_bytes())
    };
    processes().filter(carries).collect()
}

/// Every process that descends from `root`, read from `/proc`.
fn descendants(root: u32) -> Vec<u32> {
    let parent_of = |id: u32| -> Option<u32> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name in parentheses may hold anything; the parent is the second field after it.
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    };
    let all: Vec<(u32, u32)> = processes()
        .filter_map(|id| Some((id, parent_of(id)?)))
        .collect();
    let mut found = vec![root];
    let mut at = 0;
    while at < found.len() {
        let parent = found[at];
        found.extend(
            all.iter()
                .filter(|(_, of)| *of == parent)
                .map(|(id, _)| *id),
        );
        at += 1;
    }
    found.remove(0);
    found
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()))
}
