//! The first bytes of either side. Their form is the same in every version.

/// The version of the protocol that this crate speaks. It changes with any change of a message.
pub const VERSION: u16 = 3;

/// How a hello begins. The first byte is no text, so that nothing a shell prints is taken for a hello.
pub const MAGIC: [u8; 8] = *b"\x02deplyag";

/// The length of a hello, in bytes.
pub const LENGTH: usize = MAGIC.len() + 2 + 32;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hello {
    /// The version of the protocol.
    pub version: u16,
    /// The SHA-256 of the agent's own file; [`NO_AGENT`] when the client speaks.
    pub agent: [u8; 32],
}

/// What stands in a client's hello. The client speaks before it knows which agent will answer.
pub const NO_AGENT: [u8; 32] = [0; 32];

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
    /// It is none of the agents that the client knows.
    #[error("another agent answered than the one that was asked for")]
    OtherAgent,
}

impl Hello {
    /// The hello of an agent of this version.
    #[must_use]
    pub fn of_agent(agent: [u8; 32]) -> Self {
        let version = VERSION;
        Self { version, agent }
    }

    /// The hello of a client of this version.
    #[must_use]
    pub fn of_client() -> Self {
        Self::of_agent(NO_AGENT)
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

    /// Makes sure that the other side speaks this version.
    ///
    /// # Errors
    /// [`HelloError::Version`].
    pub fn is_of_this_version(self) -> Result<(), HelloError> {
        match self.version {
            VERSION => Ok(()),
            other => Err(HelloError::Version(other)),
        }
    }

    /// Makes sure that this is one of these agents, in this version.
    ///
    /// # Errors
    /// [`HelloError::Version`] or [`HelloError::OtherAgent`].
    pub fn is_one_of(self, agents: &[[u8; 32]]) -> Result<(), HelloError> {
        self.is_of_this_version()?;
        match agents.contains(&self.agent) {
            true => Ok(()),
            false => Err(HelloError::OtherAgent),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Hello, HelloError, LENGTH, VERSION};

    #[test]
    fn a_hello_is_read_as_it_was_written() {
        for hello in [Hello::of_agent([7; 32]), Hello::of_client()] {
            assert_eq!(Hello::from_bytes(&hello.to_bytes()), Ok(hello));
        }
        assert_eq!(Hello::from_bytes(&[b'a'; LENGTH]), Err(HelloError::Foreign));
    }

    #[test]
    fn another_version_and_another_agent_are_refused() {
        let (known, agent) = ([[6; 32], [7; 32]], Hello::of_agent([7; 32]));
        assert_eq!(agent.is_one_of(&known), Ok(()));
        let mut newer = agent;
        newer.version += 1;
        let newer = Hello::from_bytes(&newer.to_bytes()).unwrap();
        assert_eq!(
            newer.is_one_of(&known),
            Err(HelloError::Version(VERSION + 1))
        );
        for other in [Hello::of_agent([8; 32]), Hello::of_client()] {
            assert_eq!(other.is_one_of(&known), Err(HelloError::OtherAgent));
        }
    }
}
