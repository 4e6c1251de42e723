//! What this side proves itself with: a private key, with a certificate or without one, or the keys of an agent.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, Handler};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{
    Algorithm, Certificate, HashAlg, PrivateKey as Pair, PrivateKeyWithHashAlg, PublicKey,
};
use russh::{MethodSet, SendError, Signer};

use crate::private_key::PrivateKey;

/// How many keys of an agent are offered. OpenSSH's server ends a connection after six refusals (`MaxAuthTries`).
const AGENT_KEYS: usize = 5;

/// What this side proves itself with.
#[derive(Debug, Clone)]
pub enum Identity {
    /// A private key.
    Key(PrivateKey),
    /// A private key with a certificate for it. The certificate is offered first and then the key, as OpenSSH does.
    Certificate(PrivateKey, UserCertificate),
    /// Keys that stay in an agent.
    Agent {
        /// The socket of the agent, as `SSH_AUTH_SOCK` names it.
        socket: PathBuf,
        /// Offers this key alone: its `SHA256:…` fingerprint or its comment. Otherwise the first five of the agent.
        only: Option<String>,
    },
}

/// A certificate with which an authority vouches for a user's key, as `ssh-keygen -s` makes it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCertificate(Arc<Certificate>);

/// Why a text is no certificate that can be used: the end of a sentence about the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserCertificateError {
    /// It is something else.
    #[error(
        "is not an OpenSSH certificate; one looks like `ssh-ed25519-cert-v01@openssh.com AAAA…`"
    )]
    NoCertificate,
    /// It is one of a host.
    #[error(
        "is a certificate for a host, and one for a user is wanted (`ssh-keygen -s` without -h)"
    )]
    Host,
    /// It belongs to another key.
    #[error("belongs to another private key")]
    OtherKey,
}

impl UserCertificate {
    /// Reads the line of a `-cert.pub` file, and makes sure that it is for this key.
    ///
    /// # Errors
    /// What the text is instead.
    pub fn parse(text: &str, key: &PrivateKey) -> Result<Self, UserCertificateError> {
        let certificate = Certificate::from_openssh(text.trim())
            .map_err(|_| UserCertificateError::NoCertificate)?;
        if certificate.cert_type() != CertType::User {
            return Err(UserCertificateError::Host);
        }
        if certificate.public_key() != key.pair().public_key().key_data() {
            return Err(UserCertificateError::OtherKey);
        }
        Ok(Self(Arc::new(certificate)))
    }
}

impl fmt::Debug for UserCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserCertificate({})", self.0.key_id())
    }
}

/// How an offer of ours ended.
pub(crate) enum Authenticated {
    Yes,
    /// The server took none of these; it would go on with those methods.
    No {
        offered: Vec<String>,
        methods: MethodSet,
    },
}

/// Why nothing could be offered to the end.
pub(crate) enum AuthenticateError {
    Ssh(russh::Error),
    Agent(String),
}

impl From<russh::Error> for AuthenticateError {
    fn from(error: russh::Error) -> Self {
        Self::Ssh(error)
    }
}

/// Offers the identity to the server.
pub(crate) async fn authenticate<H: Handler>(
    handle: &mut Handle<H>,
    user: &str,
    identity: &Identity,
) -> Result<Authenticated, AuthenticateError> {
    let mut offers = Offers {
        offered: Vec::new(),
        methods: MethodSet::empty(),
    };
    match identity {
        Identity::Key(key) => {
            if offers.key(handle, user, key).await? {
                return Ok(Authenticated::Yes);
            }
        }
        Identity::Certificate(key, certificate) => {
            if offers.certificate(handle, user, key, certificate).await?
                || offers.key(handle, user, key).await?
            {
                return Ok(Authenticated::Yes);
            }
        }
        Identity::Agent { socket, only } => {
            let shown = socket.display();
            let agent = AgentClient::connect_uds(socket).await;
            let agent = agent.map_err(|error| {
                AuthenticateError::Agent(format!(
                    "the SSH agent at {shown} cannot be used: {error}"
                ))
            });
            let mut agent = agent?;
            let listed = agent.request_identities().await.map_err(|error| {
                AuthenticateError::Agent(format!("the SSH agent at {shown} lists no keys: {error}"))
            })?;
            for key in chosen(listed, only.as_deref(), &shown.to_string())? {
                if offers.agent_key(handle, user, &key, &mut agent).await? {
                    return Ok(Authenticated::Yes);
                }
            }
        }
    }
    Ok(Authenticated::No {
        offered: offers.offered,
        methods: offers.methods,
    })
}

/// The keys of the agent that are offered.
fn chosen(
    listed: Vec<AgentIdentity>,
    only: Option<&str>,
    socket: &str,
) -> Result<Vec<AgentIdentity>, AuthenticateError> {
    let count = listed.len();
    let is_wanted = |key: &AgentIdentity| {
        only.is_none_or(|only| comment(key) == only || fingerprint(key) == only)
    };
    let keys: Vec<_> = listed.into_iter().filter(is_wanted).collect();
    match (keys.is_empty(), only) {
        (true, Some(only)) => Err(AuthenticateError::Agent(format!(
            "the SSH agent at {socket} has {count} keys, and none with the fingerprint or comment `{only}`"
        ))),
        (true, None) => Err(AuthenticateError::Agent(format!(
            "the SSH agent at {socket} has no keys"
        ))),
        _ => Ok(keys.into_iter().take(AGENT_KEYS).collect()),
    }
}

fn comment(key: &AgentIdentity) -> &str {
    match key {
        AgentIdentity::PublicKey { comment, .. } | AgentIdentity::Certificate { comment, .. } => {
            comment
        }
    }
}

fn fingerprint(key: &AgentIdentity) -> String {
    let key = match key {
        AgentIdentity::PublicKey { key, .. } => key.key_data().clone(),
        AgentIdentity::Certificate { certificate, .. } => certificate.public_key().clone(),
    };
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// What was offered so far, and what the server said last.
struct Offers {
    offered: Vec<String>,
    methods: MethodSet,
}

impl Offers {
    /// Notes how an offer ended, and whether it was accepted.
    fn note(&mut self, offer: String, result: AuthResult) -> bool {
        match result {
            AuthResult::Success => true,
            AuthResult::Failure {
                remaining_methods, ..
            } => {
                self.offered.push(offer);
                self.methods = remaining_methods;
                false
            }
        }
    }

    async fn key<H: Handler>(
        &mut self,
        handle: &mut Handle<H>,
        user: &str,
        key: &PrivateKey,
    ) -> Result<bool, AuthenticateError> {
        let pair = key.pair();
        let offer = shown(pair.public_key());
        let hash = hash(handle, &pair.algorithm()).await?;
        let signing = PrivateKeyWithHashAlg::new(pair, hash);
        let result = handle.authenticate_publickey(user, signing).await?;
        Ok(self.note(offer, result))
    }

    async fn certificate<H: Handler>(
        &mut self,
        handle: &mut Handle<H>,
        user: &str,
        key: &PrivateKey,
        UserCertificate(certificate): &UserCertificate,
    ) -> Result<bool, AuthenticateError> {
        let offer = shown_certificate(certificate);
        // What the key signs RSA with by itself.
        let hash = certificate.algorithm().is_rsa().then_some(HashAlg::Sha512);
        let mut signer = KeySigner(key.pair());
        let result = handle
            .authenticate_certificate_with(user, Certificate::clone(certificate), hash, &mut signer)
            .await
            .map_err(|SignError(error)| error)?;
        Ok(self.note(offer, result))
    }

    async fn agent_key<H: Handler>(
        &mut self,
        handle: &mut Handle<H>,
        user: &str,
        key: &AgentIdentity,
        agent: &mut AgentClient<tokio::net::UnixStream>,
    ) -> Result<bool, AuthenticateError> {
        let failed = |error: russh::AgentAuthError| {
            AuthenticateError::Agent(format!("the SSH agent did not sign: {error}"))
        };
        let (offer, result) = match key {
            AgentIdentity::PublicKey { key, .. } => {
                let hash = hash(handle, &key.algorithm()).await?;
                let signed = handle.authenticate_publickey_with(user, key.clone(), hash, agent);
                (shown(key), signed.await.map_err(failed)?)
            }
            AgentIdentity::Certificate { certificate, .. } => {
                let hash = hash(handle, &certificate.algorithm()).await?;
                let offer = shown_certificate(certificate);
                let certificate = certificate.clone();
                let signed = handle.authenticate_certificate_with(user, certificate, hash, agent);
                (offer, signed.await.map_err(failed)?)
            }
        };
        Ok(self.note(offer, result))
    }
}

/// The hash to sign with, for RSA. A server that does not say what it takes gets SHA-256, never SHA-1.
async fn hash<H: Handler>(
    handle: &Handle<H>,
    algorithm: &Algorithm,
) -> Result<Option<HashAlg>, russh::Error> {
    if !algorithm.clone().is_rsa() {
        return Ok(None);
    }
    let best = handle.best_supported_rsa_hash().await?.flatten();
    Ok(Some(best.unwrap_or(HashAlg::Sha256)))
}

fn shown(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

/// A certificate with what servers most often refuse one for.
fn shown_certificate(certificate: &Certificate) -> String {
    let principals = certificate.valid_principals().join(", ");
    let now = crate::policy::now();
    let when = match (certificate.valid_after(), certificate.valid_before()) {
        (_, before) if before <= now => ", expired",
        (after, _) if after > now => ", not valid yet",
        _ => "",
    };
    format!(
        "certificate `{}` for {principals}{when}",
        certificate.key_id()
    )
}

/// Signs with a private key where the library wants a signer for a certificate.
struct KeySigner(Arc<Pair>);

struct SignError(russh::Error);

impl From<SendError> for SignError {
    fn from(_: SendError) -> Self {
        Self(russh::Error::SendError)
    }
}

impl Signer for KeySigner {
    type Error = SignError;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        _: Option<HashAlg>,
        mut to_sign: Vec<u8>,
    ) -> Result<Vec<u8>, SignError> {
        let failed = |_| SignError(russh::Error::CouldNotReadKey);
        let signature = self.0.try_sign(&to_sign).map_err(|_| failed(()))?;
        let signature = Vec::<u8>::try_from(signature).map_err(|_| failed(()))?;
        let length = u32::try_from(signature.len()).map_err(|_| failed(()))?;
        to_sign.extend(length.to_be_bytes());
        to_sign.extend(signature);
        Ok(to_sign)
    }
}
