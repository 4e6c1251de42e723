//! One message of the data channel between a client and the SSM agent, as it is in a websocket frame.
//!
//! All numbers are big-endian. The source is what AWS's own Session Manager plugin writes and reads
//! (<https://github.com/aws/session-manager-plugin>, `src/message`); AWS documents none of it
//! (<https://github.com/aws/session-manager-plugin/issues/131>).
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | length of the header, 116 |
//! | 4 | 32 | type, padded with spaces |
//! | 36 | 4 | schema version, 1 |
//! | 40 | 8 | when it was made, milliseconds since 1970 |
//! | 48 | 8 | sequence number |
//! | 56 | 8 | flags |
//! | 64 | 16 | id, the low half first |
//! | 80 | 32 | SHA-256 of the payload |
//! | 112 | 4 | type of the payload |
//! | 116 | 4 | length of the payload |
//! | 120 | | payload |

use sha2::{Digest as _, Sha256};

/// Where the length of the payload stands; what the header's own length says.
const HEADER: usize = 116;
/// Where the payload begins.
const PAYLOAD: usize = HEADER + 4;
/// Flags of a message that is a whole exchange of its own.
const SYN_AND_FIN: u64 = 3;

/// What a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// From the client to the agent.
    Input,
    /// From the agent to the client.
    Output,
    /// That a message arrived.
    Acknowledge,
    /// The channel's end.
    ChannelClosed,
    /// The other side takes messages.
    StartPublication,
    /// The other side takes no messages until further notice.
    PausePublication,
    /// A type that is not known here.
    Other(String),
}

impl Kind {
    fn name(&self) -> &str {
        match self {
            Self::Input => "input_stream_data",
            Self::Output => "output_stream_data",
            Self::Acknowledge => "acknowledge",
            Self::ChannelClosed => "channel_closed",
            Self::StartPublication => "start_publication",
            Self::PausePublication => "pause_publication",
            Self::Other(name) => name,
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "input_stream_data" => Self::Input,
            "output_stream_data" => Self::Output,
            "acknowledge" => Self::Acknowledge,
            "channel_closed" => Self::ChannelClosed,
            "start_publication" => Self::StartPublication,
            "pause_publication" => Self::PausePublication,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The service sends these with digests that mean nothing.
    fn has_digest(&self) -> bool {
        !matches!(self, Self::StartPublication | Self::PausePublication)
    }
}

/// What a payload is: a number on the wire.
pub mod payload {
    /// None of the others; of an acknowledgement.
    pub const NONE: u32 = 0;
    /// Bytes of the stream, in both directions.
    pub const OUTPUT: u32 = 1;
    /// The agent asks what the client can do.
    pub const HANDSHAKE_REQUEST: u32 = 5;
    /// The client's answer.
    pub const HANDSHAKE_RESPONSE: u32 = 6;
    /// The agent lets the stream begin.
    pub const HANDSHAKE_COMPLETE: u32 = 7;
    /// The agent asks for a proof of the key.
    pub const CHALLENGE_REQUEST: u32 = 8;
    /// The proof.
    pub const CHALLENGE_RESPONSE: u32 = 9;
    /// A signal: see [`super::flag`].
    pub const FLAG: u32 = 10;
    /// What the agent's plugin wrote to its standard error.
    pub const STDERR: u32 = 11;
    /// How the agent's plugin ended.
    pub const EXIT_CODE: u32 = 12;
}

/// Signals, a number of four bytes each.
pub mod flag {
    /// The connection to the port was closed.
    pub const DISCONNECT: u32 = 1;
    /// The session shall end.
    pub const TERMINATE: u32 = 2;
    /// Nothing answers at the port.
    pub const CONNECT_ERROR: u32 = 3;
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is for.
    pub kind: Kind,
    /// When it was made, milliseconds since 1970.
    pub created: u64,
    /// Its place among the messages of its sender, from 0.
    pub sequence: i64,
    /// Bit 0 begins something, bit 1 ends it.
    pub flags: u64,
    /// Its own id.
    pub id: u128,
    /// What the payload is: see [`payload`].
    pub payload_type: u32,
    /// The payload.
    pub payload: Vec<u8>,
}

/// Why a frame is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends inside its header.
    #[error("it has {0} bytes, fewer than a header")]
    Short(usize),
    /// Its header is not as long as those of this format.
    #[error("its header says that it is {0} bytes long, not 116")]
    Header(u32),
    /// Its type is no text.
    #[error("its type is not text")]
    Type,
    /// Its payload is not as long as it says.
    #[error("it says that it carries {says} bytes, and carries {carries}")]
    Length {
        /// What the header says.
        says: u32,
        /// What is there.
        carries: usize,
    },
    /// Its payload is not the one that was sent.
    #[error("its payload does not have the digest that it says")]
    Digest,
}

impl Message {
    /// Reads a frame. The payload has the length and the digest that it says, or this is a fault.
    ///
    /// # Errors
    /// What is wrong with the frame.
    pub fn parse(frame: &[u8]) -> Result<Self, Fault> {
        let Some((header, carried)) = frame.split_at_checked(PAYLOAD) else {
            return Err(Fault::Short(frame.len()));
        };
        let length = u32::from_be_bytes(part(header, 0));
        if usize::try_from(length) != Ok(HEADER) {
            return Err(Fault::Header(length));
        }
        let name = std::str::from_utf8(&header[4..36]).map_err(|_| Fault::Type)?;
        let kind = Kind::of(name.trim_matches(|c: char| c == '\0' || c == ' '));
        let says = u32::from_be_bytes(part(header, HEADER));
        if usize::try_from(says) != Ok(carried.len()) {
            let carries = carried.len();
            return Err(Fault::Length { says, carries });
        }
        let is_judged = kind.has_digest() && !carried.is_empty();
        if is_judged && Sha256::digest(carried).as_slice() != &header[80..112] {
            return Err(Fault::Digest);
        }
        let low = u64::from_be_bytes(part(header, 64));
        let high = u64::from_be_bytes(part(header, 72));
        Ok(Self {
            kind,
            created: u64::from_be_bytes(part(header, 40)),
            sequence: i64::from_be_bytes(part(header, 48)),
            flags: u64::from_be_bytes(part(header, 56)),
            id: (u128::from(high) << 64) | u128::from(low),
            payload_type: u32::from_be_bytes(part(header, 112)),
            payload: carried.to_vec(),
        })
    }

    /// The frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let mut frame = Vec::with_capacity(PAYLOAD + self.payload.len());
        frame.extend(116_u32.to_be_bytes());
        let mut name = [b' '; 32];
        for (to, from) in name.iter_mut().zip(self.kind.name().bytes()) {
            *to = from;
        }
        frame.extend(name);
        frame.extend(1_u32.to_be_bytes());
        frame.extend(self.created.to_be_bytes());
        frame.extend(self.sequence.to_be_bytes());
        frame.extend(self.flags.to_be_bytes());
        let [low, high] = [self.id, self.id >> 64];
        // The lower 64 bits of each.
        frame.extend(&low.to_be_bytes()[8..]);
        frame.extend(&high.to_be_bytes()[8..]);
        frame.extend(Sha256::digest(&self.payload));
        frame.extend(self.payload_type.to_be_bytes());
        let length = u32::try_from(self.payload.len()).unwrap_or(u32::MAX);
        frame.extend(length.to_be_bytes());
        frame.extend(&self.payload);
        frame
    }

    /// That `self` arrived.
    #[must_use]
    pub fn acknowledgement(&self, id: u128, created: u64) -> Self {
        let content = serde_json::json!({
            "AcknowledgedMessageType": self.kind.name(),
            "AcknowledgedMessageId": uuid(self.id),
            "AcknowledgedMessageSequenceNumber": self.sequence,
            "IsSequentialMessage": true,
        });
        Self {
            kind: Kind::Acknowledge,
            created,
            sequence: 0,
            flags: SYN_AND_FIN,
            id,
            payload_type: payload::NONE,
            payload: content.to_string().into_bytes(),
        }
    }
}

/// Bytes of a header, at a place that every header has.
fn part<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&header[at..at + N]);
    part
}

/// The usual form of an id.
#[must_use]
pub fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    parts.map(|(from, to)| &hex[from..to]).join("-")
}

/// A random id of version 4.
#[must_use]
pub fn new_id() -> u128 {
    let random = fastrand::u128(..);
    let without_marks = random & !((0xf << 76) | (0x3 << 62));
    without_marks | (0x4 << 76) | (0x2 << 62)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Fault, Kind, Message, new_id, payload, uuid};
    use proptest::prelude::*;

    fn message(payload: &[u8]) -> Message {
        Message {
            kind: Kind::Input,
            created: 1_794_000_000_000,
            sequence: 7,
            flags: 0,
            id: 0x0011_2233_4455_6677_8899_aabb_ccdd_eeff,
            payload_type: payload::OUTPUT,
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn a_frame_has_each_field_at_its_place() {
        let frame = message(b"hello").frame();
        assert_eq!(frame.len(), 125);
        assert_eq!(frame[..4], [0, 0, 0, 116]);
        assert_eq!(&frame[4..36], b"input_stream_data               ");
        assert_eq!(frame[36..40], [0, 0, 0, 1]);
        assert_eq!(frame[48..56], [0, 0, 0, 0, 0, 0, 0, 7]);
        // The low half of the id stands first.
        assert_eq!(
            frame[64..80],
            [
                0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                0x66, 0x77
            ]
        );
        assert_eq!(
            frame[80..84],
            [0x2c, 0xf2, 0x4d, 0xba],
            "SHA-256 of `hello`"
        );
        assert_eq!(frame[112..120], [0, 0, 0, 1, 0, 0, 0, 5]);
    }

    #[test]
    fn ids_have_the_usual_form() {
        assert_eq!(
            uuid(message(b"").id),
            "00112233-4455-6677-8899-aabbccddeeff"
        );
        for _ in 0..100 {
            let id = uuid(new_id());
            assert_eq!(&id[14..15], "4", "{id}");
            assert!(["8", "9", "a", "b"].contains(&&id[19..20]), "{id}");
        }
    }

    #[test]
    fn frames_that_lie_are_refused() {
        let spoilt = |at: usize, to: u8| {
            let mut frame = message(b"hello").frame();
            frame[at] = to;
            Message::parse(&frame).unwrap_err()
        };
        assert_eq!(spoilt(3, 117), Fault::Header(117));
        assert_eq!(spoilt(4, 0xff), Fault::Type);
        assert_eq!(
            spoilt(119, 6),
            Fault::Length {
                says: 6,
                carries: 5
            }
        );
        assert_eq!(spoilt(80, 0), Fault::Digest);
        assert_eq!(spoilt(124, b'x'), Fault::Digest);
        assert_eq!(Message::parse(&[0; 119]), Err(Fault::Short(119)));
    }

    #[test]
    fn what_the_service_sends_about_its_pace_has_no_digest() {
        let mut frame = message(b"x").frame();
        frame[4..36].copy_from_slice(b"pause_publication\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        frame[80..112].fill(0);
        assert_eq!(Message::parse(&frame).unwrap().kind, Kind::PausePublication);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            name in "[a-z_]{1,32}",
            (created, sequence, flags) in any::<(u64, i64, u64)>(),
            (id, payload_type) in any::<(u128, u32)>(),
            payload in proptest::collection::vec(any::<u8>(), 0..2000),
        ) {
            let kind = Kind::of(&name);
            let message = Message { kind, created, sequence, flags, id, payload_type, payload };
            prop_assert_eq!(Message::parse(&message.frame()), Ok(message));
        }

        #[test]
        fn any_bytes_are_a_message_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(message) = Message::parse(&bytes) {
                prop_assert_eq!(message.payload.len() + 120, bytes.len());
            }
        }
    }
}
