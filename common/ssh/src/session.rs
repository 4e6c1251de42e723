//! One SSH connection: established over any byte stream, verified, with a deadline on every step.

use action::wait::Limits;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle, Handler};
use russh::keys::{HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure, Disconnect, Preferred, cipher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::error::{ConnectError, ExecError};
use crate::exec::{ExecOutput, Stdin, collect};
use crate::host_key::HostKey;
use crate::output::OutputMode;
use crate::policy::HostKeyPolicy;
use crate::private_key::PrivateKey;
use crate::script;
use crate::tcp::Watched;

/// A silent peer is asked for a sign of life this often; after three unanswered ones it is gone.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// An authenticated connection to a host whose key was verified. Clones share the connection.
#[derive(Clone)]
pub struct Session {
    handle: Arc<Handle<Verifier>>,
    host_key: HostKey,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.host_key)
    }
}

/// The library's callbacks: it asks about the host's key.
struct Verifier {
    policy: HostKeyPolicy,
    presented: Arc<Mutex<Option<HostKey>>>,
}

impl Handler for Verifier {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        presented: &PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        *self
            .presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(HostKey::of(&presented.public_key()));
        Ok(self.policy.accepts(presented, now()))
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
        key: &PrivateKey,
        policy: &HostKeyPolicy,
        deadline: Instant,
    ) -> Result<Self, ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (stream, heard) = Watched::new(stream);
        let presented = Arc::new(Mutex::new(None));
        let verifier = Verifier {
            policy: policy.clone(),
            presented: Arc::clone(&presented),
        };
        let connected = timeout_at(
            deadline,
            client::connect_stream(Arc::new(config(policy)), stream, verifier),
        )
        .await;
        let host_key = presented
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut handle = match connected {
            Ok(Ok(handle)) => handle,
            Ok(Err(error)) => return Err(describe(&error, policy, host_key, heard.any())),
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
    pub async fn exec(
        &self,
        script: &str,
        stdin: Stdin,
        mode: OutputMode,
        limits: &Limits,
    ) -> Result<ExecOutput, ExecError> {
        let sent = script::sent(script);
        let open = async {
            let channel = self
                .handle
                .channel_open_session()
                .await
                .map_err(ExecError::lost)?;
            channel
                .exec(true, sent.command)
                .await
                .map_err(ExecError::lost)?;
            Ok(channel)
        };
        let channel = timeout_at(limits.deadline, open)
            .await
            .map_err(|_| ExecError::Deadline)??;
        collect(channel, sent.script, stdin, mode, limits).await
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
                ChannelOpenFailure::AdministrativelyProhibited => ExecError::Forward(format!(
                    "{host}:{port} ({reason:?}; does its sshd have AllowTcpForwarding no?)"
                )),
                _ => ExecError::Forward(format!("{host}:{port} ({reason:?})")),
            }),
            Ok(Ok(Err(error))) => Err(ExecError::lost(error)),
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

/// Seconds since 1970.
fn now() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

/// What processors have instructions for comes first.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
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
            cipher: CIPHERS.into(),
            ..Preferred::default()
        },
        ..client::Config::default()
    }
}

async fn authenticate(
    handle: &mut Handle<Verifier>,
    user: &str,
    key: &PrivateKey,
) -> Result<AuthResult, russh::Error> {
    let private = key.pair();
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
    policy: &HostKeyPolicy,
    presented: Option<HostKey>,
    heard: bool,
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
        _ if heard => ConnectError::KeyExchange(error.to_string()),
        _ => ConnectError::Banner(error.to_string()),
    }
}
