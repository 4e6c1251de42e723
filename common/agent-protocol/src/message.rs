//! The messages.

use filesync::{Operation, Paths, StoreError};
use serde::{Deserialize, Serialize};

use crate::plan::{HealthCheck, Plan};

/// A request's number. The client chooses it, and does not use it again as long as the request is under way.
pub type RequestId = u32;

/// What the client says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToAgent {
    /// Something is to be done.
    Request {
        /// Its number.
        id: RequestId,
        /// What.
        request: Request,
    },
    /// More of what the request reads.
    Data {
        /// Of which request.
        id: RequestId,
        /// At most [`crate::window::CHUNK`] bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The request reads no more than this.
    End {
        /// Which request.
        id: RequestId,
    },
    /// The client took so many bytes of the request's output in.
    Taken {
        /// Of which request.
        id: RequestId,
        /// How many bytes.
        bytes: u32,
    },
    /// The request is to end now. Its answer still comes.
    Cancel {
        /// Which request.
        id: RequestId,
    },
    /// The client is still there.
    Alive,
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromAgent {
    /// Output of a request.
    Data {
        /// Of which request.
        id: RequestId,
        /// On which stream.
        stream: Stream,
        /// At most [`crate::window::CHUNK`] bytes.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The request took so many bytes of its input in.
    Taken {
        /// Which request.
        id: RequestId,
        /// How many bytes.
        bytes: u32,
    },
    /// The connection that the request asked for is open.
    Connected {
        /// Which request.
        id: RequestId,
    },
    /// The request's answer. Nothing of the request comes after it.
    Answer {
        /// Which request.
        id: RequestId,
        /// The answer.
        answer: Result<Answer, AgentError>,
    },
}

/// One of a command's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What the agent does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Runs a command. It is answered with [`Answer::Ended`] once the command has ended.
    Run(Run),
    /// Does something with a store of releases. It is answered with [`Answer::Done`]; what it tells is its output
    /// before, because that may be longer than a message.
    Files {
        /// Which store.
        paths: Paths,
        /// What. The stream of a release is the request's data.
        operation: Operation,
    },
    /// Takes the lock of a folder. It is answered with [`Answer::Locked`] or [`Answer::Held`] at once, or, when
    /// `waits`, with [`Answer::Locked`] once whoever holds the lock has given it back.
    Lock {
        /// Which lock.
        lock: Lock,
        /// Whether to wait for a lock that is held.
        waits: bool,
    },
    /// Gives the lock back. It is answered with [`Answer::Done`].
    Unlock,
    /// Says who holds the lock of a folder. It is answered with [`Answer::Held`], or with [`Answer::Free`].
    Holder {
        /// The folder.
        folder: String,
    },
    /// Opens a TCP connection from the host, and then says [`FromAgent::Connected`]. The request's data goes to the
    /// other side, and what comes from there is its output. It is answered with [`Answer::Done`] once both sides have
    /// said all.
    Connect(Connect),
    /// Asks the application for its health as often as good answers are needed, without patience. It is answered with
    /// [`Answer::Done`], or with [`AgentError::Unhealthy`] after the first answer that is not good.
    AskHealth {
        /// What is asked, and which answers are good. The pause in it is left out.
        check: Box<HealthCheck>,
        /// How long one answer may take, in milliseconds.
        answer_ms: u64,
    },
    /// What to do when the connection is lost from now on; nothing any more without a plan. It needs the lock, and is
    /// answered with [`Answer::Done`] once the plan is in force, whatever happens to the agent.
    Plan(Option<Box<Plan>>),
}

/// A connection from the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connect {
    /// A name or an address, IPv6 without brackets, as the host knows it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How long it may take until it is open, in milliseconds.
    pub limit_ms: u64,
}

/// A command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// A script for the host's `sh`. The command reads the request's data on its standard input.
    pub script: String,
    /// How long it may run, in milliseconds.
    pub limit_ms: Option<u64>,
}

/// Which lock is taken, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The absolute path of the folder that nobody else may change. It is made when it is not there.
    pub folder: String,
    /// Who takes the lock.
    pub holder: Holder,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// For people: `build web:1234`, or `process 7 on laptop`.
    pub owner: String,
    /// What no other holder has.
    pub token: String,
    /// Since when, in seconds since 1970 by the host's clock. The agent fills it in.
    pub since: u64,
    /// The agent's process on the host. The agent fills it in.
    pub process: u32,
    /// Whether it is a version of deploy-app that knows no agent. Its lock ends by itself, in so many seconds unless the
    /// holder renews it.
    pub lease_secs: Option<u64>,
    /// Whether the holder's connection was lost, and the agent decides alone.
    pub judging: Option<Judging>,
}

/// An agent that decides alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judging {
    /// On which release.
    pub release: String,
    /// Until when at the latest, in seconds since 1970 by the host's clock.
    pub until: u64,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// A command ended by itself or was ended.
    Ended(Ended),
    /// The lock is the agent's, until it gives it back or ends.
    Locked {
        /// Who had it before and did not give it back.
        left_by: Option<Holder>,
    },
    /// Somebody else holds the lock.
    Held(Holder),
    /// Nobody holds the lock.
    Free,
    /// It is done.
    Done,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// With an exit status.
    Status(u8),
    /// By a signal of this number.
    Signal(i32),
    /// It was ended, because its time was up.
    Limit,
    /// It was ended, because the client said so.
    Cancelled,
}

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum AgentError {
    /// The user may not do it.
    #[error("{path}: permission denied")]
    Denied {
        /// What it may not change.
        path: String,
    },
    /// The system refused something else.
    #[error("{what}: {reason}")]
    System {
        /// What was done, with the path.
        what: String,
        /// The system's words.
        reason: String,
        /// The system's number for it.
        code: Option<i32>,
    },
    /// The agent holds a lock already.
    #[error("the agent holds the lock of {folder} already")]
    Locked {
        /// Of which folder.
        folder: String,
    },
    /// The agent does not hold the lock that the request needs.
    #[error("the agent does not hold the lock")]
    NoLock,
    /// Nothing could be connected to.
    #[error("{reason}")]
    Unconnected {
        /// The system's words.
        reason: String,
        /// Whether the other side refused: nothing listens there.
        is_refused: bool,
    },
    /// The application is not well.
    #[error("{0}")]
    Unhealthy(String),
    /// Something was not done with a store of releases.
    #[error(transparent)]
    Store(StoreError),
    /// The number is in use.
    #[error("a request with the same number is under way")]
    Duplicate,
    /// The process between the agent and the command was killed. The command was ended.
    #[error("the process that watches the command was killed")]
    Watcher,
}
