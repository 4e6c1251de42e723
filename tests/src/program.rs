//! Runs a built program as a user would: clean environment, own home, hard time limit.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::children;

/// How long a program may run unless a test says otherwise.
const LIMIT: Duration = Duration::from_secs(60);

/// The file to run for `built`: itself, or its namesake in `ACTIONS_BIN` when cargo built it and it is
/// one of those that ship (each has a folder of its name under `bins/`).
fn shipped(built: &Path) -> PathBuf {
    let tests = std::env::current_exe().unwrap_or_default();
    // This test is TARGET/debug/deps/it-…, and the program TARGET/debug/NAME.
    let ours = tests
        .ancestors()
        .nth(2)
        .is_some_and(|folder| Some(folder) == built.parent());
    match (std::env::var_os("ACTIONS_BIN"), built.file_name()) {
        (Some(folder), Some(name)) if ours && !folder.is_empty() && ships(name) => {
            let shipped = PathBuf::from(folder).join(name);
            assert!(
                shipped.is_file(),
                "ACTIONS_BIN: there is no {}",
                shipped.display()
            );
            shipped
        }
        _ => built.into(),
    }
}

fn ships(name: &OsStr) -> bool {
    let bins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bins");
    bins.join(name).is_dir()
}

/// A program with its environment and arguments, ready to run, any number of times.
///
/// The environment starts empty but for `PATH`, a temporary `HOME`, fake static credentials,
/// `AWS_REGION=eu-west-1` and `AWS_EC2_METADATA_DISABLED=true`.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
    folder: Option<PathBuf>,
    stdin: Vec<u8>,
    limit: Duration,
    home: Arc<TempDir>,
}

impl Program {
    /// The file that runs.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A run of the file at `path`, usually `env!("CARGO_BIN_EXE_make-ami")`. With `ACTIONS_BIN`
    /// in the environment of the tests, the program of that name in that folder runs instead of the
    /// one that cargo built: the same tests prove what ships.
    ///
    /// # Panics
    /// When that folder lacks the program.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = shipped(path.as_ref());
        let home = TempDir::with_prefix("home").expect("cannot make a temporary home");
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: OsString| environment.insert(name.into(), value);
        set("PATH", std::env::var_os("PATH").unwrap_or_default());
        set("HOME", home.path().into());
        set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".into());
        set("AWS_SECRET_ACCESS_KEY", "fake-secret-for-tests".into());
        set("AWS_REGION", "eu-west-1".into());
        set("AWS_EC2_METADATA_DISABLED", "true".into());
        Self {
            path,
            arguments: Vec::new(),
            environment,
            folder: None,
            stdin: Vec::new(),
            limit: LIMIT,
            home: Arc::new(home),
        }
    }

    /// The program of ours with this name, as cargo built it for the tests of its own package, or
    /// from `ACTIONS_BIN` as with [`Program::new`]: for tests over several programs. `None`, after
    /// [`crate::missing()`], where the whole workspace was not built.
    pub fn of_workspace(name: &str) -> Option<Self> {
        let tests = std::env::current_exe().unwrap_or_default();
        // This test is TARGET/debug/deps/it-…, and the program TARGET/debug/NAME.
        let built = tests.ancestors().nth(2).map(|folder| folder.join(name))?;
        if shipped(&built).is_file() {
            return Some(Self::new(built));
        }
        crate::missing(&format!("{name} (cargo build --workspace --bins)"));
        None
    }

    /// Empties the environment: no credentials, no region, no home, no `PATH`.
    #[must_use]
    pub fn bare(mut self) -> Self {
        self.environment.clear();
        self
    }

    /// Sets one environment variable.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .insert(name.as_ref().into(), value.as_ref().into());
        self
    }

    /// Sets several environment variables.
    #[must_use]
    pub fn envs<N: AsRef<OsStr>, V: AsRef<OsStr>>(
        self,
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        pairs
            .into_iter()
            .fold(self, |program, (name, value)| program.env(name, value))
    }

    /// Takes one variable out of the environment.
    #[must_use]
    pub fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.environment.remove(name.as_ref());
        self
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().into());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Self {
        arguments.into_iter().fold(self, Program::arg)
    }

    /// Runs in `folder` instead of the test's own.
    #[must_use]
    pub fn dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.folder = Some(folder.as_ref().into());
        self
    }

    /// Feeds `bytes` to standard input, which is otherwise empty.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Kills the program and all it started after `limit` instead of a minute.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The temporary home folder, for files such as `.aws/config`.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs the program to its end, or to the limit.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn run(&self) -> Ran {
        self.spawn().finish()
    }

    /// Starts the program and returns while it runs.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self) -> Running {
        let mut command = Command::new(&self.path);
        command
            .args(&self.arguments)
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let started = Instant::now();
        let mut child = children::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.path.display()));
        let mut input = child.stdin.take().expect("stdin is piped");
        let bytes = self.stdin.clone();
        // A program that reads nothing closes the pipe; that is not the test's business.
        std::thread::spawn(move || input.write_all(&bytes));
        let stdout = Captured::from(child.stdout.take().expect("stdout is piped"), started);
        let stderr = Captured::from(child.stderr.take().expect("stderr is piped"), started);
        Running {
            name: self
                .path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            child,
            stdout,
            stderr,
            started,
            limit: self.limit,
            _home: Arc::clone(&self.home),
        }
    }
}

/// A program that runs; dropping it kills it with all it started.
pub struct Running {
    name: String,
    child: Child,
    stdout: Captured,
    stderr: Captured,
    started: Instant,
    limit: Duration,
    _home: Arc<TempDir>,
}

impl Running {
    /// The process id, which is also the id of its process group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until standard error contains `text`.
    ///
    /// # Panics
    /// When it does not within `limit`; everything seen so far is printed.
    pub fn wait_for_stderr(&self, text: &str, limit: Duration) {
        self.stderr.wait_for(text, limit, &self.name);
    }

    /// Waits until standard output contains `text`; panics like [`Running::wait_for_stderr`].
    pub fn wait_for_stdout(&self, text: &str, limit: Duration) {
        self.stdout.wait_for(text, limit, &self.name);
    }

    /// Sends signal `number` to the process group, as a terminal or CodeBuild does.
    pub fn signal(&self, number: i32) {
        children::signal(&self.child, number);
    }

    /// Waits for the end, at most until the time limit, and hands over all output.
    pub fn finish(mut self) -> Ran {
        let left = self.limit.saturating_sub(self.started.elapsed());
        let status = children::wait(&mut self.child, left);
        let duration = self.started.elapsed();
        if status.is_none() {
            children::kill(&mut self.child);
        }
        let (code, signal) = status.map_or((None, Some(9)), children::ending);
        let stdout_bytes = self.stdout.take();
        let silence = self.stderr.silence(self.started + duration);
        Ran {
            name: std::mem::take(&mut self.name),
            code,
            signal,
            timed_out: status.is_none(),
            stdout: String::from_utf8_lossy(&stdout_bytes).into_owned(),
            stdout_bytes,
            stderr: String::from_utf8_lossy(&self.stderr.take()).into_owned(),
            duration,
            silence,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        children::kill(&mut self.child);
    }
}

/// What a run left behind.
#[derive(Debug, Clone)]
pub struct Ran {
    name: String,
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether it was killed because it reached the time limit.
    pub timed_out: bool,
    /// Standard output, with anything that is not UTF-8 replaced.
    pub stdout: String,
    /// Standard output as it was.
    pub stdout_bytes: Vec<u8>,
    /// Standard error, with anything that is not UTF-8 replaced.
    pub stderr: String,
    /// From start to end.
    pub duration: Duration,
    /// The longest time without a word on standard error, from start to end.
    pub silence: Duration,
}

impl Ran {
    /// Checks the exit code and hands the run on.
    ///
    /// # Panics
    /// With everything the program printed when the code differs.
    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "unexpected exit code\n{self}");
        self
    }

    /// Checks that standard error contains `text`; panics with everything printed otherwise.
    #[track_caller]
    pub fn assert_stderr(&self, text: &str) -> &Self {
        assert!(
            self.stderr.contains(text),
            "stderr does not contain {text:?}\n{self}"
        );
        self
    }

    /// Checks that standard error does not contain `text`; panics with everything printed otherwise.
    #[track_caller]
    pub fn refute_stderr(&self, text: &str) -> &Self {
        assert!(
            !self.stderr.contains(text),
            "stderr contains {text:?}\n{self}"
        );
        self
    }

    /// Checks that standard output is exactly `text`; panics with everything printed otherwise.
    #[track_caller]
    pub fn assert_stdout(&self, text: &str) -> &Self {
        assert_eq!(self.stdout, text, "unexpected standard output\n{self}");
        self
    }

    /// The variables that standard output exports when a shell sources it.
    ///
    /// # Panics
    /// When the shell refuses it.
    #[track_caller]
    pub fn exports(&self) -> BTreeMap<String, String> {
        sourced(&self.stdout_bytes)
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: code {:?}, signal {:?}{}, after {:?}",
            self.name,
            self.code,
            self.signal,
            if self.timed_out { ", time limit" } else { "" },
            self.duration
        )?;
        writeln!(
            f,
            "--- stdout\n{}\n--- stderr\n{}",
            self.stdout, self.stderr
        )
    }
}

/// The variables that the file at `path` exports when a shell sources it, as the second buildspec
/// item `. "$PWD/.exports"` does.
///
/// # Panics
/// When the file cannot be read or the shell refuses it.
#[track_caller]
pub fn exports_of(path: impl AsRef<Path>) -> BTreeMap<String, String> {
    let path = path.as_ref();
    let text = std::fs::read(path)
        .unwrap_or_else(|error| panic!("cannot read the exports in {}: {error}", path.display()));
    sourced(&text)
}

/// Sources `text` in `dash` (or the system's `sh`) with an empty environment and reads what it
/// exported from the environment of a child.
#[track_caller]
fn sourced(text: &[u8]) -> BTreeMap<String, String> {
    let folder = TempDir::new().expect("cannot make a temporary folder");
    let file = folder.path().join("exports");
    std::fs::write(&file, text).expect("cannot write the exports");
    let shell = children::find("dash").unwrap_or_else(|| "/bin/sh".into());
    let output = Command::new(shell)
        // The shell sets some names by itself; they are dropped unless the text exports them.
        .args(["-c", "unset OLDPWD; . \"$1\" && exec /usr/bin/env -0", "sh"])
        .arg(&file)
        .env_clear()
        .output()
        .expect("cannot run a shell");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "a shell refuses the exports ({}): {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(text)
    );
    let text = String::from_utf8_lossy(text);
    let shells_own = |name: &str| {
        ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name)
            && !text.contains(&format!("export {name}="))
    };
    output
        .stdout
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty())
        .map(|entry| String::from_utf8_lossy(entry).into_owned())
        .filter_map(|entry| {
            let (name, value) = entry.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .filter(|(name, _)| !shells_own(name))
        .collect()
}

/// What a pipe has delivered so far, filled by a thread.
struct Captured {
    state: Arc<(Mutex<Pipe>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

struct Pipe {
    bytes: Vec<u8>,
    closed: bool,
    /// When something came last.
    heard: Instant,
    /// The longest time without anything so far.
    silence: Duration,
}

impl Captured {
    fn from(mut pipe: impl Read + Send + 'static, started: Instant) -> Self {
        let empty = Pipe {
            bytes: Vec::new(),
            closed: false,
            heard: started,
            silence: Duration::ZERO,
        };
        let state = Arc::new((Mutex::new(empty), Condvar::new()));
        let shared = Arc::clone(&state);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 8192];
            loop {
                let read = pipe.read(&mut chunk).unwrap_or(0);
                let mut pipe = shared.0.lock().unwrap();
                pipe.bytes.extend_from_slice(&chunk[..read]);
                pipe.closed = read == 0;
                if read > 0 {
                    let now = Instant::now();
                    pipe.silence = pipe.silence.max(now - pipe.heard);
                    pipe.heard = now;
                }
                shared.1.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Self {
            state,
            reader: Some(reader),
        }
    }

    #[track_caller]
    fn wait_for(&self, text: &str, limit: Duration, name: &str) {
        let deadline = Instant::now() + limit;
        let mut pipe = self.state.0.lock().unwrap();
        while !holds(&pipe.bytes, text.as_bytes()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !pipe.closed && !left.is_zero(),
                "{name} did not print {text:?} within {limit:?}; so far:\n{}",
                String::from_utf8_lossy(&pipe.bytes)
            );
            pipe = self.state.1.wait_timeout(pipe, left).unwrap().0;
        }
    }

    /// The longest time without anything, up to `end`.
    fn silence(&self, end: Instant) -> Duration {
        let pipe = self.state.0.lock().unwrap();
        pipe.silence.max(end.saturating_duration_since(pipe.heard))
    }

    /// All bytes; waits a little for a pipe that a left-over grandchild keeps open.
    fn take(&mut self) -> Vec<u8> {
        let deadline = Instant::now() + Duration::from_secs(2);
        let mut pipe = self.state.0.lock().unwrap();
        while !pipe.closed && Instant::now() < deadline {
            pipe = self
                .state
                .1
                .wait_timeout(pipe, Duration::from_millis(50))
                .unwrap()
                .0;
        }
        let closed = pipe.closed;
        let bytes = std::mem::take(&mut pipe.bytes);
        drop(pipe);
        if let (true, Some(reader)) = (closed, self.reader.take()) {
            let _ = reader.join();
        }
        bytes
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}
