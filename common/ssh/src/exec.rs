//! One command on the host, from its start to its exit status.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use action::wait::Limits;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use crate::error::ExecError;
use crate::output::{Lines, OutputMode};
use crate::running::{Ended, Running};
use crate::script::Beginning;

/// A command that prints nothing for this long is reported as alive, and again each time it lasted as long.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a command may take to end once it was told to.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// What a command reads on its standard input.
#[derive(Debug)]
pub enum Stdin {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Chunks as they are made; an error from their maker ends the command.
    Chunks(mpsc::Receiver<Result<Vec<u8>, String>>),
}

/// What a command that ended by itself left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit status.
    pub status: u32,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// The last lines of both streams, as text.
    pub tail: Vec<String>,
}

/// What is said about a command that has run for another [`HEARTBEAT`], nothing where it says enough itself.
fn sign_of_life(mode: OutputMode, silent: Duration, sent: u64) -> Option<String> {
    match mode {
        OutputMode::Nothing | OutputMode::Tail => None,
        OutputMode::Lines(_) if silent < HEARTBEAT => None,
        OutputMode::Lines(name) => Some(format!(
            "{name}: still running, last output {} s ago",
            silent.as_secs()
        )),
        OutputMode::Progress(name) if sent > 0 => Some(format!(
            "{name}: still running, {} MB sent so far",
            sent / 1_000_000
        )),
        OutputMode::Progress(name) => Some(format!("{name}: still running")),
    }
}

/// What comes from a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecEvent {
    /// A piece of its standard output.
    Stdout(Vec<u8>),
    /// A piece of its standard error.
    Stderr(Vec<u8>),
    /// How it ended. There may be output after it.
    Ended(Result<u32, ExecError>),
}

/// Where the events of a command come from.
pub trait ExecReader: Send {
    /// The next event; none after the last.
    fn event(&mut self) -> impl Future<Output = Option<ExecEvent>> + Send;
}

/// Where a command is spoken to.
pub trait ExecWriter: Sync {
    /// Hands over a piece of its standard input.
    ///
    /// # Errors
    /// [`ExecError::Lost`].
    fn write(&self, bytes: Vec<u8>) -> impl Future<Output = Result<(), ExecError>> + Send;

    /// Ends its standard input.
    ///
    /// # Errors
    /// [`ExecError::Lost`].
    fn end(&self) -> impl Future<Output = Result<(), ExecError>> + Send;

    /// Has it ended.
    fn terminate(&self) -> impl Future<Output = ()> + Send;
}

/// The events of a script that was sent to the host's login shell, without what the shell printed before the script began.
pub struct ScriptReader {
    channel: ChannelReadHalf,
    beginning: Beginning,
    _running: Running,
}

/// The other side of a [`ScriptReader`].
pub struct ScriptWriter {
    channel: ChannelWriteHalf<Msg>,
    ended: Ended,
}

impl ScriptReader {
    pub(crate) fn new(channel: ChannelReadHalf, running: Running) -> Self {
        Self {
            channel,
            beginning: Beginning::default(),
            _running: running,
        }
    }

    /// Whether the script runs.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.beginning.has_begun(&mut Vec::new())
    }

    /// The error of a script that ended with this status and never began; none when it began. `tail` is what came on
    /// standard error.
    #[must_use]
    pub fn not_run(&self, status: u32, mut tail: Vec<String>) -> Option<ExecError> {
        let has_begun = self.beginning.has_begun(&mut tail);
        (!has_begun).then_some(ExecError::NotRun { status, said: tail })
    }
}

impl ExecReader for ScriptReader {
    async fn event(&mut self) -> Option<ExecEvent> {
        loop {
            return Some(match self.channel.wait().await? {
                ChannelMsg::Data { data } => {
                    ExecEvent::Stdout(self.beginning.own(&data).into_owned())
                }
                ChannelMsg::ExtendedData { data, .. } => ExecEvent::Stderr(data.to_vec()),
                ChannelMsg::ExitStatus { exit_status } => ExecEvent::Ended(Ok(exit_status)),
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    ExecEvent::Ended(Err(ExecError::Signal(format!("{signal_name:?}"))))
                }
                ChannelMsg::Failure => {
                    let refused = "the server refused to run a command".to_owned();
                    ExecEvent::Ended(Err(ExecError::Lost(refused)))
                }
                _ => continue,
            });
        }
    }
}

impl ScriptWriter {
    pub(crate) fn new(channel: ChannelWriteHalf<Msg>, ended: Ended) -> Self {
        Self { channel, ended }
    }
}

impl ExecWriter for ScriptWriter {
    async fn write(&self, bytes: Vec<u8>) -> Result<(), ExecError> {
        let written = async {
            self.channel
                .data_bytes(bytes)
                .await
                .map_err(ExecError::lost)
        };
        self.ended.unless(written).await
    }

    async fn end(&self) -> Result<(), ExecError> {
        self.channel.eof().await.map_err(ExecError::lost)
    }

    /// SIGTERM for its process group, where the server passes signals on.
    async fn terminate(&self) {
        // A connection that is gone needs no telling.
        let told = async {
            self.channel.signal(Sig::TERM).await?;
            self.channel.eof().await
        };
        drop(told.await);
    }
}

/// Feeds a command its input and reads it to its end. There is no order between the end of the data and the exit status, so
/// nothing but the reader's end ends the reading.
///
/// # Errors
/// When there is no exit status.
pub async fn collect(
    read: &mut impl ExecReader,
    write: &impl ExecWriter,
    stdin: Stdin,
    mode: OutputMode,
    limits: &Limits,
) -> Result<ExecOutput, ExecError> {
    let sent = AtomicU64::new(0);
    let feed = async {
        match stdin {
            Stdin::Empty => {}
            Stdin::Bytes(bytes) => write.write(bytes).await?,
            Stdin::Chunks(mut chunks) => {
                while let Some(chunk) = chunks.recv().await {
                    let chunk = chunk.map_err(ExecError::Input)?;
                    let length = chunk.len() as u64;
                    write.write(chunk).await?;
                    sent.fetch_add(length, Ordering::Relaxed);
                }
            }
        }
        write.end().await
    };
    tokio::pin!(feed);
    let mut fed = false;
    let mut stopping: Option<ExecError> = None;
    let mut over = limits.deadline;
    let mut output = ExecOutput::default();
    let mut status = None;
    let mut lines = [Lines::of_stdout(), Lines::of_stderr()];
    let mut last_output = Instant::now();
    let mut heartbeat = interval_at(last_output + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stop = tokio::select! {
            done = &mut feed, if !fed => {
                fed = true;
                match done {
                    // The command may have ended before it read everything; its status says more.
                    Ok(()) | Err(ExecError::Lost(_)) => None,
                    Err(error) => Some(error),
                }
            }
            event = read.event() => {
                match event {
                    None => break,
                    Some(ExecEvent::Stdout(data)) => {
                        last_output = Instant::now();
                        lines[0].push(&data, mode, &mut output.tail);
                        output.stdout.extend_from_slice(&data);
                    }
                    Some(ExecEvent::Stderr(data)) => {
                        last_output = Instant::now();
                        lines[1].push(&data, mode, &mut output.tail);
                    }
                    Some(ExecEvent::Ended(Err(error @ ExecError::Lost(_)))) => return Err(error),
                    Some(ExecEvent::Ended(ended)) => status = Some(ended),
                }
                None
            }
            () = sleep_until(over) => match stopping {
                // It does not end although it was told to: whatever it still does, we go on.
                Some(error) => return Err(error),
                None => Some(ExecError::Deadline),
            },
            signal = limits.interrupt.signalled(), if stopping.is_none() => Some(ExecError::Interrupted(signal)),
            _ = heartbeat.tick() => {
                let silent = last_output.elapsed();
                match sign_of_life(mode, silent, sent.load(Ordering::Relaxed)) {
                    Some(line) => tracing::info!("{line}"),
                    // Should it say nothing more from now on, that is told once it lasted long enough.
                    None if silent < HEARTBEAT => heartbeat.reset_at(last_output + HEARTBEAT),
                    None => {}
                }
                None
            }
        };
        if let Some(error) = stop {
            // The command shall end before we go on, or it would still write while we clean up.
            fed = true;
            stopping = Some(error);
            over = Instant::now() + STOP_LIMIT;
            drop(timeout_at(over, write.terminate()).await);
        }
    }
    if let Some(error) = stopping {
        return Err(error);
    }
    for stream in &mut lines {
        stream.finish(mode, &mut output.tail);
    }
    output.status = status.ok_or(ExecError::NoStatus)??;
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::{OutputMode, sign_of_life};
    use std::time::Duration;

    #[test]
    fn what_runs_for_long_and_says_nothing_is_told_to_be_alive() {
        let told = |mode, silent, sent| sign_of_life(mode, Duration::from_secs(silent), sent);
        assert_eq!(
            told(OutputMode::Lines("build"), 31, 0).as_deref(),
            Some("build: still running, last output 31 s ago")
        );
        assert_eq!(told(OutputMode::Lines("build"), 2, 0), None);
        assert_eq!(
            told(OutputMode::Progress("send"), 31, 70_000_000).as_deref(),
            Some("send: still running, 70 MB sent so far")
        );
        assert_eq!(
            told(OutputMode::Progress("verify"), 31, 0).as_deref(),
            Some("verify: still running")
        );
        assert_eq!(told(OutputMode::Nothing, 31, 0), None);
        assert_eq!(told(OutputMode::Tail, 31, 0), None);
    }
}
