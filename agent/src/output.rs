//! What the agent says to the client.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agent_protocol::frame::encode;
use agent_protocol::message::{AgentError, Answer, FromAgent, RequestId};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// A client that says nothing and takes nothing for so long is gone: it says every 10 s that it is there. A connection may
/// end without the host noticing.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);

/// Waits until a file can be read or written.
pub(crate) fn wait_for(file: &File, what: PollFlags) -> io::Result<()> {
    let limit = Timespec {
        tv_sec: SILENCE.as_secs().cast_signed(),
        tv_nsec: 0,
    };
    loop {
        match poll(&mut [PollFd::new(file, what)], Some(&limit)) {
            Err(rustix::io::Errno::INTR) => {}
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            ready => return ready.map(drop).map_err(Into::into),
        }
    }
}

/// Whether a read or a write is to be tried once more.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// Writes messages whole, whoever sends them.
pub(crate) struct Output {
    file: Mutex<File>,
}

impl Output {
    pub(crate) fn new(file: File) -> io::Result<Self> {
        // A client that takes nothing must not keep the agent, and with it the lock, for ever.
        let flags = fcntl_getfl(file.as_fd())?;
        fcntl_setfl(file.as_fd(), flags | OFlags::NONBLOCK)?;
        let file = Mutex::new(file);
        Ok(Self { file })
    }

    /// Writes bytes that are no message.
    pub(crate) fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_for(&file, PollFlags::OUT)?;
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sends a message. It fails when the client is gone, which the reading side notices as well.
    pub(crate) fn send(&self, message: &FromAgent) -> io::Result<()> {
        let frame = encode(message).map_err(io::Error::other)?;
        self.raw(&frame)
    }

    /// Sends a request's answer.
    pub(crate) fn answer(&self, id: RequestId, answer: Result<Answer, AgentError>) {
        drop(self.send(&FromAgent::Answer { id, answer }));
    }
}
