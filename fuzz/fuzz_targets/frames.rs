//! No bytes make the agent's decoder panic or hold more than came, and it reads the same however they are cut.
#![no_main]

use agent_protocol::frame::{Decoder, FrameError, encode};
use agent_protocol::message::{FromAgent, ToAgent};
use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// All messages up to the first error.
fn read<T: DeserializeOwned>(pieces: &[&[u8]]) -> (Vec<T>, Option<FrameError>) {
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match decoder.message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error)),
            }
        }
    }
    (messages, None)
}

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8], cut: usize) {
    let whole = read::<T>(&[bytes]);
    let (before, after) = bytes.split_at(cut.min(bytes.len()));
    assert_eq!(whole, read::<T>(&[before, after]));
    for message in whole.0 {
        let again = encode(&message).expect("what was read is short enough");
        assert_eq!(read::<T>(&[&again]), (vec![message], None));
    }
}

fuzz_target!(|input: (usize, &[u8])| {
    let (cut, bytes) = input;
    check::<ToAgent>(bytes, cut);
    check::<FromAgent>(bytes, cut);
});
