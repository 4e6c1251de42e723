//! One session of an agent: what it sends and takes over one connection after the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_smithy_types::base64;
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::super::frame::Frame;
use super::super::network::Way;
use super::{Behaviour, Book};

/// Bytes of the stream in one message, as real agents send.
const CHUNK: usize = 1024;
/// Messages that wait for their acknowledgement.
const WAITING: usize = 512;
/// After so long the oldest message is sent again.
const AGAIN: Duration = Duration::from_millis(200);

/// What KMS makes here: the first half is the key of what the agent sends.
pub(super) const KMS_PLAIN: [u8; 64] = {
    let mut key = [0x11; 64];
    let mut at = 32;
    while at < 64 {
        key[at] = 0x22;
        at += 1;
    }
    key
};
pub(super) const KMS_BLOB: &[u8] = b"only KMS can read this";

/// One session, which outlives its connections.
pub(super) struct Session {
    host: Option<TcpStream>,
    /// Bytes of the stream for the host.
    to_host: VecDeque<u8>,
    received: usize,
    next: i64,
    waiting: BTreeMap<i64, (Vec<u8>, Option<Instant>)>,
    expected: i64,
    early: BTreeMap<i64, Frame>,
    inputs: u64,
    is_open: bool,
    is_over: bool,
    keys: Option<[LessSafeKey; 2]>,
    ways: [Way; 2],
    cuts: VecDeque<usize>,
}

impl Session {
    pub(super) fn new(behaviour: &Behaviour) -> Self {
        let mut actions = Vec::new();
        if let Some(key) = &behaviour.kms_key {
            actions.push(
                json!({"ActionType": "KMSEncryption", "ActionParameters": {"KMSKeyId": key}}),
            );
        }
        let properties = json!({"portNumber": "22"});
        actions.push(json!({"ActionType": "SessionType", "ActionParameters":
            {"SessionType": behaviour.session_type, "Properties": properties}}));
        if let Some(action) = &behaviour.action {
            actions.push(json!({"ActionType": action, "ActionParameters": {}}));
        }
        let mut session = Self {
            host: None,
            to_host: VecDeque::new(),
            received: 0,
            next: 0,
            waiting: BTreeMap::new(),
            expected: 0,
            early: BTreeMap::new(),
            inputs: 0,
            is_open: false,
            is_over: false,
            keys: None,
            ways: [
                Way::new(&behaviour.faults, 0),
                Way::new(&behaviour.faults, 1),
            ],
            cuts: behaviour.faults.cuts.iter().copied().collect(),
        };
        if !behaviour.is_shell {
            let request = json!({"AgentVersion": "3.3.3572.0", "RequestedClientActions": actions});
            session.push(5, request.to_string().as_bytes());
        }
        session
    }

    /// Another connection begins: what was not acknowledged is sent again.
    pub(super) fn reconnected(&mut self) {
        for (_, sent) in self.waiting.values_mut() {
            *sent = None;
        }
    }

    /// The stream begins.
    async fn connect(&mut self, port: u16, behaviour: &Behaviour) {
        self.is_open = true;
        let host = match behaviour.is_alone {
            true => None,
            false => TcpStream::connect(("127.0.0.1", port)).await.ok(),
        };
        match host {
            Some(host) => {
                drop(host.set_nodelay(true));
                self.host = Some(host);
            }
            None => self.push(10, &3_u32.to_be_bytes()),
        }
    }

    fn push(&mut self, payload_type: u32, payload: &[u8]) {
        let frame = Frame::new("output_stream_data", self.next, payload_type, payload);
        self.waiting.insert(self.next, (frame.bytes(), None));
        self.next += 1;
    }

    fn push_stream(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(CHUNK) {
            let chunk = match &self.keys {
                Some([ours, _]) => sealed(ours, chunk),
                None => chunk.to_vec(),
            };
            self.push(1, &chunk);
        }
    }

    /// Messages that are due: new ones, and the oldest when it was not acknowledged in time.
    fn due(&mut self) -> Vec<Vec<u8>> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (at, (bytes, sent)) in self.waiting.values_mut().enumerate() {
            let is_overdue = sent.is_some_and(|sent| at == 0 && now >= sent + AGAIN);
            if sent.is_none() || is_overdue {
                *sent = Some(now);
                due.push(bytes.clone());
            }
        }
        due
    }
}

fn sealed(key: &LessSafeKey, plain: &[u8]) -> Vec<u8> {
    let nonce: [u8; 12] = std::array::from_fn(|_| fastrand::u8(..));
    let mut secret = plain.to_vec();
    let given = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(given, Aad::empty(), &mut secret)
        .expect("it is short enough");
    [&nonce[..], &secret].concat()
}

fn opened(key: &LessSafeKey, sealed: &[u8]) -> Vec<u8> {
    let (nonce, secret) = sealed.split_at(12);
    let nonce = Nonce::try_assume_unique_for_key(nonce).expect("it has 12 bytes");
    let mut plain = secret.to_vec();
    let length = key
        .open_in_place(nonce, Aad::empty(), &mut plain)
        .expect("the client has the other key")
        .len();
    plain.truncate(length);
    plain
}

fn keys() -> [LessSafeKey; 2] {
    let (ours, theirs) = KMS_PLAIN.split_at(32);
    let key = |bytes| LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("32 bytes"));
    [key(ours), key(theirs)]
}

/// Carries the session over one connection.
pub(super) async fn serve<S>(
    socket: &mut WebSocketStream<S>,
    session: &mut Session,
    port: u16,
    book: &Mutex<Book>,
    behaviour: &Behaviour,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if behaviour.is_shell && !session.is_open {
        session.connect(port, behaviour).await;
    }
    let cut = session.cuts.pop_front();
    let mut carried = 0;
    let mut late_acknowledgements: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut paused: Option<Instant> = None;
    let greeting = Frame::new("start_publication", 0, 0, b"").bytes();
    let mut now_out: Vec<Vec<u8>> = Vec::from_iter(behaviour.greets.then_some(greeting));
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut buffer = vec![0; 64 << 10];
    loop {
        // Out: what the service itself says is not spoilt, the rest is.
        for bytes in session.due() {
            now_out.extend(session.ways[0].carry(bytes));
        }
        now_out.extend(session.ways[0].due());
        while late_acknowledgements
            .front()
            .is_some_and(|(at, _)| *at <= Instant::now())
        {
            let (_, bytes) = late_acknowledgements.pop_front().unwrap();
            now_out.extend(session.ways[0].carry(bytes));
        }
        for bytes in now_out.drain(..) {
            if socket.feed(Message::binary(bytes)).await.is_err() {
                return;
            }
            carried += 1;
        }
        if socket.flush().await.is_err() {
            return;
        }
        if session.is_over {
            drop(socket.close(None).await);
            // A connection that is dropped with bytes in it is reset, and takes the last words with it.
            while let Some(Ok(_)) = socket.next().await {}
            return;
        }
        if cut.is_some_and(|cut| carried >= cut) {
            return;
        }
        let mut arrived = session.ways[1].due();
        let can_read = session.is_open && session.waiting.len() < WAITING;
        let can_write = !session.to_host.is_empty();
        let host = session.host.as_ref();
        tokio::select! {
            came = socket.next(), if arrived.is_empty() => match came {
                Some(Ok(Message::Binary(bytes))) => {
                    carried += 1;
                    arrived.extend(session.ways[1].carry(bytes.to_vec()));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => {}
                _ => return,
            },
            () = ready(host, true), if can_read && host.is_some() => match host.unwrap().try_read(&mut buffer) {
                Ok(0) => over(session, &mut now_out, ""),
                Ok(count) => session.push_stream(&buffer[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => over(session, &mut now_out, ""),
            },
            () = ready(host, false), if can_write && host.is_some() => {
                let written = host.unwrap().try_write(session.to_host.as_slices().0);
                match written {
                    Ok(count) => drop(session.to_host.drain(..count)),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => over(session, &mut now_out, ""),
                }
            }
            _ = tick.tick() => {}
        }
        for bytes in arrived {
            let Some(frame) = Frame::read(&bytes, behaviour.judges_digests) else {
                continue;
            };
            match frame.kind.as_str() {
                "acknowledge" => {
                    let content: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
                    let sequence = content["AcknowledgedMessageSequenceNumber"].as_i64();
                    let is_for_output = content["AcknowledgedMessageType"] == "output_stream_data"
                        && content["AcknowledgedMessageId"].is_string()
                        && content["IsSequentialMessage"] == true;
                    if let Some(sequence) = sequence.filter(|_| is_for_output) {
                        session.waiting.remove(&sequence);
                    }
                }
                "input_stream_data" => {
                    let acknowledgement = json!({
                        "AcknowledgedMessageType": frame.kind,
                        "AcknowledgedMessageId": frame.id_text(),
                        "AcknowledgedMessageSequenceNumber": frame.sequence,
                        "IsSequentialMessage": true,
                    });
                    let bytes =
                        Frame::new("acknowledge", 0, 0, acknowledgement.to_string().as_bytes())
                            .bytes();
                    match behaviour.acknowledges_after {
                        Duration::ZERO => now_out.extend(session.ways[0].carry(bytes)),
                        after => late_acknowledgements.push_back((Instant::now() + after, bytes)),
                    }
                    if frame.sequence >= session.expected {
                        session.early.insert(frame.sequence, frame);
                    }
                    while let Some(frame) = session.early.remove(&session.expected) {
                        session.expected += 1;
                        take(session, frame, port, book, behaviour, &mut now_out).await;
                    }
                    session.inputs += 1;
                    if behaviour
                        .pauses_every
                        .is_some_and(|every| session.inputs.is_multiple_of(every))
                    {
                        now_out.push(Frame::new("pause_publication", 0, 0, b"").bytes());
                        paused = Some(Instant::now() + Duration::from_millis(30));
                    }
                }
                _ => {}
            }
        }
        if paused.is_some_and(|until| until <= Instant::now()) {
            now_out.push(Frame::new("start_publication", 0, 0, b"").bytes());
            paused = None;
        }
    }
}

async fn ready(host: Option<&TcpStream>, to_read: bool) {
    if let Some(host) = host {
        drop(match to_read {
            true => host.readable().await,
            false => host.writable().await,
        });
    }
}

/// The channel's end.
fn over(session: &mut Session, out: &mut Vec<Vec<u8>>, why: &str) {
    let closed = json!({
        "MessageType": "channel_closed", "SchemaVersion": 1, "SessionId": "s", "Output": why,
    });
    out.push(Frame::new("channel_closed", 0, 0, closed.to_string().as_bytes()).bytes());
    session.host = None;
    // Once what is on its way was sent.
    session.is_over = true;
}

async fn take(
    session: &mut Session,
    frame: Frame,
    port: u16,
    book: &Mutex<Book>,
    behaviour: &Behaviour,
    out: &mut Vec<Vec<u8>>,
) {
    match frame.payload_type {
        6 => answered(session, &frame.payload, port, behaviour, out).await,
        9 => {
            let proof: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
            let proof = base64::decode(proof["Challenge"].as_str().unwrap_or_default());
            let theirs = &session.keys.as_ref().expect("keys were agreed on")[1];
            assert_eq!(opened(theirs, &proof.unwrap()), b"prove it");
            complete(session, port, behaviour).await;
        }
        // Real agents pass over what comes before the stream is open, and acknowledge it
        // (`processStreamDataMessage` of amazon-ssm-agent).
        1 if session.is_open => {
            let plain = match &session.keys {
                Some([_, theirs]) => opened(theirs, &frame.payload),
                None => frame.payload,
            };
            session.received += plain.len();
            session.to_host.extend(plain);
            if let Some((after, why)) = &behaviour.closes
                && session.received >= *after
            {
                over(session, out, why);
            }
        }
        10 => {
            let flag = frame.payload.try_into().map(u32::from_be_bytes).ok();
            book.lock().unwrap().flags.extend(flag);
            if flag == Some(2) {
                over(session, out, "");
            }
        }
        _ => {}
    }
}

/// The answer to the handshake.
async fn answered(
    session: &mut Session,
    payload: &[u8],
    port: u16,
    behaviour: &Behaviour,
    out: &mut Vec<Vec<u8>>,
) {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    let actions = answer["ProcessedClientActions"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of = |name: &str| {
        actions
            .iter()
            .find(|action| action["ActionType"] == name)
            .cloned()
    };
    let is_good = |name: &str| of(name).is_some_and(|action| action["ActionStatus"] == 1);
    let is_encrypted = behaviour.kms_key.is_some();
    if !is_good("SessionType") || (is_encrypted && !is_good("KMSEncryption")) {
        over(session, out, &behaviour.refusal);
        return;
    }
    if is_encrypted {
        let key = &of("KMSEncryption").unwrap()["ActionResult"]["KMSCipherTextKey"];
        let blob = base64::decode(key.as_str().unwrap_or_default()).unwrap_or_default();
        assert_eq!(blob, KMS_BLOB, "it is what KMS gave");
        let keys = keys();
        let challenge = base64::encode(sealed(&keys[0], b"prove it"));
        session.keys = Some(keys);
        session.push(8, json!({ "Challenge": challenge }).to_string().as_bytes());
        return;
    }
    complete(session, port, behaviour).await;
}

async fn complete(session: &mut Session, port: u16, behaviour: &Behaviour) {
    let done = json!({"HandshakeTimeToComplete": 1_000_000, "CustomerMessage": ""});
    session.push(7, done.to_string().as_bytes());
    session.connect(port, behaviour).await;
}
