//! A connected host, with its agent.

use std::time::Duration;

use action::wait::Limits;
use agent_protocol::message::{AgentError, Answer, Request};
use filesync::{Operation, Paths};
use ssh::{ExecError, ExecOutput, OutputMode, Session, Stdin};
use tokio::time::Instant;

use super::bootstrap::{self, Folders, StartError};
use super::command;
use super::files;
use super::link::{self, Asked, Link};
use super::stream::{self, ConnectError, HostStream};

/// A connected host. Clones share the connection and the agent.
#[derive(Clone)]
pub(crate) struct Host {
    session: Session,
    link: Link,
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Host({:?})", self.session)
    }
}

impl Host {
    /// Starts the agent over a connection, and has it begin with this, which costs no round trip of its own. It must be
    /// something that any agent may do: which one answers is found out only then.
    pub(crate) async fn start(
        session: Session,
        folders: &Folders,
        (paths, operation): (&Paths, Operation),
        limits: &Limits,
    ) -> Result<(Self, Asked), StartError> {
        let paths = paths.clone();
        let opening = link::opening(Request::Files { paths, operation })?;
        let started = bootstrap::start(&session, folders, &opening, limits).await?;
        let (link, asked) = Link::new(started);
        Ok((Self { session, link }, asked))
    }

    /// The connection that it is reached by.
    pub(crate) fn ssh(&self) -> &Session {
        &self.session
    }

    /// Whether the connection has ended, or the agent.
    pub(crate) fn is_closed(&self) -> bool {
        self.session.is_closed() || self.link.is_closed()
    }

    /// How long a question and its answer take.
    pub(crate) async fn latency(&self) -> Option<Duration> {
        self.session.latency().await
    }

    /// Runs a POSIX shell script on the host and waits for its end.
    /// A command that ends with an exit status is an `Ok`, whatever the status.
    pub(crate) async fn exec(
        &self,
        script: &str,
        stdin: Stdin,
        mode: OutputMode,
        limits: &Limits,
    ) -> Result<ExecOutput, ExecError> {
        command::run(&self.link, script, stdin, mode, limits).await
    }

    /// Has the agent do something with a store of releases; gives what [`filesync::operation::result`] reads.
    pub(crate) async fn files(
        &self,
        request: (&Paths, Operation),
        stdin: Stdin,
        mode: OutputMode,
        limits: &Limits,
    ) -> Result<Result<Vec<u8>, AgentError>, ExecError> {
        let (paths, operation) = request;
        let paths = paths.clone();
        let asked = self.link.ask(Request::Files { paths, operation })?;
        files::told(&self.link, asked, stdin, mode, limits).await
    }

    /// What [`Host::start`] had the agent begin with, told as [`Host::files`] does.
    pub(crate) async fn told(
        &self,
        asked: Asked,
        mode: OutputMode,
        limits: &Limits,
    ) -> Result<Result<Vec<u8>, AgentError>, ExecError> {
        files::told(&self.link, asked, Stdin::Empty, mode, limits).await
    }

    /// Has the agent do something that has no output.
    pub(crate) async fn ask(
        &self,
        request: Request,
        limits: &Limits,
    ) -> Result<Result<Answer, AgentError>, ExecError> {
        let answer = async { self.link.ask(request)?.answer().await };
        let answer = tokio::time::timeout_at(limits.deadline, answer);
        match limits.interrupt.race(answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(ExecError::Deadline),
            Err(signal) => Err(ExecError::Interrupted(signal)),
        }
    }

    /// A connection from the host to `host:port`, as the host sees these names. The server need not forward anything:
    /// the agent connects.
    pub(crate) async fn forward(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<HostStream, ConnectError> {
        stream::connect(&self.link, host, port, deadline).await
    }

    /// Says goodbye.
    pub(crate) async fn close(self) {
        let Self { session, link } = self;
        drop(link);
        session.close().await;
    }
}
