//! One command on the host, from its start to its exit status.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use action::wait::Limits;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, Sig};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use crate::error::ExecError;
use crate::output::{Lines, OutputMode};
use crate::script::Beginning;

/// A command that prints nothing for this long is reported as alive, and again each time it lasted as long.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a command may take to end once it was told to.
const STOP_LIMIT: Duration = Duration::from_secs(5);

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

/// Feeds the script and its input to the command and reads it until the channel has closed. There is no order between the end
/// of the data and the exit status, so nothing but the closed channel ends the reading.
pub(crate) async fn collect(
    channel: Channel<Msg>,
    script: Vec<u8>,
    stdin: Stdin,
    mode: OutputMode,
    limits: &Limits,
) -> Result<ExecOutput, ExecError> {
    let (mut read, write) = channel.split();
    let sent = AtomicU64::new(0);
    let feed = async {
        write.data_bytes(script).await.map_err(ExecError::lost)?;
        match stdin {
            Stdin::Empty => {}
            Stdin::Bytes(bytes) => write.data_bytes(bytes).await.map_err(ExecError::lost)?,
            Stdin::Chunks(mut chunks) => {
                while let Some(chunk) = chunks.recv().await {
                    let chunk = chunk.map_err(ExecError::Input)?;
                    let length = chunk.len() as u64;
                    write.data_bytes(chunk).await.map_err(ExecError::lost)?;
                    sent.fetch_add(length, Ordering::Relaxed);
                }
            }
        }
        write.eof().await.map_err(ExecError::lost)
    };
    tokio::pin!(feed);
    let mut fed = false;
    let mut stopping: Option<ExecError> = None;
    let mut over = limits.deadline;
    let mut output = ExecOutput::default();
    let mut status = None;
    let mut beginning = Beginning::default();
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
            message = read.wait() => {
                match message {
                    None => break,
                    Some(ChannelMsg::Data { data }) => {
                        last_output = Instant::now();
                        let own = beginning.own(&data);
                        lines[0].push(&own, mode, &mut output.tail);
                        output.stdout.extend_from_slice(&own);
                    }
                    Some(ChannelMsg::ExtendedData { data, .. }) => {
                        last_output = Instant::now();
                        lines[1].push(&data, mode, &mut output.tail);
                    }
                    Some(ChannelMsg::ExitStatus { exit_status }) => status = Some(Ok(exit_status)),
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                        status = Some(Err(ExecError::Signal(format!("{signal_name:?}"))));
                    }
                    Some(ChannelMsg::Failure) => {
                        return Err(ExecError::Lost("the server refused to run a command".to_owned()));
                    }
                    Some(_) => {}
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
            // The command shall end before we go on, or it would still write while we clean up:
            // no more input, and SIGTERM to its process group where the server passes signals on.
            fed = true;
            stopping = Some(error);
            over = Instant::now() + STOP_LIMIT;
            let tell = async {
                write.signal(Sig::TERM).await?;
                write.eof().await
            };
            // A connection that is gone needs no telling.
            drop(timeout_at(over, tell).await);
        }
    }
    if let Some(error) = stopping {
        return Err(error);
    }
    for stream in &mut lines {
        stream.finish(mode, &mut output.tail);
    }
    output.status = status.ok_or(ExecError::NoStatus)??;
    if !beginning.has_begun(&mut output.tail) {
        return Err(ExecError::NotRun {
            status: output.status,
            said: output.tail,
        });
    }
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
