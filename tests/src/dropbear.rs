//! A real dropbear server as an ordinary process on loopback: the SSH server of small hosts.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::children;
use crate::free_port;

/// How long the server may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A running `dropbear`; dropping it stops it. It lets root log in with one key, and nobody else.
///
/// It reads `authorized_keys` in the home folder that the system has for the user, so it runs in a mount namespace of its
/// own, in which another folder lies there: nothing else of the real one is there for its commands.
pub struct Dropbear {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Dropbear {
    /// Starts a server on a free port with a new host key and a new user key, with these further arguments. `None`, after
    /// [`crate::missing()`], where it is not installed, or the tests may not make a mount namespace.
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let tools = ["dropbear", "dropbearkey", "ssh-keygen", "unshare"].map(children::find);
        let [Some(server), Some(hostkey), Some(keygen), Some(unshare)] = tools else {
            crate::missing("dropbear");
            return None;
        };
        let may_mount = Command::new(&unshare)
            .args(["-m", "true"])
            .stderr(Stdio::null())
            .status();
        if !rustix::process::geteuid().is_root() || !may_mount.is_ok_and(|status| status.success())
        {
            crate::missing("the right to a mount namespace, for dropbear");
            return None;
        }
        let folder = TempDir::with_prefix("dropbear").expect("cannot make a temporary folder");
        let at = folder.path();
        let user_key = at.join("user_ed25519");
        run(Command::new(keygen)
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
            .arg(&user_key));
        run(Command::new(hostkey)
            .args(["-t", "ed25519", "-f"])
            .arg(at.join("host_key"))
            .stdout(Stdio::null())
            .stderr(Stdio::null()));
        let ssh = at.join("home/.ssh");
        std::fs::create_dir_all(&ssh).expect("cannot make a folder");
        std::fs::copy(at.join("user_ed25519.pub"), ssh.join("authorized_keys"))
            .expect("cannot authorize the key");
        for private in [at.join("home"), ssh.clone(), ssh.join("authorized_keys")] {
            run(Command::new("chmod").arg("go-rwx").arg(private));
        }
        let port = free_port();
        let log = std::fs::File::create(at.join("log")).expect("cannot write the log");
        let script = "mount --bind \"$1\" ~root && shift && exec \"$@\"";
        let mut command = Command::new(unshare);
        command
            .args(["-m", "--propagation", "private", "bash", "-c", script, "-"])
            .arg(at.join("home"))
            .arg(server)
            .args(["-F", "-E", "-s", "-p", &format!("127.0.0.1:{port}"), "-r"])
            .arg(at.join("host_key"))
            .arg("-P")
            .arg(at.join("pid"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = children::spawn(&mut command).expect("cannot run unshare");
        let mut dropbear = Self {
            child,
            port,
            folder,
        };
        dropbear.wait_until_it_answers();
        Some(dropbear)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private key that may log in as root.
    pub fn user_key_path(&self) -> PathBuf {
        self.folder.path().join("user_ed25519")
    }

    /// The host's public key, such as `ssh-ed25519 AAAA…`, without a comment.
    ///
    /// # Panics
    /// When `dropbearkey` does not print it.
    pub fn host_key_line(&self) -> String {
        let output = Command::new("dropbearkey")
            .args(["-y", "-f"])
            .arg(self.folder.path().join("host_key"))
            .output()
            .expect("cannot run dropbearkey");
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().find(|line| line.starts_with("ssh-"));
        let words = line.expect("dropbearkey prints a key").split_whitespace();
        words.take(2).collect::<Vec<_>>().join(" ")
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The server's own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.child.try_wait().expect("cannot ask for a child");
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "dropbear did not start ({ended:?}):\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        children::kill(&mut self.child);
    }
}

fn run(command: &mut Command) {
    let status = command.status().expect("cannot run a program");
    assert!(status.success(), "{command:?}: {status}");
}
