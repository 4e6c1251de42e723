//! Messages as bytes: a length of four bytes, little-endian, and so many bytes of `postcard`.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The length of a frame's content, at the most, in bytes.
pub const MOST: usize = 1 << 20;

/// The length of a frame's head, in bytes.
const HEAD: usize = 4;

/// Why bytes are no message, or a message cannot be sent. The two sides do not understand each other then, and
/// the connection is of no more use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame is longer than [`MOST`].
    #[error("a message of {0} bytes is longer than {MOST}")]
    Long(usize),
    /// Its content is no message.
    #[error("a frame's content is not a message")]
    Malformed,
}

/// The bytes of one message.
///
/// # Errors
/// [`FrameError::Long`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut bytes = postcard::to_io(message, vec![0; HEAD]).map_err(|_| FrameError::Malformed)?;
    let length = bytes.len() - HEAD;
    if length > MOST {
        return Err(FrameError::Long(length));
    }
    let head = u32::try_from(length).map_err(|_| FrameError::Long(length))?;
    bytes[..HEAD].copy_from_slice(&head.to_le_bytes());
    Ok(bytes)
}

/// Finds the messages in bytes that come in pieces. It gives whole messages only.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// How many of the bytes were given out as messages already.
    taken: usize,
}

impl Decoder {
    /// Adds what came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message; none until more has come.
    ///
    /// # Errors
    /// When there is none and cannot be one. Every further call says so, too.
    pub fn message<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let there = &self.bytes[self.taken..];
        let Some((head, rest)) = there.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length > MOST {
            return Err(FrameError::Long(length));
        }
        let Some(content) = rest.get(..length) else {
            return Ok(None);
        };
        match postcard::take_from_bytes(content) {
            Ok((message, [])) => {
                self.taken += HEAD + length;
                Ok(Some(message))
            }
            _ => Err(FrameError::Malformed),
        }
    }

    /// Whether a part of a message has come, and the rest of it has not.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.bytes.len() > self.taken
    }
}
