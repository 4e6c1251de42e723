//! The key that this side proves itself with: from a file, or made for this one deploy.

use std::sync::Arc;

use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, Error, PrivateKey, decode_secret_key};

use super::key_text;

/// A private key in memory. Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct Key {
    private: Arc<PrivateKey>,
}

impl Key {
    /// Makes an ed25519 key that exists nowhere else and ends with this process.
    ///
    /// # Errors
    /// When the operating system gives no random numbers.
    pub fn ephemeral() -> Result<Self, Error> {
        let private = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519)?;
        Ok(Self {
            private: Arc::new(private),
        })
    }

    /// Reads a key as EC2, ssh-keygen or PuTTY make it, without passphrase: PKCS#1 RSA (`key.pem`), PKCS#8, SEC1, OpenSSH;
    /// or what people make of its text, see `host::key_text`.
    ///
    /// # Errors
    /// What is wrong with it, without any of its content.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pem = key_text::find(text)?;
        match decode_secret_key(&pem, None) {
            Ok(private) => Ok(Self {
                private: Arc::new(private),
            }),
            Err(Error::KeyIsEncrypted) => Err(key_text::PASSPHRASE.to_owned()),
            Err(_) if key_text::is_putty(&pem) => Err(
                "holds a key of PuTTY that cannot be read; `puttygen KEY -O private-openssh -o NEW` makes one without \
                 passphrase that can"
                    .to_owned(),
            ),
            // What the library says may have been read from the key.
            Err(_) => Err(
                "holds a private key that cannot be used: it is damaged, or of a kind that is not supported (ed25519, \
                 ECDSA and RSA are)"
                    .to_owned(),
            ),
        }
    }

    /// The public half as one `authorized_keys` line, the form Instance Connect takes.
    ///
    /// # Errors
    /// When the key cannot be written down, which no supported kind does.
    pub fn public_line(&self) -> Result<String, Error> {
        Ok(self.private.public_key().to_openssh()?)
    }

    /// The private key, for the SSH module.
    pub(super) fn private(&self) -> Arc<PrivateKey> {
        Arc::clone(&self.private)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Key({})",
            self.private
                .public_key()
                .fingerprint(russh::keys::HashAlg::Sha256)
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::Key;

    #[test]
    fn an_ephemeral_key_is_new_each_time_and_prints_its_public_half() {
        let (one, two) = (Key::ephemeral().unwrap(), Key::ephemeral().unwrap());
        let line = one.public_line().unwrap();
        assert!(line.starts_with("ssh-ed25519 AAAA"), "{line}");
        // Instance Connect takes 80 to 4,096 characters.
        assert!((80..=4096).contains(&line.len()), "{}", line.len());
        assert_ne!(line, two.public_line().unwrap());
        assert!(format!("{one:?}").starts_with("Key(SHA256:"));
    }
}
