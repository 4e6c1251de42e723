//! Public keys of hosts, and what is known about a host.

use russh::keys::ssh_key::Fingerprint;
use russh::keys::{Algorithm, HashAlg, PublicKey};
use std::fmt;

/// A public key that the host may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey(PublicKey);

/// A line that should have held a public key and does not. It is not repeated: it may hold a private one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {what}; a public key looks like `ssh-ed25519 AAAA…`")]
pub struct HostKeyLineError {
    /// Its number.
    line: usize,
    /// What is wrong with it.
    what: &'static str,
}

impl HostKey {
    /// Reads one `TYPE BASE64 [COMMENT]` line, as `ssh_host_ed25519_key.pub` holds it.
    ///
    /// `None` when the line is another one.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        // The comment is not part of the key and may hold anything.
        let key = line
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        PublicKey::from_openssh(&key).ok().map(Self)
    }

    /// `SHA256:…`, as OpenSSH prints it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// The key as a `TYPE BASE64` line.
    #[must_use]
    pub fn line(&self) -> String {
        self.0
            .to_openssh()
            .unwrap_or_default()
            .trim_end()
            .to_owned()
    }

    /// The signature algorithms this key can prove itself with, best first. RSA never with SHA-1.
    pub(crate) fn algorithms(&self) -> Vec<Algorithm> {
        match self.0.algorithm() {
            Algorithm::Rsa { .. } => rsa().to_vec(),
            other => vec![other],
        }
    }

    pub(crate) fn sha256(&self) -> Fingerprint {
        self.0.fingerprint(HashAlg::Sha256)
    }

    /// Whether the presented key is this one; comments do not count.
    pub(crate) fn is(&self, presented: &PublicKey) -> bool {
        self.0.key_data() == presented.key_data()
    }
}

impl HostKey {
    pub(crate) fn of(key: &PublicKey) -> Self {
        Self(PublicKey::from(key.key_data().clone()))
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.algorithm(), self.fingerprint())
    }
}

pub(crate) fn rsa() -> [Algorithm; 2] {
    [
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha512),
        },
        Algorithm::Rsa {
            hash: Some(HashAlg::Sha256),
        },
    ]
}

/// What is known about a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownHostKeys {
    /// Keys that it may present itself.
    pub keys: Vec<HostKey>,
    /// Authorities whose certificates it may present instead.
    pub authorities: Vec<HostKey>,
    /// Names that such a certificate must be for, one of them.
    pub names: Vec<String>,
    /// Keys that are believed in no case, a certificate's own key included.
    pub revoked: Vec<HostKey>,
    /// Where all this was learnt, for messages, such as the name of a file.
    pub source: String,
}

impl KnownHostKeys {
    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.authorities.is_empty()
    }

    /// Reads `TYPE BASE64` lines, and `@cert-authority TYPE BASE64` ones, as a setting holds them.
    ///
    /// # Errors
    /// The first line that is not a key.
    pub fn parse_lines(text: &str) -> Result<Self, HostKeyLineError> {
        let mut known = Self::default();
        for (at, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (keys, key) = match line.strip_prefix("@cert-authority") {
                Some(rest) => (&mut known.authorities, rest),
                None => (&mut known.keys, line),
            };
            keys.push(HostKey::parse(key).ok_or(HostKeyLineError {
                line: at + 1,
                what: match line.contains("PRIVATE") {
                    true => "belongs to a private key, which stays secret",
                    false => "is no public key",
                },
            })?);
        }
        Ok(known)
    }

    /// The keys and authorities, with their fingerprints.
    #[must_use]
    pub fn describe(&self) -> String {
        let keys = self.keys.iter().map(ToString::to_string);
        let authorities = self
            .authorities
            .iter()
            .map(|key| format!("authority {key}"));
        keys.chain(authorities).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::KnownHostKeys;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

    #[test]
    fn a_line_that_is_no_key_is_named() {
        for (text, told) in [
            (
                format!("{ONE}\nSHA256:abc"),
                "line 2 is no public key; a public key looks like `ssh-ed25519 AAAA…`",
            ),
            (
                "-----BEGIN PRIVATE KEY-----".to_owned(),
                "line 1 belongs to a private key, which stays secret; a public key looks like `ssh-ed25519 AAAA…`",
            ),
        ] {
            assert_eq!(
                KnownHostKeys::parse_lines(&text).unwrap_err().to_string(),
                told
            );
        }
    }
}
