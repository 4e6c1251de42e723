//! One child process in a group of its own: its output line by line, its end, and the end of
//! all that it started.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use action::interrupt::Signal;
use action::wait::Limits;
use rustix::process::{Pid, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// How long a group may clean up after SIGTERM before it is killed. `make-ami` deregisters an
/// image in this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How long the output of a process is awaited after its end; a child in the background may
/// keep the pipe open for ever.
const DRAIN: Duration = Duration::from_millis(300);

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this exit status; a signal counts as in the shell, 128 and its number.
    Status(i32),
    /// Because a signal asked us to stop.
    Interrupted(Signal),
    /// Because its deadline passed.
    Late,
}

/// The groups of processes that outlived the item that started them.
#[derive(Debug, Default)]
pub(crate) struct Groups(Vec<Pid>);

impl Groups {
    /// Ends everything that still runs.
    pub(crate) async fn end(&mut self) {
        let left = std::mem::take(&mut self.0);
        for group in &left {
            end_group(*group, Duration::from_secs(5)).await;
        }
    }
}

/// Runs a command to its end, both of its streams together going line by line to the log. `ending` ends what of it runs
/// outside of its group, before the group itself is told.
pub(crate) async fn run(
    mut command: Command,
    prefix: &str,
    limits: &Limits,
    groups: &mut Groups,
    ending: impl Future<Output = ()>,
) -> io::Result<Ended> {
    command.stdin(Stdio::null());
    let done = pending::<Infallible>();
    let Ok(ended) = run_until(command, prefix, limits, groups, ending, done).await?;
    Ok(ended)
}

/// The same for a command that has its standard input already. It is ended when `done` is, whose value is the error;
/// what it says of its own end is not shown then.
pub(crate) async fn run_until<D>(
    mut command: Command,
    prefix: &str,
    limits: &Limits,
    groups: &mut Groups,
    ending: impl Future<Output = ()>,
    done: impl Future<Output = D>,
) -> io::Result<Result<Ended, D>> {
    // One pipe for both streams keeps their order.
    let (read, write) = io::pipe()?;
    command
        .stdout(write.try_clone()?)
        .stderr(write)
        .process_group(0);
    let mut child = command.spawn()?;
    // The command holds our ends of the pipe: without this the output would never end.
    drop(command);
    let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let output = pipe::Receiver::from_owned_fd(read.into())?;
    let is_shown = Arc::new(AtomicBool::new(true));
    let mut forward = tokio::spawn(forward(output, prefix.to_owned(), Arc::clone(&is_shown)));

    let ended = tokio::select! {
        biased;
        signal = limits.interrupt.signalled() => Ok(Ended::Interrupted(signal)),
        status = timeout_at(limits.deadline, child.wait()) => Ok(match status {
            Ok(status) => Ended::Status(shell_status(status?)),
            Err(_) => Ended::Late,
        }),
        done = done => {
            is_shown.store(false, Ordering::Relaxed);
            Err(done)
        }
    };
    if let Some(group) = group {
        if matches!(ended, Ok(Ended::Status(_))) {
            if is_alive(group) {
                groups.0.push(group);
            }
        } else {
            ending.await;
            // The shell dies of the signal at once; what it runs may still be cleaning up.
            signal_group(group, rustix::process::Signal::TERM);
            if timeout(PATIENCE, child.wait()).await.is_err() {
                signal_group(group, rustix::process::Signal::KILL);
                child.wait().await?;
            }
            end_group(group, PATIENCE).await;
        }
    }
    // What is left in the pipe belongs before the next line of our own; a process in the
    // background goes on writing.
    drop(timeout(DRAIN, &mut forward).await);
    Ok(ended)
}

async fn forward(output: pipe::Receiver, prefix: String, is_shown: Arc<AtomicBool>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    loop {
        line.clear();
        match output.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) if !is_shown.load(Ordering::Relaxed) => {}
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                tracing::info!("{prefix} | {}", text.trim_end_matches(['\n', '\r']));
            }
        }
    }
}

fn shell_status(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}

/// SIGTERM, time to clean up, SIGKILL.
async fn end_group(group: Pid, patience: Duration) {
    if !is_alive(group) {
        return;
    }
    signal_group(group, rustix::process::Signal::TERM);
    let deadline = Instant::now() + patience;
    while is_alive(group) {
        if Instant::now() >= deadline {
            tracing::warn!(
                "killing what still runs {}s after SIGTERM",
                patience.as_secs()
            );
            signal_group(group, rustix::process::Signal::KILL);
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn signal_group(group: Pid, signal: rustix::process::Signal) {
    // The group may have ended by itself in the meantime; then there is nobody to tell.
    let _ = kill_process_group(group, signal);
}

/// Whether a process of the group still runs. A dead one that nobody has collected yet does
/// not count: inside a container that may be for ever.
fn is_alive(group: Pid) -> bool {
    if test_kill_process_group(group).is_err() {
        return false;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return true;
    };
    processes
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok())
        .any(|stat| is_member(&stat, group))
}

/// Reads `pid (name) state parent group …`; the name may hold anything, parentheses too.
fn is_member(stat: &str, group: Pid) -> bool {
    let Some((_, rest)) = stat.rsplit_once(") ") else {
        return false;
    };
    let mut fields = rest.split(' ');
    let state = fields.next();
    let its_group = fields.nth(1).and_then(|text| text.parse().ok());
    !matches!(state, Some("Z" | "X")) && its_group == Some(group.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::future::ready;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn members_are_read_from_proc() {
        let group = Pid::from_raw(42).unwrap();
        assert!(is_member("7 (a) b) S 1 42 42 0 -1", group));
        assert!(!is_member("7 (a) Z 1 42 42 0 -1", group));
        assert!(!is_member("7 (a) S 42 1 42 0 -1", group));
    }

    #[tokio::test]
    async fn statuses_are_the_shells() {
        let mut groups = Groups::default();
        for (script, status) in [("exit 3", 3), ("kill -9 $$", 137), (":", 0)] {
            let ended = run(
                shell(script),
                "t",
                &Limits::cleanup(Duration::from_secs(20)),
                &mut groups,
                ready(()),
            )
            .await;
            assert_eq!(ended.unwrap(), Ended::Status(status));
        }
    }

    #[tokio::test]
    async fn a_late_process_dies_with_its_children_after_cleaning_up() {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            "sh -c 'trap \"echo clean > {0}/clean; exit 0\" TERM; echo $$ > {0}/pid; while :; do sleep 0.05; done' & wait",
            folder.path().display()
        );
        let mut groups = Groups::default();
        let ended = run(
            shell(&script),
            "t",
            &Limits::cleanup(Duration::from_millis(500)),
            &mut groups,
            ready(()),
        )
        .await;
        assert_eq!(ended.unwrap(), Ended::Late);
        assert_eq!(
            std::fs::read_to_string(folder.path().join("clean")).unwrap(),
            "clean\n"
        );
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        assert!(
            stat.is_err() || stat.unwrap().contains(") Z "),
            "the child still runs"
        );
    }

    #[tokio::test]
    async fn a_background_process_does_not_hold_up_an_item_and_ends_with_the_build() {
        let mut groups = Groups::default();
        let began = Instant::now();
        let ended = run(
            shell("sleep 300 &"),
            "t",
            &Limits::cleanup(Duration::from_secs(20)),
            &mut groups,
            ready(()),
        )
        .await;
        assert_eq!(ended.unwrap(), Ended::Status(0));
        assert!(began.elapsed() < Duration::from_secs(10));
        let [group] = groups.0[..] else {
            panic!("the group is not remembered")
        };
        assert!(is_alive(group));
        groups.end().await;
        assert!(!is_alive(group));
    }
}
