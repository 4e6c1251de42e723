//! One SSH connection: established over any byte stream, verified, with a deadline on every step.

use action::wait::Limits;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::client::{self, DisconnectReason, Handle, Handler, Msg};
use russh::keys::PublicKeyOrCertificate;
use russh::{Channel, ChannelOpenFailure, Disconnect, Preferred, cipher, kex};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::error::{ConnectError, ExecError};
use crate::exec::{ExecOutput, ExecWriter as _, ScriptReader, ScriptWriter, Stdin, collect};
use crate::host_key::HostKey;
use crate::identity::{AuthenticateError, Authenticated, Identity, authenticate};
use crate::output::{OutputMode, plain};
use crate::policy::{HostKeyPolicy, now};
use crate::running::{Ended, Running};
use crate::script::{self, SudoUser};
use crate::tcp::{Heard, Watched};

/// A silent peer is asked for a sign of life this often; after three unanswered ones it is gone.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// An authenticated connection to a host whose key was verified. Clones share the connection.
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle<Client>>,
    host_key: HostKey,
    /// How many commands run on it.
    running: Arc<watch::Sender<usize>>,
    ended: Ended,
    /// The connection that this one runs through.
    through: Option<Box<Session>>,
    /// Whom scripts run as.
    user: Option<SudoUser>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.host_key)
    }
}

/// The library's callbacks: it asks about the host's key, and tells what the server says.
struct Client {
    policy: HostKeyPolicy,
    seen: Seen,
    /// Dropped with this, when the connection ends.
    _ends: watch::Sender<()>,
}

/// What the server showed and said.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<SeenSoFar>>);

#[derive(Default)]
struct SeenSoFar {
    host_key: Option<HostKey>,
    said: Vec<String>,
}

impl Seen {
    fn so_far(&self) -> MutexGuard<'_, SeenSoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps lines for people, a few of them.
    fn said(&self, text: &str) {
        let mut seen = self.so_far();
        let lines = text.lines().map(plain);
        let lines = lines.filter(|line| !line.trim().is_empty());
        seen.said.extend(lines.take(SAID_LINES));
        seen.said.truncate(SAID_LINES);
    }
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        presented: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        self.seen.so_far().host_key = Some(HostKey::of(&presented.public_key()));
        Ok(self.policy.accepts(presented, now()))
    }

    async fn auth_banner(
        &mut self,
        banner: &str,
        _: &mut client::Session,
    ) -> Result<(), Self::Error> {
        self.seen.said(banner);
        Ok(())
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<Self::Error>,
    ) -> Result<(), Self::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.seen.said(&info.message);
                Ok(())
            }
            DisconnectReason::Error(error) => Err(error),
        }
    }
}

impl Session {
    /// How long a question and its answer take; none when the server does not answer within a second.
    pub async fn latency(&self) -> Option<Duration> {
        // The first one may have waited for something else.
        Some(self.ping().await?.min(self.ping().await?))
    }

    async fn ping(&self) -> Option<Duration> {
        let began = Instant::now();
        let pong = timeout_at(began + Duration::from_secs(1), self.handle.send_ping()).await;
        pong.ok()?.ok()?;
        Some(began.elapsed())
    }

    /// Speaks SSH over `stream`: identification, key exchange, host key, public key authentication.
    ///
    /// # Errors
    /// The step that failed. Nothing was authenticated then, and no secret left this side.
    pub async fn connect<S>(
        stream: S,
        user: &str,
        identity: &Identity,
        policy: &HostKeyPolicy,
        deadline: Instant,
    ) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, heard) = Watched::new(stream);
        let seen = Seen::default();
        let (ends, ended) = watch::channel(());
        let client = Client {
            policy: policy.clone(),
            seen: seen.clone(),
            _ends: ends,
        };
        let connected = timeout_at(
            deadline,
            client::connect_stream(Arc::new(config(policy)), stream, client),
        )
        .await;
        let host_key = seen.so_far().host_key.take();
        let mut handle = match connected {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return Err(describe(&error, policy, host_key, &heard)),
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
        let authenticated = authenticate(&mut handle, user, identity);
        match timeout_at(deadline, authenticated).await {
            Ok(Ok(Authenticated::Yes)) => Ok(Self {
                handle: Arc::new(handle),
                host_key,
                running: Arc::new(watch::Sender::new(0)),
                ended: Ended::new(ended),
                through: None,
                user: None,
            }),
            Ok(Ok(Authenticated::No { offered, methods })) => {
                let methods: Vec<&str> = methods.iter().map(Into::into).collect();
                let methods = match methods.is_empty() {
                    true => "nothing more".to_owned(),
                    false => methods.join(", "),
                };
                let said = std::mem::take(&mut seen.so_far().said);
                Err(ConnectError::Authentication {
                    user: user.to_owned(),
                    offered,
                    methods,
                    said,
                })
            }
            Ok(Err(AuthenticateError::Agent(fault))) => Err(ConnectError::Agent(fault)),
            Ok(Err(AuthenticateError::Ssh(error))) => {
                let said = seen.so_far().said.join(" / ");
                let why = match said.is_empty() {
                    true => error.to_string(),
                    false => format!("{error}: {said}"),
                };
                Err(ConnectError::KeyExchange(format!(
                    "during authentication: {why}"
                )))
            }
            Err(_) => Err(ConnectError::KeyExchange(
                "no answer to the authentication in time".to_owned(),
            )),
        }
    }

    /// Keeps the connection that this one runs through, for as long as this one lives.
    #[must_use]
    pub fn through(self, hop: Session) -> Self {
        Self {
            through: Some(Box::new(hop)),
            ..self
        }
    }

    /// The same connection, on which scripts run as this user, by `sudo`.
    #[must_use]
    pub fn by_sudo(self, user: SudoUser) -> Self {
        Self {
            user: Some(user),
            ..self
        }
    }

    /// The verified key of the host.
    #[must_use]
    pub fn host_key(&self) -> &HostKey {
        &self.host_key
    }

    /// The verified keys of the hosts that this connection runs through, the first on the way first.
    #[must_use]
    pub fn hop_keys(&self) -> Vec<&HostKey> {
        let mut keys = Vec::new();
        let mut next = self.through.as_deref();
        while let Some(hop) = next {
            keys.insert(0, &hop.host_key);
            next = hop.through.as_deref();
        }
        keys
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
    pub async fn exec(
        &self,
        script: &str,
        stdin: Stdin,
        mode: OutputMode,
        limits: &Limits,
    ) -> Result<ExecOutput, ExecError> {
        let (mut read, write) = self.converse(script, limits).await?;
        let output = collect(&mut read, &write, stdin, mode, limits).await?;
        match read.not_run(output.status, output.tail.clone()) {
            Some(error) => Err(error),
            None => Ok(output),
        }
    }

    /// Starts a POSIX shell script on the host, to speak with whatever it runs.
    ///
    /// # Errors
    /// When the server takes no command.
    pub async fn converse(
        &self,
        script: &str,
        limits: &Limits,
    ) -> Result<(ScriptReader, ScriptWriter), ExecError> {
        let sent = script::sent(script, self.user.as_ref());
        let open = async {
            let (channel, running) = self.open_channel().await?;
            let asked = channel.exec(true, sent.command).await;
            asked.map_err(ExecError::lost)?;
            let (read, write) = channel.split();
            let write = ScriptWriter::new(write, self.ended.clone());
            if !sent.script.is_empty() {
                write.write(sent.script).await?;
            }
            Ok((ScriptReader::new(read, running), write))
        };
        let in_time = timeout_at(limits.deadline, open);
        match limits.interrupt.race(in_time).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(ExecError::Deadline),
            Err(signal) => Err(ExecError::Interrupted(signal)),
        }
    }

    /// A channel for one command. A server may allow a few at a time, or one: then the end of another command is waited for.
    async fn open_channel(&self) -> Result<(Channel<Msg>, Running), ExecError> {
        let mut refusals = 0;
        loop {
            let mut count = self.running.subscribe();
            let others = *count.borrow_and_update();
            match self.handle.channel_open_session().await {
                Ok(channel) => return Ok((channel, Running::new(&self.running))),
                Err(russh::Error::ChannelOpenFailure(_)) if others > 0 => {
                    let fewer = count.wait_for(|now| *now < others).await;
                    drop(fewer.map_err(|error| ExecError::Lost(error.to_string()))?);
                }
                Err(russh::Error::ChannelOpenFailure(reason)) => {
                    // OpenSSH gives up an ended command only after it has answered what came along with its end.
                    refusals += 1;
                    if refusals > REFUSALS {
                        return Err(ExecError::NoChannel(format!("{reason:?}")));
                    }
                }
                Err(error) => return Err(ExecError::lost(error)),
            }
        }
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
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ExecError> {
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
            Ok(Ok(Err(russh::Error::ChannelOpenFailure(reason)))) => Err(match reason {
                ChannelOpenFailure::ConnectFailed => ExecError::Silent(format!("{host}:{port}")),
                ChannelOpenFailure::AdministrativelyProhibited => {
                    ExecError::ForwardingProhibited(format!("{host}:{port}"))
                }
                _ => ExecError::Forward(format!("{host}:{port} ({reason:?})")),
            }),
            Ok(Ok(Err(error))) => Err(ExecError::lost(error)),
            Ok(Err(error)) => Err(ExecError::Lost(error.to_string())),
            Err(_) => Err(ExecError::Deadline),
        }
    }

    /// Says goodbye. The host notices a dropped connection as well, only later.
    pub async fn close(self) {
        let mut last = Some(Box::new(self));
        while let Some(session) = last {
            let bye = session
                .handle
                .disconnect(Disconnect::ByApplication, "done", "");
            drop(timeout_at(Instant::now() + Duration::from_secs(2), bye).await);
            last = session.through;
        }
    }
}

/// How often a channel is asked for again that was refused although no other is open.
const REFUSALS: u32 = 2;

/// How many lines of what a server says are kept.
const SAID_LINES: usize = 5;

/// What processors have instructions for comes first.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// The library's own order, without its SHA-1, and with the curves of NIST: in FIPS mode hosts have little else.
const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::ECDH_SHA2_NISTP256,
    kex::ECDH_SHA2_NISTP384,
    kex::ECDH_SHA2_NISTP521,
    kex::DH_GEX_SHA256,
    kex::DH_G18_SHA512,
    kex::DH_G17_SHA512,
    kex::DH_G16_SHA512,
    kex::DH_G15_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_CLIENT,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT,
];

fn config(policy: &HostKeyPolicy) -> client::Config {
    client::Config {
        nodelay: true,
        keepalive_interval: Some(KEEPALIVE),
        maximum_packet_size: 65_535,
        window_size: 8 * 1024 * 1024,
        preferred: Preferred {
            key: policy.algorithms().into(),
            host_key_certificates: policy.certificate_algorithms().into(),
            kex: KEX.into(),
            cipher: CIPHERS.into(),
            ..Preferred::default()
        },
        ..client::Config::default()
    }
}

fn describe(
    error: &russh::Error,
    policy: &HostKeyPolicy,
    presented: Option<HostKey>,
    heard: &Heard,
) -> ConnectError {
    match (error, policy) {
        (russh::Error::UnknownKey, HostKeyPolicy::Pinned(known)) => ConnectError::HostKey {
            presented: presented.map_or_else(|| "(none)".to_owned(), |key| key.to_string()),
            expected: known.describe(),
            source_of_trust: known.source.clone(),
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
        _ => match heard.instead() {
            Some(said) => ConnectError::TurnedAway(plain(&said)),
            None if heard.any() => ConnectError::KeyExchange(error.to_string()),
            None => ConnectError::Banner(error.to_string()),
        },
    }
}
