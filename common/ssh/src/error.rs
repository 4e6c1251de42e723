//! Why there is no key, no connection, or no result of a command.

use action::interrupt::Signal;

/// Why a connection did not come about, by the step that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The TCP connection was not made.
    #[error("no TCP connection: {0}")]
    Tcp(String),
    /// TCP works, but no SSH server answered.
    #[error("connected, but no SSH server answered: {0}")]
    Banner(String),
    /// The SSH server answered, the key exchange broke off.
    #[error("the SSH key exchange broke off: {0}")]
    KeyExchange(String),
    /// The host presented a key that is not one of the known ones.
    #[error(
        "the host presented the key {presented}, which is not among the known ones ({source_of_trust}: {expected})"
    )]
    HostKey {
        /// What it presented.
        presented: String,
        /// What would have been believed.
        expected: String,
        /// Where those were learnt.
        source_of_trust: String,
    },
    /// The host has no key of a pinned type.
    #[error("the host offers keys of the types {theirs}; the known ones are {ours}")]
    HostKeyTypes {
        /// The types of the pinned keys.
        ours: String,
        /// What the server has.
        theirs: String,
    },
    /// The server accepted nothing that was offered.
    #[error("the server refused user `{user}` with {} (it accepts: {methods}){}", offered.join(" and "), quoted(said))]
    Authentication {
        /// The user name.
        user: String,
        /// What was offered: keys with their fingerprints, certificates with what they are for.
        offered: Vec<String>,
        /// Authentication methods that the server would go on with.
        methods: String,
        /// What the server said, in its banner or when it ended the connection.
        said: Vec<String>,
    },
    /// The server does not speak SSH with us, and says why: OpenSSH shuts out addresses with many refused keys
    /// (`PerSourcePenalties`) and has a limit of unauthenticated connections (`MaxStartups`).
    #[error("the server rejected the connection: {0}")]
    TurnedAway(String),
    /// A host on the way lets nobody connect on.
    #[error("{0}")]
    Forwarding(String),
    /// The agent that holds the keys cannot be used.
    #[error("{0}")]
    Agent(String),
}

/// What a server said, as the end of a sentence.
fn quoted(said: &[String]) -> String {
    match said {
        [] => String::new(),
        said => format!("; it says: {}", said.join(" / ")),
    }
}

impl ConnectError {
    /// Whether waiting can help: a host that starts passes through the first three, and a penalty ends.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Tcp(_) | Self::Banner(_) | Self::KeyExchange(_) | Self::TurnedAway(_)
        )
    }
}

/// Why a command on the host has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    /// The connection ended, or the server refused a channel.
    #[error("the SSH connection failed: {0}")]
    Lost(String),
    /// The command ended without an exit status: the connection or the process was cut off.
    #[error("the command ended without an exit status")]
    NoStatus,
    /// Something else ran in the command's place, and what it said: a login shell that lets nobody in, a forced command.
    #[error("the host did not run the command, and what it ran instead ended with status {status}")]
    NotRun {
        /// Its exit status.
        status: u32,
        /// The last lines of what it printed.
        said: Vec<String>,
    },
    /// The host could not run it.
    #[error("the host could not run the command: {0}")]
    NotStarted(String),
    /// A signal ended the command.
    #[error("the command was ended by signal {0}")]
    Signal(String),
    /// It did not end in time.
    #[error("the command did not end before the deadline")]
    Deadline,
    /// We were asked to stop; the command was told to end.
    #[error("{0} received")]
    Interrupted(Signal),
    /// Our own side could not produce the command's input.
    #[error("cannot produce the input: {0}")]
    Input(String),
    /// The server forwards no connections there, and will not: asking again is of no use.
    #[error(
        "the host refused to forward a connection to {0} (does its sshd have AllowTcpForwarding no?)"
    )]
    ForwardingProhibited(String),
    /// The server could not forward a connection this time.
    #[error("the host refused to forward a connection to {0}")]
    Forward(String),
    /// The server lets no further command run on this connection.
    #[error(
        "the server does not allow another command on this connection ({0}; does its sshd have a low MaxSessions?)"
    )]
    NoChannel(String),
    /// It does, and met nobody there.
    #[error("nothing listens on {0} on the host")]
    Silent(String),
}

impl ExecError {
    pub(crate) fn lost(error: russh::Error) -> Self {
        Self::Lost(error.to_string())
    }
}

/// Why a text is no private key that can be used: the end of a sentence about the text, without any of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// It is encrypted, and no passphrase was given.
    #[error("has a passphrase, but none is given")]
    Passphrase,
    /// It is encrypted in another way, or with another passphrase.
    #[error(
        "has a passphrase that is not the one given, or is encrypted in a way that is not supported (`ssh-keygen -p -f \
         KEY` writes it again)"
    )]
    WrongPassphrase,
    /// There is more than one.
    #[error("holds several private keys; one is wanted")]
    Several,
    /// It begins or ends in the middle.
    #[error(
        "holds a part of a private key: its BEGIN line, its END line or what is between them is not whole"
    )]
    Part,
    /// It is the other half.
    #[error("holds a public key; the private key is wanted, the file without .pub")]
    Public,
    /// It is a certificate in PEM.
    #[error("holds a certificate; the private key is wanted")]
    Certificate,
    /// It is something else.
    #[error("holds no private key (its first line would be -----BEGIN … PRIVATE KEY-----)")]
    NoKey,
    /// It is a key of PuTTY, of a kind that cannot be read.
    #[error(
        "holds a key of PuTTY that cannot be read; `puttygen KEY -O private-openssh -o NEW` makes one without \
         passphrase that can"
    )]
    Putty,
    /// It is whole and cannot be read.
    #[error(
        "holds a private key that cannot be used: it is damaged, or of a kind that is not supported (ed25519, ECDSA \
         and RSA are)"
    )]
    Unusable,
}
