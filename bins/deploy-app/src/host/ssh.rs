//! One SSH connection: established over any byte stream, verified, with a deadline on every step.
//!
//! The SSH library is named in this folder only: its releases change their interface often.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use action::interrupt::{Interrupt, Signal};
use russh::client::{self, AuthResult, Handle, Handler, Msg};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelMsg, ChannelOpenFailure, ChannelStream, Disconnect, Preferred, Sig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at};

use super::key::Key;
use super::transport::Watched;
use super::trust::{HostKey, Trust};
use crate::redact::Redactor;

/// A silent peer is asked for a sign of life this often; after three unanswered ones it is gone.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// A long command that prints nothing is reported as alive this often.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a command may take to end once it was told to.
const STOP_LIMIT: Duration = Duration::from_secs(5);
/// How many of the last lines of a command are kept for an error message.
const TAIL_LINES: usize = 200;

/// Why a connection did not come about, by the step that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The TCP connection was not made.
    #[error("no TCP connection: {0}")]
    Tcp(String),
    /// TCP works, but no SSH server answered.
    #[error("connected, but no SSH server answered: {0}")]
    Banner(String),
    /// The SSH server answered, the key exchange broke off.
    #[error("the SSH key exchange broke off: {0}")]
    KeyExchange(String),
    /// The host presented a key that is not one of the known ones.
    #[error(
        "the host presented the key {presented}, which is not among the known ones ({source_of_trust}: {expected})"
    )]
    HostKey {
        /// What it presented.
        presented: String,
        /// What would have been believed.
        expected: String,
        /// Where those were learnt.
        source_of_trust: String,
    },
    /// The host has no key of a pinned type.
    #[error("the host offers keys of the types {theirs}; the known ones are {ours}")]
    HostKeyTypes {
        /// The types of the pinned keys.
        ours: String,
        /// What the server has.
        theirs: String,
    },
    /// The server did not accept our key.
    #[error("the server refused user `{user}` with this key (it accepts: {methods})")]
    Authentication {
        /// The user name.
        user: String,
        /// Authentication methods that the server would go on with.
        methods: String,
    },
}

impl ConnectError {
    /// Whether waiting can help: a host that starts passes through the first three.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Banner(_) | Self::KeyExchange(_))
    }
}

/// Why a command on the host has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// The connection ended, or the server refused a channel.
    #[error("the SSH connection failed: {0}")]
    Lost(String),
    /// The command ended without an exit status: the connection or the process was cut off.
    #[error("the command ended without an exit status")]
    NoStatus,
    /// A signal ended the command.
    #[error("the command was ended by signal {0}")]
    Signal(String),
    /// It did not end in time.
    #[error("the command did not end before the deadline")]
    Deadline,
    /// We were asked to stop; the command was told to end.
    #[error("{0} received")]
    Interrupted(Signal),
    /// Our own side could not produce the command's input.
    #[error("cannot produce the input: {0}")]
    Input(String),
    /// The server does not forward connections.
    #[error("the host refused to forward a connection to {0}")]
    Forward(String),
}

/// What a command reads on its standard input.
#[derive(Debug)]
pub enum Input {
    /// Nothing.
    Empty,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Chunks as they are made; an error from their maker ends the command.
    Chunks(mpsc::Receiver<Result<Vec<u8>, String>>),
}

/// What ends the waiting for a command.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// When it must be over.
    pub deadline: Instant,
    /// Whether we were asked to stop.
    pub interrupt: Interrupt,
}

impl Bounds {
    /// For work that a signal must not stop: cleaning up.
    #[must_use]
    pub fn cleanup(limit: Duration) -> Self {
        Self {
            deadline: Instant::now() + limit,
            interrupt: Interrupt::never(),
        }
    }

    /// The same, but over after `limit` at the latest.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self {
            deadline: self.deadline.min(Instant::now() + limit),
            interrupt: self.interrupt.clone(),
        }
    }
}

/// How the output of a command is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Kept for the caller.
    Nothing,
    /// Each line is also logged as it comes, under this name.
    Lines(&'static str),
}

/// What a command that ended by itself left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Its exit status.
    pub status: u32,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// The last lines of both streams, as text.
    pub tail: Vec<String>,
}

/// An authenticated connection to a host whose key was verified.
pub struct Session {
    handle: Arc<Handle<Verifier>>,
    host_key: HostKey,
    redactor: Redactor,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.host_key)
    }
}

/// The library's callbacks: it asks about the host's key.
struct Verifier {
    trust: Trust,
    presented: Arc<Mutex<Option<HostKey>>>,
}

impl Handler for Verifier {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        presented: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        // Certificates are not offered, so a server that sends one is not understood.
        let PublicKeyOrCertificate::PublicKey { key, .. } = presented else {
            return Ok(false);
        };
        *self
            .presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(HostKey::from(key));
        Ok(self.trust.accepts(key))
    }
}

impl Session {
    /// Speaks SSH over `stream`: identification, key exchange, host key, public key authentication.
    ///
    /// # Errors
    /// The step that failed. Nothing was authenticated then, and no secret left this side.
    pub async fn connect<S>(
        stream: S,
        user: &str,
        key: &Key,
        trust: &Trust,
        deadline: Instant,
    ) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, heard) = Watched::new(stream);
        let presented = Arc::new(Mutex::new(None));
        let verifier = Verifier {
            trust: trust.clone(),
            presented: Arc::clone(&presented),
        };
        let connected = timeout_at(
            deadline,
            client::connect_stream(Arc::new(config(trust)), stream, verifier),
        )
        .await;
        let host_key = presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut handle = match connected {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return Err(describe(&error, trust, host_key, heard.any())),
            Err(_) if heard.any() => {
                return Err(ConnectError::KeyExchange("no end of it in time".to_owned()));
            }
            Err(_) => return Err(ConnectError::Banner("it sent nothing in time".to_owned())),
        };
        let Some(host_key) = host_key else {
            return Err(ConnectError::KeyExchange(
                "the host presented no key".to_owned(),
            ));
        };
        match timeout_at(deadline, authenticate(&mut handle, user, key)).await {
            Ok(Ok(AuthResult::Success)) => Ok(Self {
                handle: Arc::new(handle),
                host_key,
                redactor: Redactor::default(),
            }),
            Ok(Ok(AuthResult::Failure {
                remaining_methods, ..
            })) => {
                let methods: Vec<&str> = remaining_methods.iter().map(Into::into).collect();
                let methods = if methods.is_empty() {
                    "nothing more".to_owned()
                } else {
                    methods.join(", ")
                };
                Err(ConnectError::Authentication {
                    user: user.to_owned(),
                    methods,
                })
            }
            Ok(Err(error)) => Err(ConnectError::KeyExchange(format!(
                "during authentication: {error}"
            ))),
            Err(_) => Err(ConnectError::KeyExchange(
                "no answer to the authentication in time".to_owned(),
            )),
        }
    }

    /// Hides these secrets in every line that commands print.
    #[must_use]
    pub fn hiding(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// The verified key of the host.
    #[must_use]
    pub fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Runs a POSIX shell script on the host and waits for its end.
    ///
    /// # Errors
    /// When there is no exit status: a command that ends with one is an `Ok`, whatever the status.
    pub async fn run(
        &self,
        script: &str,
        input: Input,
        show: Show,
        bounds: &Bounds,
    ) -> Result<Output, ExecError> {
        let open = async {
            let channel = self.handle.channel_open_session().await.map_err(lost)?;
            // The user's login shell may be any; the script is for sh.
            let command = format!("exec sh -c {}", quote(script));
            channel.exec(true, command).await.map_err(lost)?;
            Ok(channel)
        };
        let channel = timeout_at(bounds.deadline, open)
            .await
            .map_err(|_| ExecError::Deadline)??;
        collect(
            channel,
            input,
            Sink {
                show,
                redactor: &self.redactor,
            },
            bounds,
        )
        .await
    }

    /// A connection from the host to `host:port`, as the host sees these names.
    ///
    /// # Errors
    /// When the server does not forward, or nothing listens there.
    pub async fn forward(
        &self,
        host: &str,
        port: u16,
        deadline: Instant,
    ) -> Result<ChannelStream<Msg>, ExecError> {
        let (handle, wanted_host) = (Arc::clone(&self.handle), host.to_owned());
        // In a task of its own: an open that nobody waits for any more must still be completed and
        // closed, or the connection behind it would stay and block a server that takes one at a time.
        let open = tokio::spawn(async move {
            let opened =
                handle.channel_open_direct_tcpip(wanted_host, u32::from(port), "127.0.0.1", 0);
            opened.await.map(Channel::into_stream)
        });
        match timeout_at(deadline, open).await {
            Ok(Ok(Ok(stream))) => Ok(stream),
            Ok(Ok(Err(russh::Error::ChannelOpenFailure(reason)))) => {
                let hint = match reason {
                    ChannelOpenFailure::AdministrativelyProhibited => {
                        "; does its sshd have AllowTcpForwarding no?"
                    }
                    _ => "",
                };
                Err(ExecError::Forward(format!(
                    "{host}:{port} ({reason:?}{hint})"
                )))
            }
            Ok(Ok(Err(error))) => Err(lost(error)),
            Ok(Err(error)) => Err(ExecError::Lost(error.to_string())),
            Err(_) => Err(ExecError::Deadline),
        }
    }

    /// Says goodbye. The host notices a dropped connection as well, only later.
    pub async fn close(self) {
        let bye = self
            .handle
            .disconnect(Disconnect::ByApplication, "done", "");
        drop(timeout_at(Instant::now() + Duration::from_secs(2), bye).await);
    }
}

/// Quotes a word for a POSIX shell.
#[must_use]
pub fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

fn config(trust: &Trust) -> client::Config {
    client::Config {
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        maximum_packet_size: 65_535,
        window_size: 8 * 1024 * 1024,
        preferred: Preferred {
            key: trust.algorithms().into(),
            ..Preferred::default()
        },
        ..client::Config::default()
    }
}

async fn authenticate(
    handle: &mut Handle<Verifier>,
    user: &str,
    key: &Key,
) -> Result<AuthResult, russh::Error> {
    let private = key.private();
    let hash = if private.algorithm().is_rsa() {
        // A server that does not say what it takes gets SHA-256, never SHA-1.
        Some(
            handle
                .best_supported_rsa_hash()
                .await?
                .flatten()
                .unwrap_or(HashAlg::Sha256),
        )
    } else {
        None
    };
    handle
        .authenticate_publickey(user, PrivateKeyWithHashAlg::new(private, hash))
        .await
}

fn describe(
    error: &russh::Error,
    trust: &Trust,
    presented: Option<HostKey>,
    heard: bool,
) -> ConnectError {
    match (error, trust) {
        (russh::Error::UnknownKey, Trust::Keys { keys, source }) => ConnectError::HostKey {
            presented: presented
                .map_or_else(|| "(a certificate)".to_owned(), |key| key.to_string()),
            expected: keys
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            source_of_trust: source.clone(),
        },
        (
            russh::Error::NoCommonAlgo {
                kind: russh::AlgorithmKind::Key,
                ours,
                theirs,
            },
            _,
        ) => ConnectError::HostKeyTypes {
            ours: ours.join(", "),
            theirs: theirs.join(", "),
        },
        _ if heard => ConnectError::KeyExchange(error.to_string()),
        _ => ConnectError::Banner(error.to_string()),
    }
}

fn lost(error: russh::Error) -> ExecError {
    ExecError::Lost(error.to_string())
}

/// Feeds the command and reads it until the channel has closed. There is no order between the end
/// of the data and the exit status, so nothing but the closed channel ends the reading.
async fn collect(
    channel: Channel<Msg>,
    input: Input,
    sink: Sink<'_>,
    bounds: &Bounds,
) -> Result<Output, ExecError> {
    let (mut read, write) = channel.split();
    let feed = async {
        match input {
            Input::Empty => {}
            Input::Bytes(bytes) => write.data_bytes(bytes).await.map_err(lost)?,
            Input::Chunks(mut chunks) => {
                while let Some(chunk) = chunks.recv().await {
                    write
                        .data_bytes(chunk.map_err(ExecError::Input)?)
                        .await
                        .map_err(lost)?;
                }
            }
        }
        write.eof().await.map_err(lost)
    };
    tokio::pin!(feed);
    let mut fed = false;
    let mut stopping: Option<ExecError> = None;
    let mut over = bounds.deadline;
    let mut output = Output::default();
    let mut status = None;
    let mut lines = [Lines::default(), Lines::default()];
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
                        lines[0].push(&data, sink, &mut output.tail);
                        output.stdout.extend_from_slice(&data);
                    }
                    Some(ChannelMsg::ExtendedData { data, .. }) => {
                        last_output = Instant::now();
                        lines[1].push(&data, sink, &mut output.tail);
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
            signal = bounds.interrupt.signalled(), if stopping.is_none() => Some(ExecError::Interrupted(signal)),
            _ = heartbeat.tick() => {
                let silent = last_output.elapsed();
                if silent >= HEARTBEAT && let Show::Lines(name) = sink.show {
                    tracing::info!("{name}: still running, last output {} s ago", silent.as_secs());
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
        stream.finish(sink, &mut output.tail);
    }
    output.status = status.ok_or(ExecError::NoStatus)??;
    Ok(output)
}

/// Where lines go.
#[derive(Clone, Copy)]
struct Sink<'a> {
    show: Show,
    redactor: &'a Redactor,
}

/// Cuts one stream into lines as they come.
#[derive(Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    fn push(&mut self, data: &[u8], sink: Sink<'_>, tail: &mut Vec<String>) {
        // The bulk answers of our own scripts are data, not lines for people.
        if sink.show == Show::Nothing && data.len() > 4096 {
            return;
        }
        for byte in data {
            // Progress displays return the carriage; each state of theirs is a line to us.
            if matches!(byte, b'\n' | b'\r') {
                self.finish(sink, tail);
            } else {
                self.partial.push(*byte);
            }
        }
    }

    fn finish(&mut self, sink: Sink<'_>, tail: &mut Vec<String>) {
        if self.partial.is_empty() {
            return;
        }
        let line = plain(&String::from_utf8_lossy(&self.partial));
        self.partial.clear();
        let line = sink.redactor.hide(&line);
        if let Show::Lines(name) = sink.show {
            tracing::info!("{name}: {line}");
        }
        if tail.len() == TAIL_LINES {
            tail.remove(0);
        }
        tail.push(line);
    }
}

/// A line without colours, cursor movements and other control characters, of which programs send
/// some even where there is no terminal.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // Parameters, then one letter that ends the sequence.
            let _ = chars.find(|c| ('@'..='~').contains(c));
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Lines, Show, Sink, quote};
    use crate::redact::Redactor;

    #[test]
    fn words_are_quoted_for_any_shell() {
        assert_eq!(quote("a b"), "'a b'");
        assert_eq!(quote("it's $x"), r"'it'\''s $x'");
    }

    #[test]
    fn lines_are_cut_whatever_the_chunks() {
        let redactor = Redactor::new(vec!["hunter2".to_owned().into()]);
        let sink = Sink {
            show: Show::Nothing,
            redactor: &redactor,
        };
        let (mut lines, mut tail) = (Lines::default(), Vec::new());
        for chunk in ["on", "e\ntw", "o\r\n\nthree", " \u{1b}[1mhun", "ter2"] {
            lines.push(chunk.as_bytes(), sink, &mut tail);
        }
        lines.finish(sink, &mut tail);
        assert_eq!(tail, ["one", "two", "three [secret]"]);
    }
}
