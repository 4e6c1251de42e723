//! Builds inside of a container: of a real Docker engine, with an image of BusyBox alone.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Program, missing};
use tempfile::TempDir;

const IMAGE: &str = "busybox-alone";

/// An engine of this test's own, with the image. It has no network of its own, for the builds have the machine's.
struct Engine {
    folder: TempDir,
    engine: Child,
}

impl Engine {
    fn start() -> Option<Self> {
        let has = |program: &str| {
            Command::new("sh")
                .args(["-c", &format!("command -v {program}")])
                .output()
                .is_ok_and(|found| found.status.success())
        };
        if !rustix::process::geteuid().is_root()
            || !["dockerd", "docker", "busybox", "tar"]
                .iter()
                .all(|one| has(one))
        {
            missing("a Docker engine and BusyBox, as root");
            return None;
        }
        let folder = tempfile::Builder::new().prefix("engine").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let log = std::fs::File::create(path("log")).unwrap();
        let engine = Command::new("dockerd")
            .args([
                "--bridge",
                "none",
                "--iptables=false",
                "--ip6tables=false",
                "--storage-driver",
                "vfs",
            ])
            .arg("--data-root")
            .arg(path("data"))
            .arg("--exec-root")
            .arg(path("exec"))
            .arg("--pidfile")
            .arg(path("pid"))
            .arg("--host")
            .arg(format!("unix://{}", path("socket").display()))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut this = Self { folder, engine };
        let until = Instant::now() + Duration::from_secs(60);
        while !this.docker(&["version"]).0 {
            if this.engine.try_wait().unwrap().is_some() || Instant::now() > until {
                let log = std::fs::read_to_string(this.folder.path().join("log")).unwrap();
                // Not every machine lets an engine run.
                missing(&format!("a Docker engine that starts: {log}"));
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        this.import();
        Some(this)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// Whether it succeeded, and what it said.
    fn docker(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new("docker");
        let output = command
            .args(arguments)
            .env("DOCKER_HOST", self.host())
            .output()
            .unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    }

    /// Makes the image: BusyBox with what it is linked with, and a user.
    fn import(&self) {
        let root = self.folder.path().join("root");
        let script = r#"set -e
mkdir -p "$1/bin" "$1/etc" "$1/tmp" && chmod 1777 "$1/tmp"
busybox=$(readlink -f "$(command -v busybox)")
cp "$busybox" "$1/bin/busybox"
for applet in sh cat grep head id ls mkdir rm sed sleep touch wc; do ln -s busybox "$1/bin/$applet"; done
ldd "$busybox" 2>/dev/null | grep -o '/[^ ]*' | while read -r file; do mkdir -p "$1$(dirname "$file")"; cp -L "$file" "$1$file"; done
printf 'root:x:0:0:root:/root:/bin/sh\nbuilder:x:4321:4321:b:/tmp:/bin/sh\n' > "$1/etc/passwd"
tar -C "$1" -c . | docker import - busybox-alone"#;
        let output = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(&root)
            .env("DOCKER_HOST", self.host())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn containers(&self) -> String {
        self.docker(&["ps", "--all", "--quiet"]).1
    }

    fn program(&self, folder: &Path, spec: &str) -> Program {
        std::fs::write(folder.join("buildspec.yml"), spec).unwrap();
        Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
            .dir(folder)
            .args(["buildspec", "buildspec.yml", "--in-container", IMAGE])
            .env("DOCKER_HOST", self.host())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        drop(
            Command::new("kill")
                .arg(self.engine.id().to_string())
                .status(),
        );
        drop(self.engine.wait());
        let under = self.folder.path().display().to_string();
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounts = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        let mut own: Vec<PathBuf> = mounts
            .filter(|one| one.starts_with(&under))
            .map(PathBuf::from)
            .collect();
        own.sort();
        for mount in own.iter().rev() {
            drop(Command::new("umount").arg("--lazy").arg(mount).status());
        }
    }
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One engine for all, because it takes seconds to start.
#[test]
fn builds_run_inside_of_a_container() {
    let Some(engine) = Engine::start() else {
        return;
    };
    items_follow_each_other(&engine);
    another_user_runs_a_phase(&engine);
    a_failure_is_that_of_the_item(&engine);
    sigterm_lets_it_clean_up(&engine);
    a_killed_program_leaves_no_container(&engine);
    an_image_that_is_not_there_is_told(&engine);
}

fn items_follow_each_other(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("input"), "from here").unwrap();
    let spec = r#"version: 0.2
env: {exported-variables: [A, B, WHERE], variables: {GIVEN: "it's $given"}}
phases:
  install:
    runtime-versions: {python: 3.12}
    commands: ['touch /tmp/installed', 'mkdir deep && cd deep']
  build:
    commands:
      - test -e /tmp/installed && test ! -e /usr/bin/dockerd
      - A="$GIVEN $(cat ../input)"
      - |
        B='two
        lines'
      - WHERE=$PATH; echo "I am $(id -u) in $PWD"
      - echo out > ../output
"#;
    let ran = engine.program(folder.path(), spec).run();
    ran.assert_code(0)
        .assert_stderr("runs in a container of busybox-alone")
        .assert_stderr("python 3.12, which is not on PATH")
        .assert_stderr("buildspec | I am 0 in");
    let exports = ran.exports();
    assert_eq!(exports["A"], "it's $given from here");
    assert_eq!(exports["B"], "two\nlines");
    assert!(
        !exports["WHERE"].contains(".cargo"),
        "the image's own PATH: {}",
        exports["WHERE"]
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("output")).unwrap(),
        "out\n"
    );
    assert_eq!(engine.containers(), "");
}

fn another_user_runs_a_phase(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let spec = "version: 0.2
env: {exported-variables: [WHO]}
phases:
  build: {run-as: builder, commands: ['WHO=$(id -u)']}
";
    let ran = engine.program(folder.path(), spec).run();
    assert_eq!(ran.assert_code(0).exports()["WHO"], "4321");
}

fn a_failure_is_that_of_the_item(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let spec = "version: 0.2\nphases: {build: {commands: ['exit 7']}}\n";
    engine
        .program(folder.path(), spec)
        .run()
        .assert_code(1)
        .assert_stderr("the item at buildspec.yml:2 ended with 7");
    assert_eq!(engine.containers(), "");
}

const SLOW: &str = "version: 0.2
phases:
  build:
    commands:
      - sh -c 'trap \"sleep 1; echo clean > clean; exit 0\" TERM; echo going; while true; do sleep 1; done'
";

fn sigterm_lets_it_clean_up(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let running = engine.program(folder.path(), SLOW).spawn();
    running.wait_for_stderr("| going", Duration::from_secs(30));
    running.signal(15);
    running.finish().assert_code(143);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("clean")).unwrap(),
        "clean\n"
    );
    assert_eq!(engine.containers(), "");
}

fn a_killed_program_leaves_no_container(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let running = engine.program(folder.path(), SLOW).spawn();
    running.wait_for_stderr("| going", Duration::from_secs(30));
    running.signal(9);
    running.finish();
    eventually("the container is still there", || {
        engine.containers().is_empty()
    });
}

fn an_image_that_is_not_there_is_told(engine: &Engine) {
    let folder = tempfile::tempdir().unwrap();
    let program = engine.program(
        folder.path(),
        "version: 0.2\nphases: {build: {commands: ['true']}}\n",
    );
    program
        .env("RUN_PIPELINE_TIMEOUT", "60s")
        .env("RUN_PIPELINE_IN_CONTAINER", "")
        .run()
        .assert_code(0);
    let bare = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args([
            "buildspec",
            "buildspec.yml",
            "--in-container",
            "localhost:1/no/image:1",
        ])
        .env("DOCKER_HOST", engine.host());
    bare.run()
        .assert_code(1)
        .assert_stderr("cannot start a container of localhost:1/no/image:1");
}
