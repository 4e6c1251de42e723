//! Child processes in a group of their own, so that they can be ended with all they started.

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Starts `command` as the leader of a new process group.
pub(crate) fn spawn(command: &mut Command) -> io::Result<Child> {
    command.process_group(0).spawn()
}

/// Sends signal `number` to the whole group of `child`; a group that is gone is not an error.
pub(crate) fn signal(child: &Child, number: i32) {
    let signal = Signal::from_named_raw(number).expect("a signal that exists");
    let group = Pid::from_child(child);
    // ESRCH only says that the group has ended by itself.
    let _ = kill_process_group(group, signal);
}

/// Ends the group of `child` at once and collects the leader.
pub(crate) fn kill(child: &mut Child) {
    signal(child, 9);
    let _ = child.wait();
}

/// Waits at most `limit` for `child`; `None` when it still runs then.
pub(crate) fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().expect("cannot wait for a child") {
            return Some(status);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// The exit code and the ending signal of `status`; one of them is set.
pub(crate) fn ending(status: ExitStatus) -> (Option<i32>, Option<i32>) {
    (status.code(), status.signal())
}

/// Finds `name` on `PATH` and in the folders that hold a system's servers.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
