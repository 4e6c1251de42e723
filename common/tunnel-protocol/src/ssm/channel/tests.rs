use super::{CHUNK, Channel, End, PLENTY, ROOM, SILENCE, WINDOW};
use crate::ssm::cipher::{Cipher, DataKey};
use crate::ssm::message::{Kind, Message, new_id, payload};
use aws_smithy_types::base64;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

const STEP: Duration = Duration::from_millis(10);

fn output(sequence: i64, payload_type: u32, payload: &[u8]) -> Message {
    Message {
        kind: Kind::Output,
        created: 0,
        sequence,
        flags: 0,
        id: new_id(),
        payload_type,
        payload: payload.to_vec(),
    }
}

fn request(actions: &Value) -> Vec<u8> {
    let request = json!({"AgentVersion": "3.3.3572.0", "RequestedClientActions": actions});
    request.to_string().into_bytes()
}

fn port() -> Value {
    json!([{"ActionType": "SessionType", "ActionParameters": {"SessionType": "Port", "Properties": {"portNumber": "22"}}}])
}

/// What a channel sends now, acknowledgements left out.
fn sent(channel: &mut Channel, now: Duration) -> Vec<Message> {
    let frames = std::iter::from_fn(|| channel.transmit(now));
    let messages = frames.map(|frame| Message::parse(&frame).unwrap());
    messages
        .filter(|message| message.kind == Kind::Input)
        .collect()
}

fn acknowledge(channel: &mut Channel, now: Duration, message: &Message) {
    channel.receive(now, &message.acknowledgement(new_id(), 0).frame());
}

/// A channel after its handshake; the next message of either side is its second or third.
fn open() -> Channel {
    let mut channel = Channel::new(0);
    let now = Duration::ZERO;
    let asked = output(0, payload::HANDSHAKE_REQUEST, &request(&port()));
    channel.receive(now, &asked.frame());
    let answer = sent(&mut channel, now);
    assert_eq!(answer.len(), 1);
    acknowledge(&mut channel, now, &answer[0]);
    assert_eq!(
        channel.room(),
        0,
        "nothing flows before the handshake is over"
    );
    channel.receive(now, &output(1, payload::HANDSHAKE_COMPLETE, b"{}").frame());
    assert!(channel.is_open());
    channel
}

/// An agent as simple as can be: what it sends it keeps until it is acknowledged.
#[derive(Default)]
struct Agent {
    next: i64,
    waiting: BTreeMap<i64, (Vec<u8>, Option<Duration>)>,
    acknowledgements: Vec<Vec<u8>>,
    expected: i64,
    early: BTreeMap<i64, Message>,
    received: Vec<u8>,
}

impl Agent {
    fn push(&mut self, payload_type: u32, bytes: &[u8]) {
        let frame = output(self.next, payload_type, bytes).frame();
        self.waiting.insert(self.next, (frame, None));
        self.next += 1;
    }

    fn receive(&mut self, frame: &[u8]) {
        let Ok(message) = Message::parse(frame) else {
            return;
        };
        if message.kind == Kind::Acknowledge {
            let content: Value = serde_json::from_slice(&message.payload).unwrap();
            let sequence = content["AcknowledgedMessageSequenceNumber"].as_i64();
            self.waiting.remove(&sequence.unwrap());
            return;
        }
        let ours = message.acknowledgement(new_id(), 0);
        self.acknowledgements.push(ours.frame());
        self.early.insert(message.sequence, message);
        while let Some(message) = self.early.remove(&self.expected) {
            self.expected += 1;
            match message.payload_type {
                payload::OUTPUT => self.received.extend(message.payload),
                payload::HANDSHAKE_RESPONSE => self.push(payload::HANDSHAKE_COMPLETE, b"{}"),
                _ => {}
            }
        }
        let expected = self.expected;
        self.early.retain(|sequence, _| *sequence >= expected);
    }

    fn transmit(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let mut frames = std::mem::take(&mut self.acknowledgements);
        for (at, (frame, sent)) in self.waiting.values_mut().take(200).enumerate() {
            let is_overdue = sent.is_some_and(|sent| at == 0 && sent + 20 * STEP <= now);
            if sent.is_none() || is_overdue {
                *sent = Some(now);
                frames.push(frame.clone());
            }
        }
        frames
    }

    fn reconnected(&mut self) {
        for (_, sent) in self.waiting.values_mut() {
            *sent = None;
        }
    }
}

/// What the network does with a frame.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Arrives,
    IsLost,
    ComesTwice,
    ComesLate(u8),
    IsSpoilt(u16),
    IsCutOff,
    /// And the connection with it.
    Cut,
    Pause(u8),
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Arrives),
        2 => Just(Fate::IsLost),
        2 => Just(Fate::ComesTwice),
        2 => (0..60_u8).prop_map(Fate::ComesLate),
        1 => any::<u16>().prop_map(Fate::IsSpoilt),
        1 => Just(Fate::IsCutOff),
        1 => Just(Fate::Cut),
        1 => (1..60_u8).prop_map(Fate::Pause),
    ]
}

#[derive(Default)]
struct Network {
    fates: VecDeque<Fate>,
    on_the_way: Vec<(Duration, Vec<u8>)>,
    is_cut: bool,
    pause: Option<u8>,
}

impl Network {
    fn carry(&mut self, now: Duration, mut frame: Vec<u8>) {
        let mut arrives = |frame: Vec<u8>, late: u8| {
            self.on_the_way.push((now + STEP * u32::from(late), frame));
        };
        match self.fates.pop_front().unwrap_or(Fate::Arrives) {
            Fate::Arrives => arrives(frame, 1),
            Fate::IsLost => {}
            Fate::ComesTwice => {
                arrives(frame.clone(), 1);
                arrives(frame, 7);
            }
            Fate::ComesLate(late) => arrives(frame, late),
            Fate::IsSpoilt(at) => {
                // Lengths, digests and payloads; no digest tells of a spoilt number elsewhere, TLS does.
                let places: Vec<usize> = (0..4).chain(80..112).chain(116..frame.len()).collect();
                frame[places[usize::from(at) % places.len()]] ^= 0x55;
                arrives(frame, 1);
            }
            Fate::IsCutOff => {
                frame.pop();
                arrives(frame, 1);
            }
            Fate::Cut => self.is_cut = true,
            Fate::Pause(steps) => self.pause = Some(steps),
        }
    }

    fn arrived(&mut self, now: Duration) -> Vec<Vec<u8>> {
        let (here, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.on_the_way)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.on_the_way = later;
        here.into_iter().map(|(_, frame)| frame).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_history_of_faults_delivers_both_streams_whole(
        up in proptest::collection::vec(any::<u8>(), 0..60_000),
        down in proptest::collection::vec(any::<u8>(), 0..60_000),
        fates in proptest::collection::vec(fate(), 0..80),
        read in 1..5_000_usize,
    ) {
        let mut channel = Channel::new(0);
        let mut agent = Agent::default();
        agent.push(payload::HANDSHAKE_REQUEST, &request(&port()));
        let mut network = Network { fates: fates.into(), ..Network::default() };
        let mut back = Network::default();
        let (mut given, mut offered, mut got) = (0, false, Vec::new());
        let mut paused_until = Duration::ZERO;
        for step in 1..20_000_u32 {
            let now = STEP * step;
            given += channel.send(now, &up[given..]);
            if channel.is_open() && !offered {
                down.chunks(777).for_each(|chunk| agent.push(payload::OUTPUT, chunk));
                offered = true;
            }
            while let Some(frame) = channel.transmit(now) {
                network.carry(now, frame);
            }
            for frame in agent.transmit(now) {
                // The same faults hit both ways.
                back.fates.extend(network.fates.pop_front());
                back.carry(now, frame);
            }
            for steps in [network.pause.take(), back.pause.take()].into_iter().flatten() {
                channel.receive(now, &output(0, 0, b"").of_kind(Kind::PausePublication).frame());
                paused_until = now + STEP * u32::from(steps);
            }
            if now >= paused_until {
                channel.receive(now, &output(0, 0, b"").of_kind(Kind::StartPublication).frame());
            }
            if network.is_cut || back.is_cut || channel.is_silent(now) {
                for way in [&mut network, &mut back] {
                    way.on_the_way.clear();
                    way.is_cut = false;
                }
                channel.reconnected(now);
                agent.reconnected();
            }
            network.arrived(now).iter().for_each(|frame| agent.receive(frame));
            back.arrived(now).iter().for_each(|frame| channel.receive(now, frame));
            let taken = channel.inbox().len().min(read);
            got.extend_from_slice(&channel.inbox()[..taken]);
            channel.consume(taken);
            prop_assert!(channel.held() <= 2 * ROOM + WINDOW * (CHUNK + 200));
            prop_assert!(up.starts_with(&agent.received));
            prop_assert!(down.starts_with(&got));
            prop_assert_eq!(channel.end(), None);
            let is_done = offered && agent.received.len() == up.len() && got.len() == down.len();
            if is_done {
                return Ok(());
            }
        }
        prop_assert!(false, "not done: up {}/{}, down {}/{}", agent.received.len(), up.len(), got.len(), down.len());
    }

    #[test]
    fn whatever_arrives_nothing_panics_and_nothing_grows_without_bound(
        frames in proptest::collection::vec(
            (0..3_u8, -2..6_000_i64, 0..14_u32, proptest::collection::vec(any::<u8>(), 0..300)), 0..200),
    ) {
        let mut channel = open();
        for (sort, sequence, payload_type, bytes) in frames {
            let kind = match sort {
                0 => Kind::Output,
                1 => Kind::Acknowledge,
                _ => Kind::ChannelClosed,
            };
            channel.receive(Duration::ZERO, &output(sequence, payload_type, &bytes).of_kind(kind).frame());
            channel.receive(Duration::ZERO, &bytes);
            channel.send(Duration::ZERO, &bytes);
        }
        prop_assert!(channel.held() <= 2 * ROOM + WINDOW * (CHUNK + 200) + 8_192 * 400);
    }
}

impl Message {
    fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

#[test]
fn a_single_line_feed_stays_a_line_feed() {
    let mut channel = open();
    channel.send(Duration::ZERO, b"\n");
    assert_eq!(sent(&mut channel, Duration::ZERO)[0].payload, b"\n");
}

#[test]
fn nothing_is_sent_while_the_other_side_wants_a_pause() {
    let mut channel = open();
    let now = Duration::ZERO;
    channel.send(now, b"before");
    let pause = output(0, 0, b"").of_kind(Kind::PausePublication).frame();
    channel.receive(now, &pause);
    assert_eq!(channel.room(), 0);
    assert_eq!(sent(&mut channel, now), []);
    assert!(!channel.is_silent(SILENCE * 2));
    let later = SILENCE * 2;
    let start = output(0, 0, b"").of_kind(Kind::StartPublication).frame();
    channel.receive(later, &start);
    assert_eq!(sent(&mut channel, later)[0].payload, b"before");
    assert!(!channel.is_silent(later));
    assert!(channel.is_silent(later + SILENCE));
}

#[test]
fn only_the_oldest_message_is_sent_again_when_it_is_overdue() {
    let mut channel = open();
    let now = Duration::ZERO;
    channel.send(now, &[b'a'; 2 * CHUNK]);
    assert_eq!(sent(&mut channel, now).len(), 2);
    let at = channel.wake_at().unwrap();
    assert_eq!(sent(&mut channel, at - Duration::from_millis(1)), []);
    assert!(channel.has_frame(at));
    let again = sent(&mut channel, at);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].sequence, 1, "after the answer to the handshake");
}

#[test]
fn a_message_that_comes_again_is_acknowledged_again_and_delivered_once() {
    let mut channel = open();
    let now = Duration::ZERO;
    while channel.transmit(now).is_some() {}
    let hello = output(2, payload::OUTPUT, b"hello").frame();
    for _ in 0..2 {
        channel.receive(now, &hello);
        let ours = Message::parse(&channel.transmit(now).unwrap()).unwrap();
        assert_eq!(ours.kind, Kind::Acknowledge);
    }
    assert_eq!(channel.inbox(), b"hello");
}

#[test]
fn what_finds_no_room_is_not_acknowledged() {
    let mut channel = open();
    let now = Duration::ZERO;
    let big = vec![7; 64 << 10];
    for sequence in 2..200 {
        channel.receive(now, &output(sequence, payload::OUTPUT, &big).frame());
    }
    assert_eq!(channel.inbox().len(), ROOM);
    assert!(channel.inbox().len() > PLENTY && !channel.wants_frames());
    channel.send(now, b"waits for its acknowledgement");
    assert!(channel.wants_frames());
    channel.consume(ROOM);
    let next = 2 + i64::try_from(ROOM / big.len()).unwrap();
    channel.receive(now, &output(next, payload::OUTPUT, b"then").frame());
    assert_eq!(channel.inbox(), b"then");
}

#[test]
fn numbers_that_lie_are_passed_over_until_there_are_too_many() {
    let mut channel = open();
    let now = Duration::ZERO;
    for _ in 0..=100 {
        assert_eq!(channel.end(), None);
        channel.receive(now, &output(i64::MAX, payload::OUTPUT, b"x").frame());
    }
    let said = channel.end().unwrap().to_string();
    assert!(said.contains("101 frames were wrong"), "{said}");
}

#[test]
fn every_end_says_why() {
    let ends = |message: Message| {
        let mut channel = open();
        channel.receive(Duration::ZERO, &message.frame());
        channel.end().cloned()
    };
    let flag = |sign: u32| ends(output(2, payload::FLAG, &sign.to_be_bytes()));
    assert_eq!(flag(3), Some(End::NoServer));
    assert_eq!(flag(2), Some(End::Closed(String::new())));
    assert_eq!(flag(77), None);
    let closed = output(0, 0, br#"{"Output": "idle for 20 minutes\n"}"#);
    let said = ends(closed.of_kind(Kind::ChannelClosed)).unwrap();
    assert_eq!(
        said.to_string(),
        "Session Manager ended the session: idle for 20 minutes"
    );
}

#[test]
fn a_session_of_another_sort_is_answered_honestly() {
    let mut channel = Channel::new(0);
    let shell = json!([{"ActionType": "SessionType", "ActionParameters": {"SessionType": "Standard_Stream"}}]);
    let asked = output(0, payload::HANDSHAKE_REQUEST, &request(&shell));
    channel.receive(Duration::ZERO, &asked.frame());
    let answer = sent(&mut channel, Duration::ZERO);
    let answer: Value = serde_json::from_slice(&answer[0].payload).unwrap();
    assert_eq!(answer["ProcessedClientActions"][0]["ActionStatus"], 2);
    let said = channel.end().unwrap().to_string();
    assert!(
        said.contains("Standard_Stream, which is not supported"),
        "{said}"
    );
}

/// The agent's half of an encrypted handshake, up to the channel's proof.
fn encrypted() -> (Channel, Cipher) {
    let mut channel = Channel::new(0);
    let now = Duration::ZERO;
    let actions = json!([
        {"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": "arn:key"}},
        {"ActionType": "SessionType", "ActionParameters": {"SessionType": "Port"}},
    ]);
    let asked = output(0, payload::HANDSHAKE_REQUEST, &request(&actions));
    channel.receive(now, &asked.frame());
    assert_eq!(channel.wanted_key().as_deref(), Some("arn:key"));
    assert_eq!(channel.wanted_key(), None, "it is asked for once");
    let halves = [[1; 32], [2; 32]];
    let key = |plain: Vec<u8>| DataKey {
        plain,
        encrypted: b"for the agent".to_vec(),
    };
    channel.key_is(now, Ok(key(halves.concat())));
    let answer = sent(&mut channel, now);
    let answer: Value = serde_json::from_slice(&answer[0].payload).unwrap();
    let result = &answer["ProcessedClientActions"][0]["ActionResult"]["KMSCipherTextKey"];
    assert_eq!(
        base64::decode(result.as_str().unwrap()).unwrap(),
        b"for the agent"
    );
    let agents = Cipher::of(&key([[2; 32], [1; 32]].concat())).unwrap();
    (channel, agents)
}

fn challenge(agent: &Cipher) -> Vec<u8> {
    let sealed = base64::encode(agent.seal(b"proof").unwrap());
    json!({ "Challenge": sealed }).to_string().into_bytes()
}

#[test]
fn an_encrypted_session_proves_its_key_and_seals_its_stream() {
    let (mut channel, agent) = encrypted();
    let now = Duration::ZERO;
    let asked = output(1, payload::CHALLENGE_REQUEST, &challenge(&agent));
    channel.receive(now, &asked.frame());
    let proof = sent(&mut channel, now);
    assert_eq!(proof[0].payload_type, payload::CHALLENGE_RESPONSE);
    let proof: Value = serde_json::from_slice(&proof[0].payload).unwrap();
    let proof = base64::decode(proof["Challenge"].as_str().unwrap()).unwrap();
    assert_eq!(agent.open(&proof).unwrap(), b"proof");
    channel.receive(now, &output(2, payload::HANDSHAKE_COMPLETE, b"{}").frame());
    let sealed = agent.seal(b"hello").unwrap();
    channel.receive(now, &output(3, payload::OUTPUT, &sealed).frame());
    assert_eq!(channel.inbox(), b"hello");
    channel.send(now, b"answer");
    let answer = sent(&mut channel, now);
    assert_eq!(agent.open(&answer[0].payload).unwrap(), b"answer");
    channel.receive(
        now,
        &output(4, payload::OUTPUT, b"in the clear, a long text").frame(),
    );
    assert!(matches!(channel.end(), Some(End::Nonsense(_))));
}

#[test]
fn an_agent_that_drops_the_encryption_is_not_followed() {
    let (mut channel, _) = encrypted();
    channel.receive(
        Duration::ZERO,
        &output(1, payload::HANDSHAKE_COMPLETE, b"{}").frame(),
    );
    assert!(!channel.is_open());
    let said = channel.end().unwrap().to_string();
    assert!(
        said.contains("asked for encryption, and goes on without"),
        "{said}"
    );
}

#[test]
fn a_key_that_cannot_be_had_ends_the_session_on_both_sides() {
    let mut channel = Channel::new(0);
    let now = Duration::ZERO;
    let actions =
        json!([{"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": "arn:key"}}]);
    let asked = output(0, payload::HANDSHAKE_REQUEST, &request(&actions));
    channel.receive(now, &asked.frame());
    channel.key_is(now, Err("AccessDeniedException".to_owned()));
    let answer = sent(&mut channel, now);
    let answer: Value = serde_json::from_slice(&answer[0].payload).unwrap();
    assert_eq!(answer["Errors"], json!(["AccessDeniedException"]));
    let said = channel.end().unwrap().to_string();
    assert_eq!(
        said,
        "the session must be encrypted with the KMS key arn:key, and that cannot be used: AccessDeniedException"
    );
}
