//! A host with a small real application: what the other files deploy.

use crate::transports::Tunneled;
use harness::sshd::{Options, Sshd};
use harness::{Program, Ran};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

/// The application: answers 200 with its content and its release, or 500 when the tree says so.
const APP: &str = r#"
import http.server, os, sys
port, pid_file = int(sys.argv[1]), sys.argv[2]
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        flaps = os.path.exists("flaps") and Handler.asked % 2 == 0
        body = open("content").read().encode()
        self.send_response(500 if flaps or os.path.exists("broken") else 200)
        if not os.path.exists("anonymous"):
            self.send_header("X-Release-Id", os.environ["RELEASE_ID"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
class Server(http.server.HTTPServer):
    allow_reuse_address = True
server = Server(("127.0.0.1", port), Handler)
with open(pid_file, "w") as f:
    f.write(str(os.getpid()))
print("serving", os.environ["RELEASE_ID"], flush=True)
server.serve_forever()
"#;

/// It returns once the application can be stopped.
const START: &str = "#!/bin/sh\necho starting\nsetsid \"$PYTHON\" app.py \"$PORT\" \"$STATE/pid\" &\necho started >>\"$STATE/starts\"\n\
                     n=0; while [ ! -s \"$STATE/pid\" ] && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.1; done\n";
const STOP: &str = "#!/bin/sh\n[ -s \"$STATE/pid\" ] || exit 0\np=$(cat \"$STATE/pid\"); kill \"$p\"; \
                    while kill -0 \"$p\" 2>/dev/null; do sleep 0.05; done; rm -f \"$STATE/pid\"\n";

/// An SSH host, an application here, and folders for both.
pub(crate) struct World {
    pub(crate) sshd: Sshd,
    /// What lies between, where the tests are told to run over a tunnel.
    tunneled: Option<Tunneled>,
    folder: TempDir,
    port: u16,
}

impl World {
    /// `None` when there is no `sshd`.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&Options::default())
    }

    /// With a differing `sshd`.
    pub(crate) fn start_with(options: &Options) -> Option<Self> {
        let sshd = Sshd::start_with(options)?;
        let folder = TempDir::with_prefix("deploy").unwrap();
        let port = harness::free_port();
        let world = Self {
            tunneled: Tunneled::start(&sshd),
            sshd,
            folder,
            port,
        };
        std::fs::create_dir(world.source()).unwrap();
        std::fs::create_dir(world.state()).unwrap();
        world.write("app.py", APP);
        world.write("content", "one");
        for (name, text) in [("start", START), ("stop", STOP)] {
            world.write(name, text);
            executable(&world.source().join(name));
        }
        Some(world)
    }

    /// Whether a tunnel lies between.
    pub(crate) fn is_tunneled(&self) -> bool {
        self.tunneled.is_some()
    }

    /// Where the application listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// The application's folder on the host, which is this machine.
    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("target app")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub(crate) fn write(&self, name: &str, content: &str) {
        let path = self.source().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// What the application's own commands need to know, as shell assignments.
    pub(crate) fn variables(&self) -> String {
        format!(
            "PYTHON={} PORT={} STATE={} ",
            python().display(),
            self.port,
            self.state().display()
        )
    }

    /// Everything but the host's key.
    pub(crate) fn untrusting(&self) -> Program {
        let program = self.at_its_address();
        match &self.tunneled {
            None => program,
            Some(tunneled) => tunneled.over(program),
        }
    }

    /// The same, and never over a tunnel: for tests in which its address matters.
    pub(crate) fn at_its_address(&self) -> Program {
        let command = |name: &str| format!("{}./{name}", self.variables());
        Program::new(env!("CARGO_BIN_EXE_deploy-app"))
            .env(
                "DEPLOY_APP_ADDRESS",
                format!("127.0.0.1:{}", self.sshd.port()),
            )
            .env("DEPLOY_APP_USER", self.sshd.user())
            .env("DEPLOY_APP_SSH_KEY", self.sshd.user_key_path("ed25519"))
            .env("DEPLOY_APP_SOURCE", self.source())
            .env("DEPLOY_APP_TARGET", self.target())
            .env("DEPLOY_APP_RUNTIME", "command")
            .env("DEPLOY_APP_START", command("start"))
            .env("DEPLOY_APP_STOP", command("stop"))
            .env(
                "DEPLOY_APP_HEALTH_URL",
                format!("http://127.0.0.1:{}/collection", self.port),
            )
            .env("DEPLOY_APP_HEALTH_COUNT", "2")
            .env("DEPLOY_APP_HEALTH_TIMEOUT", "8s")
            .env("DEPLOY_APP_SSH_TIMEOUT", "20s")
            .limit(Duration::from_secs(120))
    }

    /// Leaves the lock of another build, web:1, on the host.
    pub(crate) fn leave_lock(&self) {
        let lock = self.target().join(".deploy/lock");
        std::fs::create_dir_all(&lock).unwrap();
        let far = SystemTime::now() + Duration::from_secs(3600);
        let far = far.duration_since(UNIX_EPOCH).unwrap().as_secs();
        for (name, text) in [
            ("owner", "build web:1"),
            ("build", "web:1"),
            ("token", "other"),
            ("expires", &far.to_string()),
        ] {
            std::fs::write(lock.join(name), format!("{text}\n")).unwrap();
        }
    }

    /// Ready to deploy files, and to start nothing.
    pub(crate) fn files_only(&self) -> Program {
        Self::starting_nothing(self.program())
    }

    /// The same, never over a tunnel.
    pub(crate) fn files_only_direct(&self) -> Program {
        Self::starting_nothing(self.direct())
    }

    fn starting_nothing(program: Program) -> Program {
        let away = [
            "DEPLOY_APP_START",
            "DEPLOY_APP_STOP",
            "DEPLOY_APP_HEALTH_URL",
        ];
        away.into_iter()
            .fold(program, Program::env_remove)
            .env("DEPLOY_APP_RUNTIME", "none")
    }

    /// Ready to deploy.
    pub(crate) fn program(&self) -> Program {
        self.untrusting()
            .env("DEPLOY_APP_HOST_KEY", self.sshd.host_key_line("ed25519"))
    }

    /// Ready to deploy to its address, for tests with an AWS of their own.
    pub(crate) fn direct(&self) -> Program {
        self.at_its_address()
            .env("DEPLOY_APP_HOST_KEY", self.sshd.host_key_line("ed25519"))
    }

    /// Deploys, and gives the release that then runs.
    pub(crate) fn deploy(&self) -> String {
        let ran = self.program().run();
        ran.assert_code(0);
        release(&ran)
    }

    /// What the application answers: status, release (empty where it names none) and content.
    pub(crate) fn answer(&self) -> Option<(u16, String, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(b"GET /collection HTTP/1.0\r\n\r\n").ok()?;
        let mut text = String::new();
        stream.read_to_string(&mut text).ok()?;
        let status = text.split(' ').nth(1)?.parse().ok()?;
        let release = text
            .lines()
            .find_map(|line| line.strip_prefix("X-Release-Id: "))
            .unwrap_or_default()
            .to_owned();
        let (_, body) = text.split_once("\r\n\r\n")?;
        Some((status, release, body.to_owned()))
    }

    /// Where `current` leads, without `releases/`.
    pub(crate) fn current(&self) -> Option<String> {
        let link = std::fs::read_link(self.target().join("current")).ok()?;
        Some(
            link.strip_prefix("releases")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
        )
    }

    /// All folders of releases, partial ones included.
    pub(crate) fn releases(&self) -> Vec<String> {
        let Ok(found) = std::fs::read_dir(self.target().join("releases")) else {
            return Vec::new();
        };
        let mut names: Vec<String> = found
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// How often the application was started.
    pub(crate) fn starts(&self) -> usize {
        std::fs::read_to_string(self.state().join("starts"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    /// The lines of the record of deployments.
    pub(crate) fn audit(&self) -> Vec<serde_json::Value> {
        std::fs::read_to_string(self.target().join(".deploy/audit.jsonl"))
            .unwrap_or_default()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(crate) fn assert_unlocked(&self) {
        let left: Vec<_> = std::fs::read_dir(self.target().join(".deploy"))
            .map(|found| {
                found
                    .map(|entry| entry.unwrap().file_name())
                    .filter(|name| name.to_string_lossy().contains("lock"))
                    .collect()
            })
            .unwrap_or_default();
        assert!(left.is_empty(), "{left:?}");
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // It runs in a session of its own, out of the reach of the sshd that started it.
        if let Ok(pid) = std::fs::read_to_string(self.state().join("pid")) {
            drop(std::process::Command::new("kill").arg(pid.trim()).status());
        }
    }
}

/// A folder for programs that the host finds before its own.
pub(crate) struct Tools(TempDir);

impl Tools {
    pub(crate) fn new() -> Self {
        Self(TempDir::with_prefix("tools").unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, script: &str) {
        let path = self.path().join(name);
        std::fs::write(&path, script).unwrap();
        executable(&path);
    }

    /// A server on which they are found.
    pub(crate) fn options(&self) -> Options {
        Options {
            env: vec![format!(
                "PATH={}:/usr/local/bin:/usr/bin:/bin",
                self.path().display()
            )],
            ..Options::default()
        }
    }
}

/// The exported release.
pub(crate) fn release(ran: &Ran) -> String {
    ran.exports()["RELEASE_ID"].clone()
}

pub(crate) fn executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The real interpreter: a version manager's shim in front of it may not work over SSH.
fn python() -> PathBuf {
    let output = std::process::Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()
        .unwrap();
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
