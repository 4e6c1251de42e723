//! What the agent does with the store of releases.

use action::wait::Limits;
use agent_protocol::message::{AgentError, Answer};
use ssh::{ExecError, ExecEvent, ExecReader, OutputMode, Stdin, collect};

use super::command::Writer;
use super::link::{Asked, Came, Link};

/// Sends its input and waits for its end; gives what [`filesync::operation::result`] reads.
pub(super) async fn told(
    link: &Link,
    asked: Asked,
    stdin: Stdin,
    mode: OutputMode,
    limits: &Limits,
) -> Result<Result<Vec<u8>, AgentError>, ExecError> {
    let writer = Writer(asked.input());
    let mut reader = Reader {
        asked,
        answer: None,
    };
    let ended = collect(&mut reader, &writer, stdin, mode, limits).await;
    if ended.is_err() && !reader.asked.is_over() {
        link.give_up();
    }
    let output = ended?;
    match reader.answer {
        Some(Ok(Answer::Done)) => Ok(Ok(output.stdout)),
        Some(Err(error)) => Ok(Err(error)),
        Some(Ok(_)) | None => Err(ExecError::NoStatus),
    }
}

struct Reader {
    asked: Asked,
    answer: Option<Result<Answer, AgentError>>,
}

impl ExecReader for Reader {
    async fn event(&mut self) -> Option<ExecEvent> {
        if self.answer.is_some() {
            return None;
        }
        Some(match self.asked.next().await {
            Ok(Came::Data(_, bytes)) => ExecEvent::Stdout(bytes),
            Ok(Came::Answer(answer)) => {
                self.answer = Some(answer);
                ExecEvent::Ended(Ok(0))
            }
            // Nothing was to be connected.
            Ok(Came::Connected) => ExecEvent::Ended(Err(ExecError::NoStatus)),
            Err(error) => ExecEvent::Ended(Err(error)),
        })
    }
}
