//! The container of a build, of Docker or Podman: its items run inside one after the other, over the same folders.
//!
//! The container lives as long as the standard input of `docker run`, which this program holds: however this program ends,
//! the container ends too, and `--rm` removes it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use action::failure::Failure;
use action::wait::Limits;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::ids::random_id;
use crate::process::PATIENCE;
use crate::users;

/// The commands that are looked for, in this order.
const ENGINES: [&str; 2] = ["docker", "podman"];

/// The first process: it says that it is there, and waits for the end of its input.
const FIRST_PROCESS: &str = "echo ready; read _";

/// Tells whether nothing but the first process and this script runs.
const IS_IDLE: &str = "for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = 1 ] || [ $p = $$ ] || [ ! -e /proc/$p/exe ] || exit 1; done";

/// How long a command of the engine that changes nothing for long may take.
const ENGINE_PATIENCE: Duration = Duration::from_secs(15);

/// A container that runs.
#[derive(Debug)]
pub(crate) struct Container {
    engine: PathBuf,
    name: String,
    run: Child,
}

impl Container {
    /// Starts one over these folders, which have the same names inside. What the engine says meanwhile, such as the
    /// progress of a pull, is told.
    pub(crate) async fn start(
        image: &str,
        folders: &[&Path],
        prefix: &str,
        limits: &Limits,
    ) -> Result<Self, Failure> {
        let deed = format!("cannot start a container of {image} for the build {prefix}");
        let broken = |error: io::Error| Failure::failed(deed.clone()).cause(error);
        let engine = engine().ok_or_else(|| {
            Failure::refused(deed.clone())
                .cause("neither docker nor podman is on PATH")
                .hint("without --in-container the build runs on this machine as it is")
        })?;
        let name = format!("run-pipeline-{}", random_id().map_err(broken)?);
        let mut command = Command::new(&engine);
        // Endpoints of emulators on this machine are reached as they are outside.
        command.args(["run", "--rm", "-i", "--network", "host", "--name", &name]);
        for folder in folders {
            let folder = folder.display();
            command.arg("-v").arg(format!("{folder}:{folder}"));
        }
        if let Some(user) = own_user(&engine) {
            command.arg("--user").arg(user);
        }
        command
            .args(["--entrypoint", "sh", image, "-c", FIRST_PROCESS])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Not of our group: Ctrl-C on a terminal is for the items first.
            .process_group(0)
            .kill_on_drop(true);
        let mut run = command.spawn().map_err(broken)?;
        let mut said = BufReader::new(
            run.stdout
                .take()
                .ok_or_else(|| Failure::failed(deed.clone()).cause("the engine has no output"))?,
        );
        let errors = run.stderr.take();
        let telling = tokio::spawn(tell(errors, prefix.to_owned()));
        let starting = async {
            let mut line = String::new();
            said.read_line(&mut line).await.map_err(broken)?;
            if line.trim() == "ready" {
                return Ok(());
            }
            let status = run.wait().await.map_err(broken)?;
            let last = telling.await.unwrap_or_default();
            Err(Failure::failed(deed.clone())
                .cause(format!("{} ended with {status}: {last}", engine.display())))
        };
        limits
            .in_time(&format!("a container of {image} was started"), starting)
            .await?;
        tracing::info!("{prefix}: runs in a container of {image}");
        Ok(Self { engine, name, run })
    }

    /// A command inside, in a folder, up to the program and its arguments.
    pub(crate) fn exec(&self, folder: &Path, user: Option<&str>) -> std::process::Command {
        let mut command = std::process::Command::new(&self.engine);
        command.arg("exec").arg("-w").arg(folder);
        if let Some(user) = user {
            command.args(["-u", user]);
        }
        command.arg(&self.name);
        command
    }

    /// Ends what runs inside: SIGTERM, and a minute to clean up.
    pub(crate) async fn terminate(&self) {
        self.script("kill -TERM -1").await;
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline && !self.script(IS_IDLE).await {
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Runs a script inside; gives whether it succeeded.
    async fn script(&self, script: &str) -> bool {
        let mut command = Command::from(self.exec(Path::new("/"), None));
        command
            .args(["sh", "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let ended = timeout(ENGINE_PATIENCE, command.status()).await;
        ended.is_ok_and(|status| status.is_ok_and(|status| status.success()))
    }

    /// Ends and removes it.
    pub(crate) async fn close(mut self) {
        drop(self.run.stdin.take());
        if timeout(ENGINE_PATIENCE, self.run.wait()).await.is_ok() {
            return;
        }
        let mut command = Command::new(&self.engine);
        command
            .args(["rm", "--force", &self.name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let removed = timeout(ENGINE_PATIENCE, command.status()).await;
        if !removed.is_ok_and(|status| status.is_ok_and(|status| status.success())) {
            tracing::warn!(
                "the container {} may still be there: {} rm --force {}",
                self.name,
                self.engine.display(),
                self.name
            );
        }
    }
}

/// Tells each line; gives the last one.
async fn tell(stream: Option<impl AsyncRead + Unpin>, prefix: String) -> String {
    let mut last = String::new();
    let Some(stream) = stream else { return last };
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !line.trim().is_empty() {
            tracing::info!("{prefix} | {line}");
            last = line;
        }
    }
    last
}

fn engine() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    ENGINES.iter().find_map(|engine| {
        let found = folders.iter().map(|folder| folder.join(engine));
        found.into_iter().find(|file| file.is_file())
    })
}

/// The user inside: root for root, as in CodeBuild; everybody else as they are, so that the files stay theirs. Podman
/// without root makes its root the one who calls it.
fn own_user(engine: &Path) -> Option<String> {
    if users::is_root() || engine.file_name().is_some_and(|name| name == "podman") {
        return None;
    }
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    Some(format!("{}:{}", user.as_raw(), group.as_raw()))
}
