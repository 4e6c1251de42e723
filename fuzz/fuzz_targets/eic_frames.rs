//! No history of websocket messages makes the frames of an Instance Connect Endpoint panic; bytes are delivered as they
//! came, nothing after the end, and every end has its reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tunnel_protocol::frames::{Came, Frames, MOST, Out};

fuzz_target!(|data: &[u8]| {
    let mut frames = Frames::new();
    let (mut expected, mut got, mut sent, mut taken) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut rest = data;
    while let [how, length, after @ ..] = rest {
        let (bytes, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let is_over = frames.fault().is_some();
        let came = match how % 16 {
            0 => Came::Text(text),
            1 => Came::Closed(None),
            2 => Came::Closed(Some((u16::from(*length) * 16, text))),
            3 => Came::Cut(text),
            4 => Came::Other,
            _ => Came::Binary(bytes.to_vec()),
        };
        if let (Came::Binary(bytes), false) = (&came, is_over) {
            expected.extend_from_slice(bytes);
        }
        frames.receive(came);
        if frames.takes() {
            frames.send(bytes);
            taken.extend_from_slice(bytes);
        }
        while let Some(out) = frames.transmit() {
            if let Out::Binary(bytes) = out {
                assert!(bytes.len() <= MOST);
                sent.extend(bytes);
            }
        }
        got.extend_from_slice(frames.inbox());
        let count = frames.inbox().len();
        frames.consume(count);
        assert_eq!(is_over || frames.fault().is_some(), frames.fault().is_some());
    }
    while !frames.inbox().is_empty() {
        got.extend_from_slice(frames.inbox());
        let count = frames.inbox().len();
        frames.consume(count);
    }
    assert_eq!(got, expected);
    assert_eq!(sent, taken);
    if let Some(fault) = frames.fault() {
        assert!(!fault.to_string().is_empty());
    }
});
