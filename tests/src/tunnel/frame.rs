//! A message between a client and the SSM agent, from the field note's table of the format.

use sha2::{Digest as _, Sha256};

/// A message as this side needs it.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) sequence: i64,
    pub(super) id: [u8; 16],
    pub(super) payload_type: u32,
    pub(super) payload: Vec<u8>,
}

/// The fields in their order, with their lengths.
const FIELDS: [usize; 10] = [4, 32, 4, 8, 8, 8, 16, 32, 4, 4];

impl Frame {
    /// Reads bytes that a client sent; `None` where anything about them is wrong, or the digest where it is judged.
    pub(super) fn read(bytes: &[u8], judges_digest: bool) -> Option<Self> {
        let mut rest = bytes;
        let mut fields = Vec::new();
        for length in FIELDS {
            let (field, after) = rest.split_at_checked(length)?;
            fields.push(field);
            rest = after;
        }
        let number = |at: usize| {
            fields[at]
                .iter()
                .fold(0_u64, |sum, b| sum << 8 | u64::from(*b))
        };
        let is_whole = number(0) == 116
            && number(2) == 1
            && number(9) == rest.len() as u64
            && (!judges_digest || fields[7] == Sha256::digest(rest).as_slice());
        let kind = String::from_utf8(fields[1].to_vec()).ok()?;
        is_whole.then(|| Self {
            kind: kind.trim_matches([' ', '\0']).to_owned(),
            sequence: number(4) as i64,
            id: fields[6].try_into().expect("it has 16 bytes"),
            payload_type: number(8) as u32,
            payload: rest.to_vec(),
        })
    }

    /// A new message.
    pub(super) fn new(kind: &str, sequence: i64, payload_type: u32, payload: &[u8]) -> Self {
        Self {
            kind: kind.to_owned(),
            sequence,
            id: std::array::from_fn(|_| fastrand::u8(..)),
            payload_type,
            payload: payload.to_vec(),
        }
    }

    /// The bytes that an agent sends.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = 116_u32.to_be_bytes().to_vec();
        bytes.extend(format!("{:<32}", self.kind).into_bytes());
        bytes.extend(1_u32.to_be_bytes());
        bytes.extend(1_795_424_400_000_u64.to_be_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(0_u64.to_be_bytes());
        bytes.extend(self.id);
        bytes.extend(Sha256::digest(&self.payload));
        bytes.extend(self.payload_type.to_be_bytes());
        bytes.extend((self.payload.len() as u32).to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The id in text form. On the wire its second half stands first.
    pub(super) fn id_text(&self) -> String {
        let (low, high) = self.id.split_at(8);
        let hex: String = high.iter().chain(low).map(|b| format!("{b:02x}")).collect();
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn frames_are_read_as_they_are_written_and_no_lie_is_believed() {
        let frame = Frame::new("input_stream_data", 7, 1, b"hello");
        let bytes = frame.bytes();
        let read = Frame::read(&bytes, true).unwrap();
        assert_eq!(
            (read.kind.as_str(), read.sequence, read.payload.as_slice()),
            ("input_stream_data", 7, b"hello".as_slice())
        );
        for at in [3, 39, 85, 119, 121] {
            let mut lie = bytes.clone();
            lie[at] ^= 1;
            assert!(Frame::read(&lie, true).is_none(), "{at}");
        }
        assert!(Frame::read(&bytes[..124], true).is_none());
    }
}
