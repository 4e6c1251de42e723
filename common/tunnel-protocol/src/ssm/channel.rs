//! The data channel with the SSM agent as a state machine: no socket, no clock. What arrives goes in with the time,
//! what is to be sent comes out.
//!
//! Each direction is a sequence of numbered messages. What arrives is acknowledged, also when it came before its turn,
//! and again when it came before: the first acknowledgement may have been lost. What is sent is kept until it is
//! acknowledged; of what is overdue the oldest message is sent again, for the other side takes them in order. A message
//! for which there is no room is not acknowledged, so that it comes again: every buffer has a bound.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::cipher::{Cipher, DataKey};
use super::handshake::{Acknowledged, Challenge, Closed, Request};
use super::message::{self, Kind, Message, flag, payload};
use super::timing::Timing;

/// Bytes of the stream in one message: as many as AWS's own client sends, which every agent takes.
pub const CHUNK: usize = 1_024;
/// Messages on their way that were not acknowledged.
const WINDOW: usize = 1_024;
/// Messages that came before their turn.
const EARLY: i64 = 4_096;
/// Bytes of those, and of the stream that nobody has read yet.
const ROOM: usize = 4 << 20;
/// From here on nothing more is read from the network, as long as nothing of ours waits for an acknowledgement.
const PLENTY: usize = 1 << 20;
/// Acknowledgements that wait for the network.
const ACKNOWLEDGEMENTS: usize = 8_192;
/// Frames that are no messages, until the connection is not believed to be one to an agent.
const BAD_FRAMES: u32 = 100;
/// So long may messages of ours stay without any acknowledgement.
pub const SILENCE: Duration = Duration::from_secs(10);

/// How a channel ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// The service or the agent closed it.
    #[error("Session Manager ended the session{}", said(.0))]
    Closed(String),
    /// The agent reached no SSH server.
    #[error("the SSM agent cannot connect to the port on its host")]
    NoServer,
    /// The agent asks for what this client cannot do.
    #[error("the SSM agent asks for {0}, which is not supported")]
    Unsupported(String),
    /// The key of the session's encryption could not be had.
    #[error("the session must be encrypted with the KMS key {key}, and that cannot be used: {why}")]
    Key {
        /// The key.
        key: String,
        /// What KMS said.
        why: String,
    },
    /// What arrived is not what an agent sends.
    #[error("unexpected data from Session Manager: {0}")]
    Nonsense(String),
}

fn said(output: &str) -> String {
    match output.trim() {
        "" => String::new(),
        output => format!(": {output}"),
    }
}

/// How far the two sides have come.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// The agent asks, we answer.
    Handshake,
    /// Bytes flow.
    Open,
}

/// A message of ours that was not acknowledged.
#[derive(Debug)]
struct Waiting {
    sequence: i64,
    frame: Vec<u8>,
    /// When it was sent last on this connection.
    sent: Option<Duration>,
    /// Whether it was sent more than once, ever: then no acknowledgement tells how long it took.
    is_repeated: bool,
}

/// A key that is wanted for the session.
#[derive(Debug)]
struct Wanted {
    key: String,
    request: Request,
    is_told: bool,
}

/// The state machine.
#[derive(Debug)]
pub struct Channel {
    stage: Stage,
    end: Option<End>,
    wanted: Option<Wanted>,
    cipher: Option<Cipher>,
    /// Whether the agent has proven that it has the same key.
    is_proven: bool,
    expected: i64,
    early: BTreeMap<i64, Message>,
    early_bytes: usize,
    inbox: VecDeque<u8>,
    acknowledgements: VecDeque<Vec<u8>>,
    next: i64,
    waiting: VecDeque<Waiting>,
    /// How many of `waiting`, from the front, were sent on this connection.
    sent: usize,
    is_paused: bool,
    /// When an acknowledgement came last, or the wait for one began.
    progress: Duration,
    timing: Timing,
    bad_frames: u32,
    /// What the agent's plugin wrote to its standard error, the beginning of it.
    stderr: String,
    /// Time of the state machine's beginning, milliseconds since 1970.
    epoch: u64,
}

impl Channel {
    /// A channel before its handshake; `epoch` in milliseconds since 1970 is where its time begins.
    #[must_use]
    pub fn new(epoch: u64) -> Self {
        Self {
            stage: Stage::Handshake,
            end: None,
            wanted: None,
            cipher: None,
            is_proven: false,
            expected: 0,
            early: BTreeMap::new(),
            early_bytes: 0,
            inbox: VecDeque::new(),
            acknowledgements: VecDeque::new(),
            next: 0,
            waiting: VecDeque::new(),
            sent: 0,
            is_paused: false,
            progress: Duration::ZERO,
            timing: Timing::default(),
            bad_frames: 0,
            stderr: String::new(),
            epoch,
        }
    }

    /// Whether bytes flow.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// How it ended, once it did. Bytes that arrived before can still be read.
    #[must_use]
    pub fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// What the agent's plugin wrote to its standard error.
    #[must_use]
    pub fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Whether more should be read from the network: what was read is not much, or an acknowledgement that we wait for
    /// may be among what comes.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        self.end.is_none() && (self.inbox.len() < PLENTY || !self.waiting.is_empty())
    }

    /// Takes what arrived in one binary frame.
    pub fn receive(&mut self, now: Duration, frame: &[u8]) {
        if self.end.is_some() {
            return;
        }
        match Message::parse(frame) {
            Ok(message) => self.take(now, message),
            Err(fault) => self.bad(&fault.to_string()),
        }
    }

    fn take(&mut self, now: Duration, message: Message) {
        match &message.kind {
            Kind::Output => self.take_output(now, message),
            Kind::Acknowledge => match serde_json::from_slice(&message.payload) {
                Ok(Acknowledged { sequence }) => self.acknowledged(now, sequence),
                Err(_) => self.bad("an acknowledgement says not of what"),
            },
            Kind::ChannelClosed => {
                let closed: Closed = serde_json::from_slice(&message.payload).unwrap_or_default();
                self.end = Some(End::Closed(closed.output));
            }
            Kind::StartPublication => {
                self.is_paused = false;
                self.progress = now;
            }
            Kind::PausePublication => self.is_paused = true,
            // For the other side, or of a later time: nothing for us.
            Kind::Input | Kind::Other(_) => {}
        }
    }

    /// A frame that lies is passed over: were it one of ours, it would come again.
    fn bad(&mut self, why: &str) {
        self.bad_frames += 1;
        if self.bad_frames > BAD_FRAMES {
            self.end = Some(End::Nonsense(format!(
                "{} frames were wrong, the last one: {why}",
                self.bad_frames
            )));
        }
    }

    fn take_output(&mut self, now: Duration, message: Message) {
        let ahead = message.sequence.saturating_sub(self.expected);
        if message.sequence < 0 || ahead > EARLY {
            self.bad("its sequence number is far from those of the others");
            return;
        }
        let size = message.payload.len();
        let is_new = ahead > 0 && !self.early.contains_key(&message.sequence);
        let held = self.inbox.len() + self.early_bytes;
        // The next one in turn may always come in where it frees others, or nothing were ever read again.
        let fits = held + size <= ROOM || (ahead == 0 && self.inbox.len() + size <= ROOM);
        if (ahead == 0 || is_new) && !fits || self.acknowledgements.len() >= ACKNOWLEDGEMENTS {
            return;
        }
        let ours = message.acknowledgement(message::new_id(), self.created(now));
        self.acknowledgements.push_back(ours.frame());
        match ahead {
            0 => {
                self.deliver(now, message);
                while self.end.is_none()
                    && let Some(next) = self.early.remove(&self.expected)
                {
                    self.early_bytes -= next.payload.len();
                    self.deliver(now, next);
                }
            }
            1.. if is_new => {
                self.early_bytes += size;
                self.early.insert(message.sequence, message);
            }
            _ => {}
        }
    }

    /// The message whose turn it is.
    fn deliver(&mut self, now: Duration, message: Message) {
        self.expected += 1;
        let payload = match self.opened(message.payload_type, message.payload) {
            Ok(payload) => payload,
            Err(end) => {
                self.end = Some(end);
                return;
            }
        };
        let done = match message.payload_type {
            payload::HANDSHAKE_REQUEST => self.asked(now, &payload),
            payload::HANDSHAKE_COMPLETE => self.completed(now),
            payload::CHALLENGE_REQUEST => self.challenged(now, &payload),
            payload::OUTPUT if self.is_open() => {
                self.inbox.extend(payload);
                Ok(())
            }
            // An agent that knows no handshake knows no sessions to a port either.
            payload::OUTPUT => Err(End::Unsupported(
                "a session without a handshake (an agent older than 2.3.672)".to_owned(),
            )),
            payload::FLAG => flagged(&payload),
            payload::STDERR => {
                let room = 1_024_usize.saturating_sub(self.stderr.len());
                let text = String::from_utf8_lossy(&payload);
                self.stderr.extend(text.chars().take(room));
                Ok(())
            }
            // How the agent's plugin ended is told by the channel's end, and later payloads are none of ours.
            _ => Ok(()),
        };
        if let Err(end) = done {
            self.end = Some(end);
        }
    }

    /// What the agent seals once the session is encrypted.
    fn opened(&self, payload_type: u32, sealed: Vec<u8>) -> Result<Vec<u8>, End> {
        let is_sealed = matches!(
            payload_type,
            payload::OUTPUT | payload::STDERR | payload::EXIT_CODE
        );
        match &self.cipher {
            Some(cipher) if is_sealed => cipher
                .open(&sealed)
                .ok_or_else(|| End::Nonsense("a payload was not sealed with the key".to_owned())),
            _ => Ok(sealed),
        }
    }

    fn asked(&mut self, now: Duration, json: &[u8]) -> Result<(), End> {
        let request: Request = serde_json::from_slice(json)
            .map_err(|error| End::Nonsense(format!("the handshake cannot be read: {error}")))?;
        if let Some(other) = request.other_session_type() {
            let other = format!("a session of type {other}");
            self.push(now, payload::HANDSHAKE_RESPONSE, &request.answer(&no_key()));
            return Err(End::Unsupported(other));
        }
        match request.kms_key() {
            Some(key) => {
                self.wanted = Some(Wanted {
                    key: key.to_owned(),
                    request,
                    is_told: false,
                });
            }
            None => self.push(now, payload::HANDSHAKE_RESPONSE, &request.answer(&no_key())),
        }
        Ok(())
    }

    /// The KMS key of which the agent wants a data key for this session, once.
    pub fn wanted_key(&mut self) -> Option<String> {
        let wanted = self.wanted.as_mut().filter(|wanted| !wanted.is_told)?;
        wanted.is_told = true;
        Some(wanted.key.clone())
    }

    /// The answer to [`Channel::wanted_key`]: what KMS made, or what it said.
    pub fn key_is(&mut self, now: Duration, made: Result<DataKey, String>) {
        let Some(Wanted { key, request, .. }) = self.wanted.take() else {
            return;
        };
        let made = made.and_then(|data_key| match Cipher::of(&data_key) {
            Some(cipher) => Ok((cipher, data_key.encrypted)),
            None => Err("what it made is not a key of 64 bytes".to_owned()),
        });
        match made {
            Ok((cipher, encrypted)) => {
                self.push(
                    now,
                    payload::HANDSHAKE_RESPONSE,
                    &request.answer(&Ok(encrypted)),
                );
                self.cipher = Some(cipher);
                self.is_proven = false;
            }
            Err(why) => {
                let answer = request.answer(&Err(why.clone()));
                self.push(now, payload::HANDSHAKE_RESPONSE, &answer);
                self.end = Some(End::Key { key, why });
            }
        }
    }

    fn challenged(&mut self, now: Duration, json: &[u8]) -> Result<(), End> {
        let bad = |what: &str| End::Nonsense(format!("the proof of the key {what}"));
        let cipher = self
            .cipher
            .as_ref()
            .ok_or_else(|| bad("was not agreed on"))?;
        let sealed = Challenge::read(json).ok_or_else(|| bad("cannot be read"))?;
        let plain = cipher.open(&sealed).ok_or_else(|| bad("is wrong"))?;
        let sealed = cipher.seal(&plain);
        let sealed = sealed.ok_or_else(|| bad("cannot be given: the system has no randomness"))?;
        self.is_proven = true;
        self.push(
            now,
            payload::CHALLENGE_RESPONSE,
            &Challenge::written(&sealed),
        );
        Ok(())
    }

    fn completed(&mut self, now: Duration) -> Result<(), End> {
        if self.wanted.is_some() || (self.cipher.is_some() && !self.is_proven) {
            return Err(End::Nonsense(
                "the agent asked for encryption, and goes on without".to_owned(),
            ));
        }
        self.stage = Stage::Open;
        self.progress = now;
        Ok(())
    }

    /// Bytes that arrived, in order; not all of them, maybe.
    #[must_use]
    pub fn inbox(&self) -> &[u8] {
        self.inbox.as_slices().0
    }

    /// So many of them were read.
    pub fn consume(&mut self, bytes: usize) {
        self.inbox.drain(..bytes.min(self.inbox.len()));
    }

    /// How many bytes [`Channel::send`] takes now.
    #[must_use]
    pub fn room(&self) -> usize {
        let is_flowing = self.is_open() && self.end.is_none() && !self.is_paused;
        match is_flowing {
            true => WINDOW.saturating_sub(self.waiting.len()) * CHUNK,
            false => 0,
        }
    }

    /// Sends bytes of the stream; gives how many were taken.
    pub fn send(&mut self, now: Duration, bytes: &[u8]) -> usize {
        let taken = &bytes[..bytes.len().min(self.room())];
        for chunk in taken.chunks(CHUNK) {
            match &self.cipher {
                None => self.push(now, payload::OUTPUT, chunk),
                Some(cipher) => match cipher.seal(chunk) {
                    Some(sealed) => self.push(now, payload::OUTPUT, &sealed),
                    None => {
                        let why = "the system has no randomness".to_owned();
                        self.end = Some(End::Unsupported(format!("encryption, and {why}")));
                        return 0;
                    }
                },
            }
        }
        taken.len()
    }

    /// Asks the agent to end the session.
    pub fn terminate(&mut self, now: Duration) {
        self.push(now, payload::FLAG, &flag::TERMINATE.to_be_bytes());
    }

    fn push(&mut self, now: Duration, payload_type: u32, bytes: &[u8]) {
        let message = Message {
            kind: Kind::Input,
            created: self.created(now),
            sequence: self.next,
            flags: 0,
            id: message::new_id(),
            payload_type,
            payload: bytes.to_vec(),
        };
        if self.waiting.is_empty() {
            self.progress = now;
        }
        self.next += 1;
        self.waiting.push_back(Waiting {
            sequence: message.sequence,
            frame: message.frame(),
            sent: None,
            is_repeated: false,
        });
    }

    fn created(&self, now: Duration) -> u64 {
        let since = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.epoch.saturating_add(since)
    }

    fn acknowledged(&mut self, now: Duration, sequence: i64) {
        let found = self
            .waiting
            .binary_search_by_key(&sequence, |one| one.sequence);
        let Some(at) = found.ok().filter(|at| *at < self.sent) else {
            return;
        };
        let Some(one) = self.waiting.remove(at) else {
            return;
        };
        self.sent -= 1;
        self.progress = now;
        if let (Some(sent), false) = (one.sent, one.is_repeated) {
            self.timing.took(now.saturating_sub(sent));
        }
    }

    /// The next frame for the network, if there is one now.
    pub fn transmit(&mut self, now: Duration) -> Option<Vec<u8>> {
        if let Some(frame) = self.acknowledgements.pop_front() {
            return Some(frame);
        }
        if self.is_paused {
            return None;
        }
        if let Some(one) = self.waiting.get_mut(self.sent) {
            self.sent += 1;
            one.is_repeated = one.sent.is_some();
            one.sent = Some(now);
            return Some(one.frame.clone());
        }
        let timeout = self.timing.timeout();
        let oldest = self.waiting.front_mut()?;
        if now < oldest.sent.unwrap_or_default() + timeout {
            return None;
        }
        oldest.is_repeated = true;
        oldest.sent = Some(now);
        Some(oldest.frame.clone())
    }

    /// Whether [`Channel::transmit`] has a frame now.
    #[must_use]
    pub fn has_frame(&self, now: Duration) -> bool {
        let unsent = self.waiting.get(self.sent).is_some();
        let is_overdue = || self.resend_at().is_some_and(|at| at <= now);
        !self.acknowledgements.is_empty() || (!self.is_paused && (unsent || is_overdue()))
    }

    fn resend_at(&self) -> Option<Duration> {
        let sent = self.waiting.front()?.sent?;
        (!self.is_paused).then(|| sent + self.timing.timeout())
    }

    /// When time alone changes something.
    #[must_use]
    pub fn wake_at(&self) -> Option<Duration> {
        let silent = (!self.is_paused && self.sent > 0).then(|| self.progress + SILENCE);
        [self.resend_at(), silent].into_iter().flatten().min()
    }

    /// Whether nothing was acknowledged for so long that the connection cannot be whole any more.
    #[must_use]
    pub fn is_silent(&self, now: Duration) -> bool {
        !self.is_paused && self.sent > 0 && now >= self.progress + SILENCE
    }

    /// The channel goes on over another connection: everything that was not acknowledged is sent again, in order.
    pub fn reconnected(&mut self, now: Duration) {
        self.sent = 0;
        self.is_paused = false;
        self.progress = now;
        // What they acknowledge comes again, when the other side has not heard of it.
        self.acknowledgements.clear();
    }

    /// A number that grows with every message that arrived, in either direction.
    #[must_use]
    pub fn progress(&self) -> i64 {
        let waiting = i64::try_from(self.waiting.len()).unwrap_or(i64::MAX);
        self.expected + self.next - waiting
    }

    /// Whether everything that was sent has arrived.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        self.waiting.is_empty()
    }

    /// How many bytes are held, for the bounds of the tests.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        let waiting = self.waiting.iter().map(|one| one.frame.len());
        let acknowledgements = self.acknowledgements.iter().map(Vec::len);
        self.inbox.len()
            + self.early_bytes
            + waiting.sum::<usize>()
            + acknowledgements.sum::<usize>()
    }
}

/// Where no key was asked for.
fn no_key() -> Result<Vec<u8>, String> {
    Err("no key was made".to_owned())
}

fn flagged(payload: &[u8]) -> Result<(), End> {
    let sign = payload.try_into().map(u32::from_be_bytes);
    match sign {
        Ok(flag::CONNECT_ERROR) => Err(End::NoServer),
        Ok(flag::DISCONNECT) => Err(End::Closed("the port was closed".to_owned())),
        Ok(flag::TERMINATE) => Err(End::Closed(String::new())),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests;
