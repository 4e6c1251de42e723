//! No frame makes the reader of Session Manager's messages panic, what is read is written again as it was, and no
//! history of frames makes a channel panic, deliver what was not sent, or hold more than its bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::time::Duration;
use tunnel_protocol::ssm::channel::Channel;
use tunnel_protocol::ssm::message::{Kind, Message, payload};

/// More than any channel may hold.
const BOUND: usize = 16 << 20;

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Message::parse(data) {
        let again = Message::parse(&message.frame());
        assert_eq!(again, Ok(message));
    }
    // The same bytes as a history: a length of one byte, then a frame, or a message with a payload of that length.
    let mut channel = Channel::new(0);
    let mut rest = data;
    let mut now = Duration::ZERO;
    let mut read = 0;
    let mut offered = 0;
    while let [how, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        now += Duration::from_millis(u64::from(*how));
        let kind = match how % 5 {
            0 => Kind::Acknowledge,
            1 => Kind::ChannelClosed,
            2 => Kind::PausePublication,
            _ => Kind::Output,
        };
        let message = Message {
            kind,
            created: 0,
            sequence: i64::from(how / 16),
            flags: 0,
            id: 0,
            payload_type: if how % 2 == 0 { payload::OUTPUT } else { u32::from(length % 14) },
            payload: bytes.to_vec(),
        };
        offered += bytes.len();
        channel.receive(now, bytes);
        channel.receive(now, &message.frame());
        channel.send(now, bytes);
        if how % 7 == 0 {
            channel.reconnected(now);
        }
        let mut sent = 0;
        while let Some(frame) = channel.transmit(now) {
            sent += frame.len();
            assert!(sent < BOUND);
        }
        let inbox = channel.inbox().len();
        read += inbox;
        channel.consume(inbox);
        assert!(read <= offered);
    }
});
