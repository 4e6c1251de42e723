//! A program as a child process: an empty environment but for what it is given, a folder, a log, a process group.

use crate::journal::ChildId;
use crate::request::Variables;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

/// How long a program may clean up after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long what was killed may take to be gone.
const DYING: Duration = Duration::from_secs(5);

/// How much of a log's end is read.
const TAIL: u64 = 64 * 1024;

/// What is run.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) program: PathBuf,
    pub(crate) command: Option<&'static str>,
    pub(crate) environment: Variables,
    /// Its working folder.
    pub(crate) folder: PathBuf,
    /// Where standard output and standard error go.
    pub(crate) log: PathBuf,
    /// Where it writes its exports.
    pub(crate) exports: PathBuf,
}

/// How a program is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is not.
    GoOn,
    /// SIGTERM, and SIGKILL when it does not end: it cleans up, which for an image in the making means to remove it.
    Term,
    /// SIGKILL: what it looks at stays as it is.
    Kill,
}

/// Runs programs. The tests have one that only plays them.
pub(crate) trait Programs: 'static {
    /// Runs a program to its end; its exit code, or nothing when a signal killed it. `started` hears of it as soon as it
    /// runs; `stop` tells it to stop.
    fn run(
        &self,
        run: Run,
        started: impl FnOnce(ChildId),
        stop: watch::Receiver<Stop>,
    ) -> impl Future<Output = io::Result<Option<u8>>>;

    /// Ends a program that an earlier worker started, with all that it started.
    fn end(&self, child: ChildId, how: Stop) -> impl Future<Output = ()>;
}

/// Real processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Processes;

impl Programs for Processes {
    async fn run(
        &self,
        run: Run,
        started: impl FnOnce(ChildId),
        mut stop: watch::Receiver<Stop>,
    ) -> io::Result<Option<u8>> {
        let log = File::create(&run.log)?;
        let mut command = Command::new(&run.program);
        command
            .args(run.command)
            .env_clear()
            .envs(&run.environment)
            .current_dir(&run.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = pid.and_then(identify) {
            started(id);
        }
        let asked = async {
            // Where nobody can ask any more, nobody does.
            match stop
                .wait_for(|stop| *stop != Stop::GoOn)
                .await
                .map(|stop| *stop)
            {
                Ok(how) => how,
                Err(_) => std::future::pending().await,
            }
        };
        let how = tokio::select! {
            biased;
            status = child.wait() => Err(status?),
            how = asked => Ok(how),
        };
        let status = match how {
            Err(status) => status,
            Ok(how) => {
                if let Some(group) = pid {
                    end_group(group, how, &mut child).await;
                }
                child.wait().await?
            }
        };
        // What it left running in the background would outlive its job.
        if let Some(group) = pid {
            clear_group(group, Stop::Term).await;
        }
        Ok(status.code().and_then(|code| u8::try_from(code).ok()))
    }

    async fn end(&self, child: ChildId, how: Stop) {
        let Some(group) = Pid::from_raw(child.pid) else {
            return;
        };
        match identify(group) {
            Some(found) if found == child => {
                tracing::info!("ending process {}, which an earlier worker left", child.pid);
                clear_group(group, how).await;
            }
            // It has ended; what it started may live on in its group.
            None => clear_group(group, how).await,
            // Another process has its number now.
            Some(_) => {}
        }
    }
}

/// Ends a group whose leader is our child, and waits for that one.
async fn end_group(group: Pid, how: Stop, child: &mut tokio::process::Child) {
    if how == Stop::Term {
        signal(group, Signal::TERM);
        if tokio::time::timeout(PATIENCE, child.wait()).await.is_ok() {
            return;
        }
    }
    signal(group, Signal::KILL);
}

/// Ends what still runs of a group: SIGTERM and time to clean up, where that is wanted, then SIGKILL.
async fn clear_group(group: Pid, how: Stop) {
    if how == Stop::Term && is_alive(group) {
        signal(group, Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while is_alive(group) && Instant::now() < deadline {
            sleep(Duration::from_millis(50)).await;
        }
    }
    if is_alive(group) {
        signal(group, Signal::KILL);
        // Nothing survives it, but dying takes a moment.
        let deadline = Instant::now() + DYING;
        while is_alive(group) && Instant::now() < deadline {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

fn signal(group: Pid, signal: Signal) {
    // The group may have ended by itself; then there is nobody to tell.
    let _ = kill_process_group(group, signal);
}

/// Whether a process of the group still runs. One that is dead and not collected yet does not count.
fn is_alive(group: Pid) -> bool {
    if test_kill_process_group(group).is_err() {
        return false;
    }
    let Ok(processes) = fs::read_dir("/proc") else {
        return true;
    };
    processes
        .flatten()
        .filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok())
        .filter_map(|stat| Stat::read(&stat))
        .any(|stat| stat.group == group.as_raw_nonzero().get() && !stat.is_dead)
}

/// A process, by its number and its start; one that has just ended too, as long as nobody has collected it.
fn identify(pid: Pid) -> Option<ChildId> {
    let pid = pid.as_raw_nonzero().get();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let began = Stat::read(&stat)?.began;
    Some(ChildId { pid, began })
}

/// What `/proc/PID/stat` says: <https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>.
struct Stat {
    is_dead: bool,
    group: i32,
    began: u64,
}

impl Stat {
    /// Reads `pid (name) state parent group …`; the name may hold anything, parentheses too.
    fn read(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        Some(Self {
            is_dead: matches!(*fields.first()?, "Z" | "X"),
            group: fields.get(2)?.parse().ok()?,
            began: fields.get(19)?.parse().ok()?,
        })
    }
}

/// The end of a log: at most so many bytes, from the beginning of a line.
pub(crate) fn tail(log: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        if length > TAIL
            && let Some(line) = bytes.iter().position(|byte| *byte == b'\n')
        {
            bytes.drain(..=line);
        }
        Ok(bytes)
    };
    let text = read().unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Processes, Programs as _, Run, Stat, Stop, tail};
    use std::collections::BTreeMap;
    use std::path::PathBuf;
    use tokio::sync::watch;

    fn script(folder: &std::path::Path, text: &str) -> Run {
        use std::os::unix::fs::PermissionsExt as _;
        let program = folder.join("program");
        std::fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Run {
            program,
            command: Some("start"),
            environment: BTreeMap::from([("A".to_owned(), "b c".to_owned())]),
            folder: folder.to_owned(),
            log: folder.join("log"),
            exports: PathBuf::new(),
        }
    }

    #[tokio::test]
    async fn a_program_gets_its_settings_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = script(folder.path(), "echo \"$1 $A ${HOME-unset}\"; exit 7");
        let log = run.log.clone();
        let (_keep, stop) = watch::channel(Stop::GoOn);
        let mut seen = None;
        let code = Processes
            .run(run, |id| seen = Some(id), stop)
            .await
            .unwrap();
        assert_eq!(code, Some(7));
        assert!(seen.is_some());
        assert_eq!(tail(&log), "start b c unset\n");
    }

    #[tokio::test]
    async fn a_stop_reaches_the_program_and_what_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let run = script(
            folder.path(),
            "trap 'exit 143' TERM\nsleep 100 &\n: >up\nwait",
        );
        let (tell, stop) = watch::channel(Stop::GoOn);
        let up = folder.path().join("up");
        let telling = async {
            while !up.exists() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            tell.send(Stop::Term).unwrap();
        };
        let mut id = None;
        let running = Processes.run(run, |child| id = Some(child), stop);
        let (code, ()) = tokio::join!(running, telling);
        assert_eq!(code.unwrap(), Some(143));
        let group = rustix::process::Pid::from_raw(id.unwrap().pid).unwrap();
        assert!(!super::is_alive(group));
    }

    #[test]
    fn processes_are_read_from_proc() {
        let text = "7 (a) b) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 8123 1000 1";
        let stat = Stat::read(text).unwrap();
        assert_eq!((stat.group, stat.began, stat.is_dead), (42, 8123, false));
        assert!(Stat::read("7 (a) Z 1 42").is_none());
    }
}
