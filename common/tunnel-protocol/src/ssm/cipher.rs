//! Encryption of a session by a KMS key: AES-256-GCM, a random nonce of 12 bytes before each payload.
//!
//! The client has KMS make 64 bytes for the session; the agent decrypts the same. The first half is the key of what
//! the agent sends, the second that of what the client sends (session-manager-plugin, `src/encryption`).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;

/// How many bytes KMS makes for one session.
pub const KEY_BYTES: usize = 64;

/// What KMS made.
#[derive(Clone)]
pub struct DataKey {
    /// [`KEY_BYTES`] secret bytes.
    pub plain: Vec<u8>,
    /// The same as the agent gets them, which has KMS decrypt them.
    pub encrypted: Vec<u8>,
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey")
    }
}

/// The keys of one session.
pub(crate) struct Cipher {
    opening: LessSafeKey,
    sealing: LessSafeKey,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    /// Nothing when it is not as long as such keys are.
    pub(crate) fn of(key: &DataKey) -> Option<Self> {
        if key.plain.len() != KEY_BYTES {
            return None;
        }
        let (opening, sealing) = key.plain.split_at(KEY_BYTES / 2);
        let key = |bytes| UnboundKey::new(&AES_256_GCM, bytes).map(LessSafeKey::new);
        Some(Self {
            opening: key(opening).ok()?,
            sealing: key(sealing).ok()?,
        })
    }

    /// Nothing when the system has no randomness to give.
    pub(crate) fn seal(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut secret = plain.to_vec();
        let given = Nonce::assume_unique_for_key(nonce);
        let sealed = self
            .sealing
            .seal_in_place_append_tag(given, Aad::empty(), &mut secret);
        sealed.ok()?;
        Some([&nonce[..], &secret].concat())
    }

    /// Nothing when it was not sealed with the agent's key.
    pub(crate) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, secret) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = secret.to_vec();
        let opened = self.opening.open_in_place(nonce, Aad::empty(), &mut plain);
        let length = opened.ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Cipher, DataKey};

    fn key(plain: Vec<u8>) -> DataKey {
        DataKey {
            plain,
            encrypted: Vec::new(),
        }
    }

    #[test]
    fn each_direction_has_its_own_key() {
        let halves = [[1; 32], [2; 32]];
        let ours = Cipher::of(&key(halves.concat())).unwrap();
        let [first, second] = halves;
        let agents = Cipher::of(&key([second, first].concat())).unwrap();
        let sealed = ours.seal(b"hello").unwrap();
        assert_eq!(sealed.len(), 12 + 5 + 16);
        assert_eq!(agents.open(&sealed).unwrap(), b"hello");
        assert_eq!(ours.open(&agents.seal(b"").unwrap()).unwrap(), b"");
        assert_eq!(ours.open(&sealed), None, "it is not what the agent sends");
        assert_ne!(sealed, ours.seal(b"hello").unwrap(), "no nonce comes twice");
    }

    #[test]
    fn what_was_changed_on_the_way_is_refused() {
        let halves = [[1; 32], [1; 32]].concat();
        let both = Cipher::of(&key(halves)).unwrap();
        let sealed = both.seal(b"hello").unwrap();
        for at in 0..sealed.len() {
            let mut spoilt = sealed.clone();
            spoilt[at] ^= 1;
            assert_eq!(both.open(&spoilt), None, "{at}");
        }
        assert_eq!(both.open(&sealed[..11]), None);
        assert!(Cipher::of(&key(vec![1; 63])).is_none());
    }
}
