//! Messages to and from the agent, and which request they belong to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_protocol::frame::{Decoder, FrameError, encode};
use agent_protocol::message::{AgentError, Answer, FromAgent, Request, RequestId, Stream, ToAgent};
use agent_protocol::window::{CHUNK, WINDOW};
use ssh::{ExecError, ExecEvent, ExecReader as _, ExecWriter as _, ScriptReader, ScriptWriter};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{MissedTickBehavior, interval};

use super::bootstrap::Started;

/// The agent hears at least this often that its client is there. It gives up after 60 s.
const ALIVE: Duration = Duration::from_secs(10);

/// What came for a request.
pub(super) enum Came {
    /// The connection that was asked for is open.
    Connected,
    Data(Stream, Vec<u8>),
    Answer(Result<Answer, AgentError>),
}

/// Where the messages for a request go.
struct Route {
    came: mpsc::UnboundedSender<Came>,
    /// How many bytes the agent takes.
    window: Arc<Semaphore>,
}

/// A running agent. Clones share it; it ends when the last one is dropped.
#[derive(Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
}

struct Shared {
    routes: Mutex<Routes>,
    next: AtomicU32,
    /// Nobody waits for it: what a request sends is bounded by its window.
    queue: mpsc::UnboundedSender<ToAgent>,
}

#[derive(Default)]
struct Routes {
    open: HashMap<RequestId, Route>,
    /// Why nothing comes any more.
    closed: Option<ExecError>,
}

/// The number of the request that an agent is started with.
const FIRST: RequestId = 1;

/// The bytes of the request that an agent is started with.
pub(super) fn opening(request: Request) -> Result<Vec<u8>, FrameError> {
    encode(&ToAgent::Request { id: FIRST, request })
}

impl Link {
    /// Speaks with an agent that has said hello. The second is the request that it was started with.
    pub(super) fn new(started: Started) -> (Self, Asked) {
        let (tell, queue) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            routes: Mutex::default(),
            next: AtomicU32::new(FIRST + 1),
            queue: tell,
        });
        let link = Self { shared };
        let first = link.expect(FIRST);
        let Started { read, write, rest } = started;
        tokio::spawn(write_all(write, queue));
        tokio::spawn(read_all(read, rest, Arc::downgrade(&link.shared)));
        (link, first)
    }

    /// Whether the agent is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.shared.routes().closed.is_some()
    }

    /// Gives the agent up: it did not even answer that something was ended.
    pub(super) fn give_up(&self) {
        let why = "the agent on the host no longer answers".to_owned();
        self.shared.close(ExecError::Lost(why));
    }

    /// Begins a request.
    pub(super) fn ask(&self, request: Request) -> Result<Asked, ExecError> {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let asked = self.expect(id);
        self.say(ToAgent::Request { id, request })?;
        Ok(asked)
    }

    /// Has what comes for a request handed over. Once the agent is gone, nothing comes.
    fn expect(&self, id: RequestId) -> Asked {
        let (tell, came) = mpsc::unbounded_channel();
        let window = Arc::new(Semaphore::new(WINDOW as usize));
        let route = Route {
            came: tell,
            window: Arc::clone(&window),
        };
        let mut routes = self.shared.routes();
        if routes.closed.is_none() {
            routes.open.insert(id, route);
        }
        drop(routes);
        Asked {
            id,
            link: self.clone(),
            came,
            window,
            is_over: false,
        }
    }

    fn say(&self, message: ToAgent) -> Result<(), ExecError> {
        let sent = self.shared.queue.send(message);
        sent.map_err(|_| self.why())
    }

    /// Why nothing comes any more.
    fn why(&self) -> ExecError {
        let closed = self.shared.routes().closed.clone();
        closed.unwrap_or_else(|| ExecError::Lost("the connection to the agent ended".to_owned()))
    }
}

impl Shared {
    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, message: FromAgent) {
        let mut routes = self.routes();
        match message {
            FromAgent::Data { id, stream, bytes } => {
                if let Some(route) = routes.open.get(&id) {
                    drop(route.came.send(Came::Data(stream, bytes)));
                }
            }
            FromAgent::Connected { id } => {
                if let Some(route) = routes.open.get(&id) {
                    drop(route.came.send(Came::Connected));
                }
            }
            FromAgent::Taken { id, bytes } => {
                if let Some(route) = routes.open.get(&id) {
                    route.window.add_permits(bytes as usize);
                }
            }
            FromAgent::Answer { id, answer } => {
                if let Some(route) = routes.open.remove(&id) {
                    // Nobody reads input any more.
                    route.window.close();
                    drop(route.came.send(Came::Answer(answer)));
                }
            }
        }
    }

    fn close(&self, why: ExecError) {
        let mut routes = self.routes();
        routes.closed.get_or_insert(why);
        for (_, route) in routes.open.drain() {
            route.window.close();
        }
    }
}

/// A request that is under way. The agent ends it when this is dropped before its answer came.
pub(crate) struct Asked {
    id: RequestId,
    link: Link,
    came: mpsc::UnboundedReceiver<Came>,
    window: Arc<Semaphore>,
    is_over: bool,
}

impl Asked {
    /// What comes next; an error when the agent is gone.
    pub(super) async fn next(&mut self) -> Result<Came, ExecError> {
        let Some(came) = self.came.recv().await else {
            self.is_over = true;
            return Err(self.link.why());
        };
        match &came {
            Came::Data(_, bytes) => {
                let bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
                drop(self.link.say(ToAgent::Taken { id: self.id, bytes }));
            }
            Came::Answer(_) => self.is_over = true,
            Came::Connected => {}
        }
        Ok(came)
    }

    /// The answer, of a request without output.
    pub(super) async fn answer(mut self) -> Result<Result<Answer, AgentError>, ExecError> {
        loop {
            if let Came::Answer(answer) = self.next().await? {
                return Ok(answer);
            }
        }
    }

    /// Whether its answer came, or never will.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// What sends the request's input, while this waits for what comes.
    pub(super) fn input(&self) -> Input {
        Input {
            id: self.id,
            link: self.link.clone(),
            window: Arc::clone(&self.window),
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_over {
            self.link.shared.routes().open.remove(&self.id);
            drop(self.link.say(ToAgent::Cancel { id: self.id }));
        }
    }
}

/// Sends a request's input, as fast as the agent takes it.
pub(super) struct Input {
    id: RequestId,
    link: Link,
    window: Arc<Semaphore>,
}

impl Input {
    pub(super) async fn send(&self, bytes: &[u8]) -> Result<(), ExecError> {
        for chunk in bytes.chunks(CHUNK) {
            let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
            let Ok(permit) = self.window.acquire_many(length).await else {
                // The request is over.
                return Ok(());
            };
            permit.forget();
            let bytes = chunk.to_vec();
            self.link.say(ToAgent::Data { id: self.id, bytes })?;
        }
        Ok(())
    }

    pub(super) fn end(&self) -> Result<(), ExecError> {
        self.link.say(ToAgent::End { id: self.id })
    }

    pub(super) fn cancel(&self) {
        drop(self.link.say(ToAgent::Cancel { id: self.id }));
    }
}

/// Writes messages until nobody has any more, and then ends the agent.
async fn write_all(write: ScriptWriter, mut queue: mpsc::UnboundedReceiver<ToAgent>) {
    let mut alive = interval(ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let message = tokio::select! {
            message = queue.recv() => message,
            _ = alive.tick() => Some(ToAgent::Alive),
        };
        let Some(message) = message else { break };
        let Ok(frame) = encode(&message) else {
            tracing::debug!("a message that is too long");
            break;
        };
        if write.write(frame).await.is_err() {
            // The reading side says why.
            return;
        }
    }
    drop(write.end().await);
}

/// Reads messages until the agent is gone.
async fn read_all(mut read: ScriptReader, rest: Vec<u8>, shared: std::sync::Weak<Shared>) {
    let (mut decoder, mut tail) = (Decoder::default(), Vec::new());
    decoder.push(&rest);
    let why = loop {
        loop {
            match decoder.message() {
                Ok(None) => break,
                Ok(Some(message)) => match shared.upgrade() {
                    Some(shared) => shared.hand_over(message),
                    None => return,
                },
                Err(error) => {
                    tail.clear();
                    if let Some(shared) = shared.upgrade() {
                        shared.close(ExecError::Lost(format!("the agent: {error}")));
                    }
                    return;
                }
            }
        }
        match read.event().await {
            Some(ExecEvent::Stdout(bytes)) => decoder.push(&bytes),
            Some(ExecEvent::Stderr(bytes)) => tail.extend(bytes),
            Some(ExecEvent::Ended(_)) => {}
            None => break String::from_utf8_lossy(&tail).trim().to_owned(),
        }
    };
    if let Some(shared) = shared.upgrade() {
        let why = match why.as_str() {
            "" => "the agent on the host ended, or the connection to it".to_owned(),
            said => format!("the agent on the host ended: {said}"),
        };
        shared.close(ExecError::Lost(why));
    }
}
