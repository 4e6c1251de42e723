//! Frames of all messages, cut anywhere, and bytes that are no frames.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use agent_protocol::frame::{Decoder, FrameError, MOST, encode};
use agent_protocol::message::{
    AgentError, Answer, Connect, Ended, FromAgent, Holder, Judging, Lock, Request, Run, Stream,
    ToAgent,
};
use agent_protocol::plan::{Action, Forward, HealthCheck, OnFailure, Plan, Step};
use filesync::{Layout, Operation, Paths};
use proptest::prelude::*;

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..2000)
}

fn holder() -> impl Strategy<Value = Holder> {
    let judging = (".*", any::<u64>()).prop_map(|(release, until)| Judging { release, until });
    (
        (".*", ".*"),
        any::<(u64, u32, Option<u64>)>(),
        proptest::option::of(judging),
    )
        .prop_map(
            |((owner, token), (since, process, lease_secs), judging)| Holder {
                owner,
                token,
                since,
                process,
                lease_secs,
                judging,
            },
        )
}

fn plan() -> impl Strategy<Value = Plan> {
    let action = prop_oneof![
        ".*".prop_map(Action::Run),
        ".*".prop_map(|release| Action::Files(Operation::Switch {
            release,
            starts: true
        })),
        (".*", any::<(u16, u32)>(), ".*").prop_map(|(host, (port, count), text)| {
            Action::Ask(HealthCheck {
                host,
                port,
                path: text.clone(),
                headers: vec![(text.clone(), text.clone())],
                statuses: vec![port..=u16::MAX],
                body: Some(text.clone()),
                release: text,
                count,
                pause_ms: 0,
            })
        }),
    ];
    let step = (".*", action, any::<u64>()).prop_map(|(what, action, limit_ms)| Step {
        what,
        action,
        on_failure: OnFailure::Retry,
        limit_ms,
    });
    let steps = proptest::collection::vec(step, 0..4);
    (steps, ".*", proptest::option::of(".*")).prop_map(|(steps, text, before)| Plan {
        release: text.clone(),
        paths: Paths {
            target: text.clone(),
            layout: Layout::InPlace,
        },
        forward: match before {
            Some(_) => Forward::Prove(steps.clone()),
            None => Forward::Cannot(text.clone()),
        },
        least_ms: 1,
        back: steps,
        before,
        audit: text,
    })
}

fn to_agent() -> impl Strategy<Value = ToAgent> {
    let request = prop_oneof![
        (".*", any::<Option<u64>>())
            .prop_map(|(script, limit_ms)| Request::Run(Run { script, limit_ms })),
        (".*", holder(), any::<bool>()).prop_map(|(folder, holder, waits)| Request::Lock {
            lock: Lock { folder, holder },
            waits,
        }),
        Just(Request::Unlock),
        proptest::option::of(plan()).prop_map(|plan| Request::Plan(plan.map(Box::new))),
        (".*", any::<(u16, u64)>()).prop_map(|(host, (port, limit_ms))| Request::Connect(
            Connect {
                host,
                port,
                limit_ms
            }
        )),
        ".*".prop_map(|folder| Request::Holder { folder }),
    ];
    prop_oneof![
        (any::<u32>(), request).prop_map(|(id, request)| ToAgent::Request { id, request }),
        (any::<u32>(), bytes()).prop_map(|(id, bytes)| ToAgent::Data { id, bytes }),
        any::<u32>().prop_map(|id| ToAgent::End { id }),
        any::<(u32, u32)>().prop_map(|(id, bytes)| ToAgent::Taken { id, bytes }),
        any::<u32>().prop_map(|id| ToAgent::Cancel { id }),
        Just(ToAgent::Alive),
    ]
}

fn from_agent() -> impl Strategy<Value = FromAgent> {
    let answer = prop_oneof![
        any::<u8>().prop_map(|status| Ok(Answer::Ended(Ended::Status(status)))),
        any::<i32>().prop_map(|signal| Ok(Answer::Ended(Ended::Signal(signal)))),
        proptest::option::of(holder()).prop_map(|left_by| Ok(Answer::Locked { left_by })),
        holder().prop_map(|holder| Ok(Answer::Held(holder))),
        ".*".prop_map(|path| Err(AgentError::Denied { path })),
    ];
    prop_oneof![
        (any::<u32>(), any::<bool>(), bytes()).prop_map(|(id, out, bytes)| FromAgent::Data {
            id,
            stream: if out { Stream::Stdout } else { Stream::Stderr },
            bytes,
        }),
        any::<(u32, u32)>().prop_map(|(id, bytes)| FromAgent::Taken { id, bytes }),
        any::<u32>().prop_map(|id| FromAgent::Connected { id }),
        (any::<u32>(), answer).prop_map(|(id, answer)| FromAgent::Answer { id, answer }),
    ]
}

fn read<T: serde::de::DeserializeOwned>(stream: &[u8], cuts: &[usize]) -> Vec<T> {
    let (mut decoder, mut read, mut at) = (Decoder::default(), Vec::new(), 0);
    let cuts = cuts.iter().copied().chain([usize::MAX]);
    for cut in cuts {
        let end = at.max(cut.min(stream.len()));
        decoder.push(&stream[at..end]);
        at = end;
        while let Some(message) = decoder.message().unwrap() {
            read.push(message);
        }
    }
    assert!(!decoder.is_partial());
    read
}

proptest! {
    #[test]
    fn what_is_sent_is_what_is_read_however_it_is_cut(
        sent in proptest::collection::vec(to_agent(), 0..8),
        answered in proptest::collection::vec(from_agent(), 0..8),
        mut cuts in proptest::collection::vec(0..20_000_usize, 0..20),
    ) {
        cuts.sort_unstable();
        let stream: Vec<u8> = sent.iter().flat_map(|it| encode(it).unwrap()).collect();
        prop_assert_eq!(read::<ToAgent>(&stream, &cuts), sent);
        let stream: Vec<u8> = answered.iter().flat_map(|it| encode(it).unwrap()).collect();
        prop_assert_eq!(read::<FromAgent>(&stream, &cuts), answered);
    }

    #[test]
    fn a_part_of_a_message_is_no_message(sent in to_agent(), part in 0.0..1.0_f64) {
        let stream = encode(&sent).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short stream")]
        let cut = (stream.len() as f64 * part) as usize;
        let mut decoder = Decoder::default();
        decoder.push(&stream[..cut]);
        prop_assert_eq!(decoder.message::<ToAgent>(), Ok(None));
        decoder.push(&stream[cut..]);
        prop_assert_eq!(decoder.message(), Ok(Some(sent)));
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(pieces in proptest::collection::vec(bytes(), 0..5)) {
        let mut decoder = Decoder::default();
        for piece in pieces {
            decoder.push(&piece);
            while let Ok(Some(_)) = decoder.message::<ToAgent>() {}
        }
    }
}

#[test]
fn a_frame_has_a_bound_on_either_side() {
    let mut decoder = Decoder::default();
    decoder.push(&u32::MAX.to_le_bytes());
    assert_eq!(
        decoder.message::<ToAgent>(),
        Err(FrameError::Long(u32::MAX as usize))
    );
    let long = ToAgent::Data {
        id: 1,
        bytes: vec![0; MOST],
    };
    assert!(matches!(encode(&long), Err(FrameError::Long(_))));
}

#[test]
fn a_frame_with_more_than_its_message_is_refused() {
    let mut bytes = encode(&ToAgent::Alive).unwrap();
    bytes[0] += 1;
    bytes.push(0);
    let mut decoder = Decoder::default();
    decoder.push(&bytes);
    for _ in 0..2 {
        assert_eq!(decoder.message::<ToAgent>(), Err(FrameError::Malformed));
    }
}
