//! A command that the agent runs.

use action::wait::Limits;
use agent_protocol::message::{AgentError, Answer, Ended, Request, Run, Stream};
use ssh::{ExecError, ExecEvent, ExecOutput, ExecReader, ExecWriter, OutputMode, Stdin, collect};

use super::link::{Asked, Came, Input, Link};

/// Runs a script on the host and waits for its end.
pub(super) async fn run(
    link: &Link,
    script: &str,
    stdin: Stdin,
    mode: OutputMode,
    limits: &Limits,
) -> Result<ExecOutput, ExecError> {
    let run = Run {
        script: script.to_owned(),
        limit_ms: None,
    };
    let asked = link.ask(Request::Run(run))?;
    let writer = Writer(asked.input());
    let mut reader = Reader {
        asked,
        is_over: false,
    };
    let ended = collect(&mut reader, &writer, stdin, mode, limits).await;
    if ended.is_err() && !reader.asked.is_over() {
        link.give_up();
    }
    ended
}

struct Reader {
    asked: Asked,
    is_over: bool,
}

pub(super) struct Writer(pub(super) Input);

impl ExecReader for Reader {
    async fn event(&mut self) -> Option<ExecEvent> {
        if self.is_over {
            return None;
        }
        Some(match self.asked.next().await {
            Ok(Came::Data(Stream::Stdout, bytes)) => ExecEvent::Stdout(bytes),
            Ok(Came::Data(Stream::Stderr, bytes)) => ExecEvent::Stderr(bytes),
            Ok(Came::Answer(answer)) => {
                self.is_over = true;
                ExecEvent::Ended(status(answer))
            }
            // Nothing was to be connected.
            Ok(Came::Connected) => {
                self.is_over = true;
                ExecEvent::Ended(Err(ExecError::NoStatus))
            }
            Err(error) => {
                self.is_over = true;
                ExecEvent::Ended(Err(error))
            }
        })
    }
}

impl ExecWriter for Writer {
    async fn write(&self, bytes: Vec<u8>) -> Result<(), ExecError> {
        self.0.send(&bytes).await
    }

    async fn end(&self) -> Result<(), ExecError> {
        self.0.end()
    }

    async fn terminate(&self) {
        self.0.cancel();
    }
}

/// How a command ended.
fn status(answer: Result<Answer, AgentError>) -> Result<u32, ExecError> {
    match answer {
        Ok(Answer::Ended(Ended::Status(status))) => Ok(status.into()),
        Ok(Answer::Ended(Ended::Signal(number))) => Err(ExecError::Signal(signal(number))),
        Ok(Answer::Ended(Ended::Limit)) => Err(ExecError::Deadline),
        Ok(_) => Err(ExecError::NoStatus),
        Err(error) => Err(ExecError::NotStarted(error.to_string())),
    }
}

/// The name of a signal.
fn signal(number: i32) -> String {
    let name = match number {
        1 => "HUP",
        2 => "INT",
        3 => "QUIT",
        4 => "ILL",
        6 => "ABRT",
        7 => "BUS",
        8 => "FPE",
        9 => "KILL",
        11 => "SEGV",
        13 => "PIPE",
        15 => "TERM",
        other => return other.to_string(),
    };
    name.to_owned()
}
