//! A command's watcher: a process of its own between the agent and the command.
//!
//! It starts the command as the first of a process group, and ends the whole group when it is told to, when time is up,
//! or when the agent is gone, however that came about: the agent's end of the socket between them is closed then.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use agent_protocol::message::Ended;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, send, sendmsg, socketpair,
};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How long a command may take to end after SIGTERM, before SIGKILL.
const GRACE: Duration = Duration::from_secs(5);
/// How often the rest of a group is looked for: nothing tells when it is gone.
const LOOK: Duration = Duration::from_millis(20);
/// A message between agent and watcher is shorter than this, in bytes.
const MOST: usize = 16 * 1024;

/// What the watcher is to run. The three open files come with it.
#[derive(Serialize, Deserialize)]
struct Spec {
    command: String,
    limit_ms: Option<u64>,
}

/// What the agent says later: the command is to end.
#[derive(Serialize, Deserialize)]
struct End;

/// What the watcher says.
#[derive(Serialize, Deserialize)]
enum Said {
    /// The command runs, in this process group.
    Started(u32),
    /// There is no `sh`, say.
    NotStarted(String),
    /// It is over, and nothing runs that was to be ended.
    Ended(Ended),
}

/// Why there is no end of a command.
pub(crate) enum WatchError {
    /// The command could not be started.
    NotStarted(String),
    /// The watcher is gone. Its command was ended.
    Gone,
}

/// A process group.
#[derive(Clone, Copy)]
pub(crate) struct Group(u32);

/// The agent's side of a watcher.
pub(crate) struct Watcher {
    socket: OwnedFd,
    child: Child,
}

impl Watcher {
    /// Starts a command, with its three open files. The watcher holds `alive` until the command is over.
    pub(crate) fn start(
        command: String,
        limit_ms: Option<u64>,
        files: [OwnedFd; 3],
        alive: Stdio,
    ) -> io::Result<Self> {
        let (socket, theirs) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )?;
        let child = Command::new(own_program())
            .arg("watch")
            .stdin(Stdio::from(theirs))
            .stdout(alive)
            .stderr(Stdio::null())
            // Whoever signals the agent's group must not end the watcher before its command.
            .process_group(0)
            .spawn()?;
        let spec = postcard::to_stdvec(&Spec { command, limit_ms }).map_err(io::Error::other)?;
        let files = files.each_ref().map(AsFd::as_fd);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&files));
        sendmsg(
            &socket,
            &[IoSlice::new(&spec)],
            &mut rights,
            SendFlags::NOSIGNAL,
        )?;
        Ok(Self { socket, child })
    }

    /// Has the command ended.
    pub(crate) fn end(&self) {
        // A watcher that is gone has ended it.
        drop(say(&self.socket, &End));
    }

    /// Waits until the command was started, and gives its process group. Before that it must not have anything to do:
    /// should the watcher be killed, nobody would know what to end.
    pub(crate) fn started(&self) -> Result<Group, WatchError> {
        match heard(&self.socket) {
            Ok(Some(Said::Started(group))) => Ok(Group(group)),
            Ok(Some(Said::NotStarted(why))) => Err(WatchError::NotStarted(why)),
            _ => Err(WatchError::Gone),
        }
    }

    /// Waits for the command's end.
    pub(crate) fn ended(&self, group: Group) -> Result<Ended, WatchError> {
        if let Ok(Some(Said::Ended(ended))) = heard(&self.socket) {
            return Ok(ended);
        }
        if let Some(group) = pid(group.0) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        Err(WatchError::Gone)
    }

    /// Removes what the kernel keeps of the watcher.
    pub(crate) fn reap(mut self) {
        drop(self.socket);
        drop(self.child.wait());
    }
}

/// This program's file, or what the kernel keeps of one that was removed.
pub(crate) fn own_program() -> PathBuf {
    let file = std::env::current_exe().ok().filter(|file| file.exists());
    file.unwrap_or_else(|| PathBuf::from("/proc/self/exe"))
}

/// Sends one message.
fn say<T: Serialize>(socket: &OwnedFd, message: &T) -> io::Result<()> {
    // Never empty, which would read as the end.
    let mut bytes = vec![0];
    bytes.extend(postcard::to_stdvec(message).map_err(io::Error::other)?);
    send(socket, &bytes, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Receives one message; none when the other side is gone.
fn heard<T: DeserializeOwned>(socket: &OwnedFd) -> io::Result<Option<T>> {
    let mut bytes = [0; MOST];
    let (length, _) = rustix::io::retry_on_intr(|| {
        rustix::net::recv(socket, &mut bytes[..], RecvFlags::empty())
    })?;
    match bytes.get(1..length) {
        Some(message) => Ok(Some(
            postcard::from_bytes(message).map_err(io::Error::other)?,
        )),
        None => Ok(None),
    }
}

fn pid(raw: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(raw).ok()?)
}

/// The watcher's own life, with the agent's socket as its standard input.
pub(crate) fn watch() -> io::Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    let (spec, [stdin, stdout, stderr]) = receive(&socket)?;
    // The command must not keep the socket open.
    let started = Command::new("sh")
        .args(["-c", &spec.command])
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        .stderr(Stdio::from(stderr))
        .process_group(0)
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) => {
            return say(
                &socket,
                &Said::NotStarted(format!("cannot start sh: {error}")),
            );
        }
    };
    drop(say(&socket, &Said::Started(child.id())));
    let ended = until_ended(&socket, &child, spec.limit_ms.map(Duration::from_millis))?;
    // Only now: as long as it is not reaped, nobody else's group can have its number.
    let status = child.wait()?;
    let ended = ended.unwrap_or_else(|| match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Status(u8::try_from(code).unwrap_or(u8::MAX)),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    });
    drop(say(&socket, &Said::Ended(ended)));
    Ok(())
}

fn receive(socket: &OwnedFd) -> io::Result<(Spec, [OwnedFd; 3])> {
    let mut bytes = [0; MOST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut rights,
            RecvFlags::CMSG_CLOEXEC,
        )
    })?;
    let files: Vec<OwnedFd> = rights
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    let files = files.try_into();
    let files =
        files.map_err(|_| io::Error::other("the agent ended before it said what to run"))?;
    let spec = postcard::from_bytes(&bytes[..received.bytes]).map_err(io::Error::other)?;
    Ok((spec, files))
}

/// Waits until the command has ended by itself, or was ended together with its group: why, then.
fn until_ended(
    socket: &OwnedFd,
    child: &Child,
    limit: Option<Duration>,
) -> io::Result<Option<Ended>> {
    let group = pid(child.id()).ok_or_else(|| io::Error::other("a process without a number"))?;
    let (ended, is_over) = io::pipe()?;
    std::thread::spawn(move || {
        // It is left to be reaped.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(group), options));
        drop(is_over);
    });
    let mut until = limit.map(|limit| Instant::now() + limit);
    let mut why = None;
    loop {
        let mut seen = [
            PollFd::new(&ended, PollFlags::IN),
            PollFd::new(socket, PollFlags::IN),
        ];
        // Who is ending the command already does not listen any more.
        let asked = if why.is_some() { 1 } else { 2 };
        let is_late = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(left) => wait(&mut seen[..asked], Some(left))? == 0,
            None => wait(&mut seen[..asked], None)? == 0,
        };
        if !seen[0].revents().is_empty() {
            break;
        }
        if is_late {
            if why.is_some() {
                let _ = kill_process_group(group, Signal::KILL);
                until = None;
                continue;
            }
            why = Some(Ended::Limit);
        } else if heard::<End>(socket).ok().flatten().is_some() {
            why = Some(Ended::Cancelled);
        } else {
            // The agent was killed: whoever has the lock next must not meet anything of this build.
            let _ = kill_process_group(group, Signal::KILL);
            why = Some(Ended::Cancelled);
        }
        let _ = kill_process_group(group, Signal::TERM);
        until = Some(Instant::now() + GRACE);
    }
    if why.is_some() {
        end_rest(group, until);
    }
    Ok(why)
}

/// Waits for the rest of a group that was told to end, and ends it.
fn end_rest(group: Pid, until: Option<Instant>) {
    let until = until.unwrap_or_else(Instant::now);
    // The first of the group is a zombie by now, and counts until it is reaped: only the others may be waited for.
    while has_others(group) && Instant::now() < until {
        std::thread::sleep(LOOK);
    }
    let _ = kill_process_group(group, Signal::KILL);
}

/// Whether a group has members besides its first one.
fn has_others(group: Pid) -> bool {
    if test_kill_process_group(group).is_err() {
        return false;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return true;
    };
    let first = group.as_raw_nonzero().get();
    processes.flatten().any(|entry| {
        let own = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok());
        let Some(own) = own.filter(|own| *own != first) else {
            return false;
        };
        let stat = std::fs::read_to_string(format!("/proc/{own}/stat")).unwrap_or_default();
        // The name in brackets may hold anything; state, parent and group follow it. A zombie does nothing any more.
        let mut fields = stat
            .rsplit_once(')')
            .map_or("", |(_, after)| after)
            .split_ascii_whitespace();
        let state = fields.next();
        fields.nth(1).and_then(|group| group.parse().ok()) == Some(first) && state != Some("Z")
    })
}

/// How many of the files are ready; 0 when time is up.
fn wait(files: &mut [PollFd<'_>], left: Option<Duration>) -> io::Result<usize> {
    let left = left.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    loop {
        match poll(files, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => {}
            ready => return Ok(ready?),
        }
    }
}
