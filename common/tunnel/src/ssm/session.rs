//! A session from its start to its end, and the task that carries its bytes.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws::dial::Dialer;
use aws::error::{AwsError, Kind};
use aws::session::Session;
use aws_sdk_ssm::types::{InstanceInformationStringFilter, PingStatus};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout_at};
use tokio_tungstenite::tungstenite::protocol::Message;

use tunnel_protocol::frames::Came;
use tunnel_protocol::ssm::channel::{CHUNK, Channel, End};
use tunnel_protocol::ssm::message::{new_id, uuid};
use tunnel_protocol::ssm::{CLIENT_VERSION, DataKey, KEY_BYTES};

use crate::error::{SsmError, TunnelError};
use crate::host::Host;
use crate::signature::{self, Scope};
use crate::stream::{Dropped, Other, Stop, Tunnel, Tunnels, stopped};
use crate::websocket::{Did, FAREWELL, OpenError, PING, Socket};

/// AWS's own document for SSH: a session of the type Port, without multiplexing.
const DOCUMENT: &str = "AWS-StartSSHSession";
/// How often a session is resumed that made no progress since.
const RESUMES: u32 = 5;
/// Before the second time; twice as long before each that follows.
const PAUSE: Duration = Duration::from_millis(250);
/// A call or a websocket of a session that is resumed may take this long.
const RESUME: Duration = Duration::from_secs(10);
/// What is done at the end may take this long, also when the deadline is over.
const GOODBYE: Duration = Duration::from_secs(10);

/// What SSM lists about an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ping {
    /// It has reported lately.
    Online,
    /// SSM's word for another state.
    Not(String),
    /// It has never reported, or not from this account and region.
    Unknown,
}

/// Session Manager of an account and region.
#[derive(Debug, Clone)]
pub struct Ssm {
    session: Session,
    dialer: Dialer,
    client: aws_sdk_ssm::Client,
}

/// A session that was started.
struct Started {
    id: String,
    url: String,
    token: String,
}

impl Ssm {
    /// With the clients of a session.
    #[must_use]
    pub fn new(session: &Session, dialer: &Dialer) -> Self {
        Self {
            session: session.clone(),
            dialer: dialer.clone(),
            client: aws_sdk_ssm::Client::new(&session.config),
        }
    }

    /// What SSM lists about the agent of an instance. Needs `ssm:DescribeInstanceInformation`.
    ///
    /// # Errors
    /// What the call met.
    pub async fn ping(&self, instance: &str) -> Result<Ping, AwsError> {
        let filter = InstanceInformationStringFilter::builder()
            .key("InstanceIds")
            .values(instance)
            .build();
        let asked = self.client.describe_instance_information();
        let asked = match filter {
            Ok(filter) => asked.filters(filter),
            Err(_) => asked,
        };
        let answer = asked.send().await.map_err(|error| AwsError::of(&error))?;
        let listed = answer.instance_information_list();
        let mut listed = listed
            .iter()
            .filter(|one| one.instance_id() == Some(instance));
        Ok(match listed.next().and_then(|one| one.ping_status()) {
            Some(PingStatus::Online) => Ping::Online,
            Some(other) => Ping::Not(other.as_str().to_owned()),
            None => Ping::Unknown,
        })
    }

    /// Opens a tunnel to the SSH port of a host, once its agent has agreed. Needs `ssm:StartSession` on the instance
    /// and on the document, `ssmmessages:OpenDataChannel`, `ssm:ResumeSession` and `ssm:TerminateSession` on the session.
    ///
    /// # Errors
    /// Why there is none. A session that was started is ended then.
    pub async fn open(
        &self,
        host: &Host,
        tunnels: &Tunnels,
        deadline: Instant,
    ) -> Result<Tunnel, TunnelError> {
        let started = self.start(&host.instance).await.map_err(TunnelError::Ssm)?;
        let (tunnel, other) = Tunnel::new();
        let (open, opened) = oneshot::channel();
        let run = Run {
            ssm: self.clone(),
            instance: host.instance.clone(),
            id: started.id.clone(),
            channel: Channel::new(since_1970()),
            began: Instant::now(),
            open: Some(open),
            tries: 0,
            reached: 0,
            deadline,
        };
        tunnels.run(|stop| run.whole(started, other, stop));
        match timeout_at(deadline, opened).await {
            Ok(Ok(Ok(()))) => Ok(tunnel),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Err(_)) | Err(_) => Err(TunnelError::Open(OpenError::Late)),
        }
    }

    async fn start(&self, instance: &str) -> Result<Started, SsmError> {
        let sent = self
            .client
            .start_session()
            .target(instance)
            .document_name(DOCUMENT)
            .parameters("portNumber", vec![Host::PORT.to_string()])
            .reason("deploy-app")
            .send()
            .await;
        let answer = sent.map_err(|error| match AwsError::of(&error) {
            why if why.is("TargetNotConnected") => SsmError::NoAgent {
                instance: instance.to_owned(),
                why,
            },
            why if why.is("AccessDeniedException") || why.is("InvalidDocument") => {
                SsmError::Refused(why)
            }
            why => SsmError::Start(why),
        })?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let started = Started {
            id: text(answer.session_id()),
            url: text(answer.stream_url()),
            token: text(answer.token_value()),
        };
        match self.is_for_tokens(&started.url) {
            true => Ok(started),
            false => {
                // Whether it could be ended says nothing of why there is none.
                drop(self.terminate(&started.id).await);
                Err(SsmError::Address)
            }
        }
    }

    /// A token goes over TLS, or where the calls of SSM go without it: to an endpoint that the environment names.
    fn is_for_tokens(&self, url: &str) -> bool {
        let is_plain = url.starts_with("ws://") && self.session.has_own_endpoint("SSM");
        url.starts_with("wss://") || is_plain
    }

    /// Connects, and shows the token.
    async fn connect(&self, started: &Started, deadline: Instant) -> Result<Socket, TunnelError> {
        let scope = Scope {
            service: "ssmmessages",
            region: &self.session.region,
            in_address: None,
        };
        let signature = signature::of(&self.session, &scope, &started.url).await?;
        let socket = Socket::open(&self.dialer, &started.url, &signature.headers, deadline).await;
        let mut socket = socket.map_err(TunnelError::Open)?;
        let hello = json!({
            "MessageSchemaVersion": "1.0",
            "RequestId": uuid(new_id()),
            "TokenValue": started.token,
            "ClientId": uuid(new_id()),
            "ClientVersion": CLIENT_VERSION,
        });
        let pushed = socket.push(Message::text(hello.to_string()));
        pushed.map_err(|why| TunnelError::Open(OpenError::Protocol(why)))?;
        Ok(socket)
    }

    async fn resume(&self, id: &str) -> Result<Started, AwsError> {
        let answer = self.client.resume_session().session_id(id).send().await;
        let answer = answer.map_err(|error| AwsError::of(&error))?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(Started {
            id: id.to_owned(),
            url: text(answer.stream_url()),
            token: text(answer.token_value()),
        })
    }

    async fn terminate(&self, id: &str) -> Result<(), AwsError> {
        self.session.limit.extend(Instant::now() + GOODBYE);
        let answer = self.client.terminate_session().session_id(id).send().await;
        answer.map(drop).map_err(|error| AwsError::of(&error))
    }

    async fn data_key(&self, key: &str, id: &str, instance: &str) -> Result<DataKey, String> {
        let client = aws_sdk_kms::Client::new(&self.session.config);
        let bytes = i32::try_from(KEY_BYTES).unwrap_or(i32::MAX);
        let answer = client
            .generate_data_key()
            .key_id(key)
            .number_of_bytes(bytes)
            .encryption_context("aws:ssm:SessionId", id)
            .encryption_context("aws:ssm:TargetId", instance)
            .send()
            .await
            .map_err(|error| AwsError::of(&error).to_string())?;
        let bytes = |blob: Option<&aws_sdk_kms::primitives::Blob>| {
            blob.map(|blob| blob.as_ref().to_vec()).unwrap_or_default()
        };
        Ok(DataKey {
            plain: bytes(answer.plaintext()),
            encrypted: bytes(answer.ciphertext_blob()),
        })
    }
}

/// The task of one session.
struct Run {
    ssm: Ssm,
    instance: String,
    id: String,
    channel: Channel,
    began: Instant,
    /// Whoever waits for the stream to begin.
    open: Option<oneshot::Sender<Result<(), TunnelError>>>,
    /// How often the session was resumed without progress since.
    tries: u32,
    /// How far the channel was then.
    reached: i64,
    /// Until when the stream must have begun.
    deadline: Instant,
}

/// This side's end of the tunnel.
struct Ours {
    from: ReadHalf<DuplexStream>,
    to: WriteHalf<DuplexStream>,
    dropped: Dropped,
}

/// How one connection ended.
enum Left {
    /// SSH, or the program, is done.
    Done,
    /// The channel ended.
    Ended(End),
    /// The connection broke off, and the channel did not.
    Cut(String),
}

impl Run {
    async fn whole(mut self, started: Started, other: Other, mut stop: Stop) -> Result<(), String> {
        let (from, to) = tokio::io::split(other.pipe);
        let mut ours = Ours {
            from,
            to,
            dropped: other.dropped,
        };
        let first = async {
            let deadline = self.deadline;
            self.ssm.connect(&started, deadline).await
        };
        let first = tokio::select! {
            connected = first => Some(connected),
            () = stopped(&mut stop) => None,
        };
        let error = match first {
            None => None,
            Some(Err(error)) => Some(error),
            Some(Ok(socket)) => self.carry(socket, &mut ours, &mut stop).await,
        };
        if let Some(error) = error {
            other.end.is(error.clone());
            // Nobody waits for it any more, where the stream had begun.
            if let Some(open) = self.open.take() {
                drop(open.send(Err(error)));
            }
        }
        // SSH hears of its end now, and not after the call.
        drop(ours);
        let ended = self.ssm.terminate(&self.id).await;
        ended.map_err(|error| {
            let (id, region) = (&self.id, &self.ssm.session.region);
            format!(
                "the session {id}, which could not be ended ({error}); it ends by itself when it is idle, or with: \
                 aws ssm terminate-session --region {region} --session-id {id}"
            )
        })
    }

    /// Carries bytes over one connection after the other.
    async fn carry(
        &mut self,
        mut socket: Socket,
        ours: &mut Ours,
        stop: &mut Stop,
    ) -> Option<TunnelError> {
        loop {
            let left = self.flow(&mut socket, ours, stop).await;
            let stderr = || self.channel.stderr().to_owned();
            let error = match left {
                Left::Cut(cut) => match self.again(cut, stop).await {
                    Ok(Some(next)) => {
                        socket = next;
                        continue;
                    }
                    Ok(None) => return None,
                    Err(error) => Some(error),
                },
                Left::Ended(end) => {
                    let stderr = stderr();
                    Some(SsmError::Ended { end, stderr })
                }
                Left::Done => None,
            };
            self.farewell(&mut socket).await;
            return error.map(TunnelError::Ssm);
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Carries bytes over one connection.
    async fn flow(&mut self, socket: &mut Socket, ours: &mut Ours, stop: &mut Stop) -> Left {
        let Ours { from, to, dropped } = ours;
        let mut buffer = vec![0; 32 * CHUNK];
        let mut ping = interval(PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pings = 0_u32;
        loop {
            let now = self.now();
            if self.channel.is_silent(now) {
                return Left::Cut("nothing was acknowledged any longer".to_owned());
            }
            if let Some(end) = self.channel.end().cloned() {
                return self.hand_on(end, to, stop).await;
            }
            if self.channel.is_open()
                && let Some(open) = self.open.take()
            {
                // Whoever waited may have given up: then the pipe is closed, and that ends it.
                drop(open.send(Ok(())));
            }
            if let Some(key) = self.channel.wanted_key() {
                let made = self.ssm.data_key(&key, &self.id, &self.instance).await;
                self.channel.key_is(self.now(), made);
                continue;
            }
            let room = self.channel.room().min(buffer.len());
            let wake = self.channel.wake_at();
            let wake = wake.map_or_else(far, |at| self.began + at);
            let (has_frame, wants_frame) = (
                pings > 0 || self.channel.has_frame(now),
                self.channel.wants_frames(),
            );
            tokio::select! {
                did = socket.next(has_frame, wants_frame) => {
                    let cut = match did {
                        Did::Ready if pings > 0 => {
                            pings = 0;
                            socket.push(Message::Ping(Vec::new().into())).err()
                        }
                        Did::Ready => self.transmit(socket),
                        Did::Came(came) => self.receive(socket, came),
                    };
                    if let Some(why) = cut
                        && self.channel.end().is_none()
                    {
                        return Left::Cut(why);
                    }
                }
                read = from.read(&mut buffer[..room]), if room > 0 => match read {
                    Ok(0) | Err(_) => return Left::Done,
                    Ok(count) => {
                        // It asked for no more than there is room for.
                        self.channel.send(self.now(), &buffer[..count]);
                    }
                },
                written = to.write(self.channel.inbox()), if !self.channel.inbox().is_empty() => match written {
                    Ok(count) if count > 0 => self.channel.consume(count),
                    _ => return Left::Done,
                },
                () = dropped.wait(), if room == 0 => return Left::Done,
                () = sleep_until(wake) => {}
                _ = ping.tick() => pings += 1,
                () = stopped(stop) => return Left::Done,
            }
        }
    }

    /// What arrived before the end is handed on first.
    async fn hand_on(
        &mut self,
        end: End,
        to: &mut WriteHalf<DuplexStream>,
        stop: &mut Stop,
    ) -> Left {
        while !self.channel.inbox().is_empty() {
            tokio::select! {
                written = to.write(self.channel.inbox()) => match written {
                    Ok(count) if count > 0 => self.channel.consume(count),
                    _ => return Left::Done,
                },
                () = stopped(stop) => return Left::Done,
            }
        }
        Left::Ended(end)
    }

    fn transmit(&mut self, socket: &mut Socket) -> Option<String> {
        let now = self.now();
        while let Some(frame) = self.channel.transmit(now) {
            match socket.push(Message::binary(frame)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(why) => return Some(why),
            }
        }
        None
    }

    /// Takes a frame and those that came with it; gives why the connection broke off.
    fn receive(&mut self, socket: &mut Socket, came: Came) -> Option<String> {
        let mut came = Some(came);
        while let Some(one) = came {
            match one {
                Came::Binary(frame) => self.channel.receive(self.now(), &frame),
                // No client of AWS's takes anything from one.
                Came::Text(_) | Came::Other => {}
                Came::Closed(None) => return Some("the service closed it".to_owned()),
                Came::Closed(Some((code, reason))) => {
                    return Some(format!("the service closed it ({code}): {reason}"));
                }
                Came::Cut(why) => return Some(why),
            }
            let wants = self.channel.wants_frames();
            came = wants.then(|| socket.came()).flatten();
        }
        None
    }

    /// Another connection to the same session; none when nobody wants one any more.
    async fn again(&mut self, cut: String, stop: &mut Stop) -> Result<Option<Socket>, SsmError> {
        if self.channel.progress() != self.reached {
            self.reached = self.channel.progress();
            self.tries = 0;
        }
        if self.tries >= RESUMES {
            let why =
                format!("it was {RESUMES} times, and broke off again before anything arrived");
            return Err(SsmError::Lost { cut, why });
        }
        loop {
            let pause = PAUSE * 2_u32.saturating_pow(self.tries) - PAUSE;
            self.tries += 1;
            let trying = async {
                sleep(pause).await;
                let deadline = Instant::now() + RESUME;
                let started = timeout_at(deadline, self.ssm.resume(&self.id)).await;
                let started = started.map_err(|_| (false, "no answer in time".to_owned()))?;
                // A session that is over cannot be resumed, however often.
                let started = started.map_err(|error| {
                    let is_refused = matches!(error.kind, Kind::NotPermitted | Kind::Refused);
                    (is_refused, error.to_string())
                })?;
                if !self.ssm.is_for_tokens(&started.url) {
                    return Err((true, SsmError::Address.to_string()));
                }
                let socket = self.ssm.connect(&started, deadline).await;
                socket.map_err(|error| (false, error.to_string()))
            };
            let tried = tokio::select! {
                tried = trying => tried,
                () = stopped(stop) => return Ok(None),
            };
            match tried {
                Ok(socket) => {
                    tracing::info!("the session {} broke off ({cut}) and was resumed", self.id);
                    self.channel.reconnected(self.now());
                    return Ok(Some(socket));
                }
                Err((is_final, why)) if is_final || self.tries >= RESUMES => {
                    return Err(SsmError::Lost { cut, why });
                }
                Err(_) => {}
            }
        }
    }

    /// Says goodbye to the agent: what it must still hear, and that the session shall end.
    async fn farewell(&mut self, socket: &mut Socket) {
        let deadline = Instant::now() + FAREWELL;
        if self.channel.end().is_none() {
            self.channel.terminate(self.now());
        }
        let saying = async {
            loop {
                let has_frame = self.channel.has_frame(self.now());
                if !has_frame && (self.channel.end().is_some() || self.channel.is_acknowledged()) {
                    return;
                }
                let cut = match socket.next(has_frame, true).await {
                    Did::Ready => self.transmit(socket),
                    Did::Came(came) => self.receive(socket, came),
                };
                if cut.is_some() {
                    return;
                }
            }
        };
        // TerminateSession ends it in any case.
        drop(timeout_at(deadline, saying).await);
        socket.close(deadline).await;
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or_default()
}
