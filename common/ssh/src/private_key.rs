//! The key that this side proves itself with: from a text, or made for one connection.

use std::sync::Arc;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, Error, HashAlg, PrivateKey as Pair, decode_secret_key};

use crate::error::PrivateKeyError;
use crate::key_text;

/// A private key in memory. Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct PrivateKey {
    pair: Arc<Pair>,
}

impl PrivateKey {
    /// Makes an ed25519 key that exists nowhere else and ends with this process.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn ephemeral() -> Result<Self, std::io::Error> {
        let pair = Pair::random(&mut safe_rng(), Algorithm::Ed25519);
        let pair = pair.map_err(std::io::Error::other)?;
        Ok(Self {
            pair: Arc::new(pair),
        })
    }

    /// Reads a key as EC2, ssh-keygen or PuTTY make it: PKCS#1 RSA (`key.pem`), PKCS#8, SEC1, OpenSSH; or what people make
    /// of its text: with `\n` written out, on one line, indented, in quotes, in JSON, in base64. The passphrase is used where
    /// the key has one.
    ///
    /// # Errors
    /// What is wrong with it, without any of its content.
    pub fn parse(text: &str, passphrase: Option<&str>) -> Result<Self, PrivateKeyError> {
        let pem = key_text::find(text)?;
        let plain = decode_secret_key(&pem, None);
        let is_encrypted =
            key_text::is_encrypted(&pem) || matches!(plain, Err(Error::KeyIsEncrypted));
        let pair = match (is_encrypted, passphrase) {
            (true, None) => return Err(PrivateKeyError::Passphrase),
            (true, Some(_)) => {
                decode_secret_key(&pem, passphrase).map_err(|_| PrivateKeyError::WrongPassphrase)?
            }
            (false, _) => plain.map_err(|_| match key_text::is_putty(&pem) {
                true => PrivateKeyError::Putty,
                // What the library says may have been read from the key.
                false => PrivateKeyError::Unusable,
            })?,
        };
        Ok(Self {
            pair: Arc::new(pair),
        })
    }

    /// Whether the text is meant to be a key, and not the name of a file that holds one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        key_text::is_meant(text)
    }

    /// Everything by which a text that may hold a private key could be shown, whole or in part, for
    /// [`action::redact::hide`].
    #[must_use]
    pub fn secret_forms(text: &str) -> Vec<String> {
        key_text::forms(text)
    }

    /// The public half as one `authorized_keys` line, the form Instance Connect takes.
    ///
    /// # Errors
    /// When the key cannot be written down, which no supported kind does.
    pub fn public_line(&self) -> Result<String, std::io::Error> {
        let line = self.pair.public_key().to_openssh();
        line.map_err(std::io::Error::other)
    }

    pub(crate) fn pair(&self) -> Arc<Pair> {
        Arc::clone(&self.pair)
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fingerprint = self.pair.public_key().fingerprint(HashAlg::Sha256);
        write!(f, "PrivateKey({fingerprint})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::PrivateKey;

    #[test]
    fn an_ephemeral_key_is_new_each_time_and_prints_its_public_half() {
        let (one, two) = (
            PrivateKey::ephemeral().unwrap(),
            PrivateKey::ephemeral().unwrap(),
        );
        let line = one.public_line().unwrap();
        assert!(line.starts_with("ssh-ed25519 AAAA"), "{line}");
        // Instance Connect takes 80 to 4,096 characters.
        assert!((80..=4096).contains(&line.len()), "{}", line.len());
        assert_ne!(line, two.public_line().unwrap());
        assert!(format!("{one:?}").starts_with("PrivateKey(SHA256:"));
    }
}
