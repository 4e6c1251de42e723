//! The first bytes of either side. Their form is the same in every version.

/// The version of the protocol that this crate speaks. It changes with any change of a message.
pub const VERSION: u16 = 2;

/// How a hello begins. The first byte is no text, so that nothing a shell prints is taken for a hello.
pub const MAGIC: [u8; 8] = *b"\x02deplyag";

/// The length of a hello, in bytes.
pub const LENGTH: usize = MAGIC.len() + 2 + 32;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol.
    pub version: u16,
    /// The SHA-256 of the agent's program: of its own file when the agent speaks, of the one that the client wants
    /// when the client speaks.
    pub agent: [u8; 32],
}

/// Why the other side is not spoken with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    /// Something else is there.
    #[error("what answered does not speak the agent's protocol")]
    Foreign,
    /// It is of another version.
    #[error(
        "the other side speaks version {0} of the agent's protocol, this one speaks version {VERSION}"
    )]
    Version(u16),
    /// It is another agent than the one that was asked for.
    #[error("another agent answered than the one that was asked for")]
    OtherAgent,
}

impl Hello {
    /// The hello of this version.
    #[must_use]
    pub fn new(agent: [u8; 32]) -> Self {
        let version = VERSION;
        Self { version, agent }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        let (magic, rest) = bytes.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        let (version, agent) = rest.split_at_mut(2);
        version.copy_from_slice(&self.version.to_le_bytes());
        agent.copy_from_slice(&self.agent);
        bytes
    }

    /// Reads a hello, whatever its version.
    ///
    /// # Errors
    /// [`HelloError::Foreign`] when it is none.
    pub fn from_bytes(bytes: &[u8; LENGTH]) -> Result<Self, HelloError> {
        let rest = bytes.strip_prefix(&MAGIC).ok_or(HelloError::Foreign)?;
        let (version, agent) = rest.split_first_chunk().ok_or(HelloError::Foreign)?;
        Ok(Self {
            version: u16::from_le_bytes(*version),
            agent: agent.try_into().map_err(|_| HelloError::Foreign)?,
        })
    }

    /// Whether this side can speak with that one.
    ///
    /// # Errors
    /// When it cannot.
    pub fn fits(self, theirs: Self) -> Result<(), HelloError> {
        if theirs.version != self.version {
            return Err(HelloError::Version(theirs.version));
        }
        if theirs.agent != self.agent {
            return Err(HelloError::OtherAgent);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Hello, HelloError, LENGTH, VERSION};

    #[test]
    fn a_hello_is_read_as_it_was_written() {
        let hello = Hello::new([7; 32]);
        assert_eq!(Hello::from_bytes(&hello.to_bytes()), Ok(hello));
        assert_eq!(Hello::from_bytes(&[b'a'; LENGTH]), Err(HelloError::Foreign));
    }

    #[test]
    fn another_version_and_another_agent_are_refused() {
        let ours = Hello::new([7; 32]);
        let mut other = ours;
        other.version += 1;
        let read = Hello::from_bytes(&other.to_bytes()).unwrap();
        assert_eq!(ours.fits(read), Err(HelloError::Version(VERSION + 1)));
        let other = Hello::new([8; 32]);
        assert_eq!(ours.fits(other), Err(HelloError::OtherAgent));
        assert_eq!(ours.fits(ours), Ok(()));
    }
}
