//! The frames of an Instance Connect Endpoint as a state machine: binary frames are bytes of the stream, everything else
//! is an end with its reason. AWS's own client sends at most 65,000 bytes in one, and takes a text frame for an error.

use std::collections::VecDeque;

use crate::plain;

/// Bytes in one frame, as many as AWS's own client sends.
pub const MOST: usize = 65_000;
/// From here on nothing more is read from the network until SSH has read.
const PLENTY: usize = 1 << 20;
/// Frames that wait for the network.
const WAITING: usize = 4;
/// The close code of an end as it should be (RFC 6455).
const NORMAL: u16 = 1000;

/// Why the frames ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The endpoint closed, as it does when the host closed its connection.
    #[error("closed the connection, as when the host does")]
    Done,
    /// The endpoint closed with another code.
    #[error("closed the connection ({code}): {reason}")]
    Closed {
        /// The close code.
        code: u16,
        /// The endpoint's reason.
        reason: String,
    },
    /// The endpoint sent a text, which is no part of a stream.
    #[error("sent a text instead of the stream: {0}")]
    Text(String),
    /// The connection broke off.
    #[error("broke off the connection: {0}")]
    Cut(String),
}

/// What came over the websocket.
#[derive(Debug)]
pub enum Came {
    /// A binary message.
    Binary(Vec<u8>),
    /// A text message.
    Text(String),
    /// Nothing for us.
    Other,
    /// The end, with the code and the reason of the other side.
    Closed(Option<(u16, String)>),
    /// The end, without one.
    Cut(String),
}

/// What is to be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Out {
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, which keeps a silent connection open.
    Ping,
}

/// The state machine.
#[derive(Debug, Default)]
pub struct Frames {
    inbox: VecDeque<u8>,
    outbox: VecDeque<Out>,
    fault: Option<Fault>,
}

impl Frames {
    /// Of a connection that was just opened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what came.
    pub fn receive(&mut self, came: Came) {
        if self.fault.is_some() {
            return;
        }
        self.fault = match came {
            Came::Binary(bytes) => {
                self.inbox.extend(bytes);
                return;
            }
            Came::Other => return,
            Came::Text(text) => Some(Fault::Text(plain(&text))),
            Came::Closed(None | Some((NORMAL, _))) => Some(Fault::Done),
            Came::Closed(Some((code, reason))) => Some(Fault::Closed { code, reason }),
            Came::Cut(why) => Some(Fault::Cut(why)),
        };
    }

    /// Why the frames ended, once they did. Bytes that came before can still be read.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.clone()
    }

    /// Whether more should be read from the network.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        self.fault.is_none() && self.inbox.len() < PLENTY
    }

    /// Whether [`Frames::send`] takes bytes.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.fault.is_none() && self.outbox.len() < WAITING
    }

    /// Sends bytes of the stream.
    pub fn send(&mut self, bytes: &[u8]) {
        let frames = bytes.chunks(MOST);
        self.outbox
            .extend(frames.map(|frame| Out::Binary(frame.to_vec())));
    }

    /// Sends a ping, unless bytes wait already.
    pub fn ping(&mut self) {
        if self.takes() {
            self.outbox.push_back(Out::Ping);
        }
    }

    /// Whether [`Frames::transmit`] has something.
    #[must_use]
    pub fn has_frame(&self) -> bool {
        self.fault.is_none() && !self.outbox.is_empty()
    }

    /// The next message for the network.
    pub fn transmit(&mut self) -> Option<Out> {
        self.outbox.pop_front()
    }

    /// Bytes that came, in order; not all of them, maybe.
    #[must_use]
    pub fn inbox(&self) -> &[u8] {
        self.inbox.as_slices().0
    }

    /// So many of them were read.
    pub fn consume(&mut self, bytes: usize) {
        self.inbox.drain(..bytes.min(self.inbox.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::{Came, Fault, Frames, MOST, Out};

    fn ended(came: Came) -> Option<Fault> {
        let mut frames = Frames::new();
        frames.receive(Came::Binary(b"before".to_vec()));
        frames.receive(came);
        frames.receive(Came::Binary(b"after".to_vec()));
        let read = frames.inbox().to_vec();
        match frames.fault() {
            Some(_) => assert_eq!(read, b"before"),
            None => assert!(read.starts_with(b"before")),
        }
        frames.fault()
    }

    #[test]
    fn everything_but_bytes_is_an_end_with_its_reason() {
        let closed = |code: u16, reason: &str| ended(Came::Closed(Some((code, reason.to_owned()))));
        assert_eq!(ended(Came::Binary(b"bytes".to_vec())), None);
        assert_eq!(ended(Came::Other), None);
        assert_eq!(ended(Came::Closed(None)), Some(Fault::Done));
        assert_eq!(closed(1000, "bye"), Some(Fault::Done));
        assert_eq!(
            closed(1011, "Unable to connect"),
            Some(Fault::Closed {
                code: 1011,
                reason: "Unable to connect".to_owned()
            })
        );
        assert_eq!(
            ended(Came::Text("{\"message\":\n\"no\"}".to_owned())),
            Some(Fault::Text("{\"message\": \"no\"}".to_owned()))
        );
        let cut = Came::Cut("reset".to_owned());
        assert_eq!(ended(cut), Some(Fault::Cut("reset".to_owned())));
    }

    #[test]
    fn frames_are_no_larger_than_those_of_awss_own_client() {
        let mut frames = Frames::new();
        frames.send(&vec![0; 2 * MOST + 1]);
        let sizes: Vec<usize> = std::iter::from_fn(|| frames.transmit())
            .map(|out| match out {
                Out::Binary(bytes) => bytes.len(),
                Out::Ping => 0,
            })
            .collect();
        assert_eq!(sizes, [MOST, MOST, 1]);
    }
}
