//! Commands of the client, several at once: their input, their output under a window, their end.

use std::collections::{HashMap, VecDeque};
use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agent_protocol::message::{AgentError, Answer, FromAgent, RequestId, Run, Stream};
use agent_protocol::window::{CHUNK, Window};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::output::Output;
use crate::script;
use crate::watch::{WatchError, Watcher};

/// How long output is waited for after a command ended: what it left behind may keep its pipes open for ever.
const LINGER: Duration = Duration::from_secs(1);
/// How many bytes are read after it ended. A pipe holds no more.
const LINGER_BYTES: usize = 1 << 20;

/// The commands that run.
#[derive(Clone)]
pub(crate) struct Commands {
    shared: Arc<Shared>,
}

struct Shared {
    /// Every watcher holds it as well: whoever has the other end sees when the last command is over.
    alive: PipeWriter,
    running: Mutex<HashMap<RequestId, Arc<Running>>>,
    /// One of them has ended.
    ended: Condvar,
}

/// A command that runs, or what the agent itself works on.
struct Running {
    ending: Mutex<Ending>,
    /// None once the client said that there is no more.
    input: Mutex<Option<Sender<Vec<u8>>>>,
    flow: Flow,
}

/// How something is ended.
enum Ending {
    /// By the watcher.
    Command(Arc<Watcher>),
    /// On both sides.
    Connection(TcpStream),
    /// It stops where its input does. The rest is done: half of it would help nobody.
    Input,
    /// It was ended.
    Over,
}

/// How much of the output the client still takes.
#[derive(Default)]
struct Flow {
    state: Mutex<(Window, bool)>,
    changed: Condvar,
}

impl Flow {
    fn taken(&self, bytes: u32) {
        locked(&self.state).0.taken(bytes);
        self.changed.notify_all();
    }

    /// Nothing is sent any more.
    fn close(&self) {
        locked(&self.state).1 = true;
        self.changed.notify_all();
    }

    /// How many of so many bytes may be sent, once any may; none when nothing is sent any more.
    fn claim(&self, wanted: usize) -> Option<usize> {
        let mut state = locked(&self.state);
        loop {
            if state.1 {
                return None;
            }
            let fits = state.0.fits(wanted);
            if fits > 0 {
                state.0.sent(fits);
                return Some(fits);
            }
            let changed = self.changed.wait(state);
            state = changed.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Commands {
    pub(crate) fn new(alive: PipeWriter) -> Self {
        let shared = Shared {
            alive,
            running: Mutex::default(),
            ended: Condvar::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Starts a command. Its answer is sent once it has ended.
    pub(crate) fn start(&self, id: RequestId, run: Run, output: &Arc<Output>) {
        if self.find(id).is_some() {
            output.answer(id, Err(AgentError::Duplicate));
            return;
        }
        if let Err(error) = self.try_start(id, run, output) {
            let error = AgentError::System {
                what: "cannot start a command".to_owned(),
                reason: error.to_string(),
                code: error.raw_os_error(),
            };
            output.answer(id, Err(error));
        }
    }

    fn try_start(&self, id: RequestId, run: Run, output: &Arc<Output>) -> io::Result<()> {
        let sent = script::sent(&run.script);
        let (stdin, feed) = io::pipe()?;
        let (out, stdout) = io::pipe()?;
        let (err, stderr) = io::pipe()?;
        let (ended, is_over) = io::pipe()?;
        let ended_too = ended.try_clone()?;
        let files: [OwnedFd; 3] = [stdin.into(), stdout.into(), stderr.into()];
        let alive = self.shared.alive.try_clone()?;
        let watcher = Watcher::start(sent.command, run.limit_ms, files, alive.into())?;
        let watcher = Arc::new(watcher);
        let (tell, input) = channel();
        let running = Arc::new(Running {
            ending: Mutex::new(Ending::Command(Arc::clone(&watcher))),
            input: Mutex::new(Some(tell)),
            flow: Flow::default(),
        });
        locked(&self.shared.running).insert(id, Arc::clone(&running));
        let streams = [
            (Stream::Stdout, out, ended),
            (Stream::Stderr, err, ended_too),
        ]
        .map(|(stream, from, ended)| {
            let (says, running) = (Arc::clone(output), Arc::clone(&running));
            std::thread::spawn(move || {
                drop(hand_on(id, stream, from, &ended, &running.flow, &says));
            })
        });
        let (says, commands) = (Arc::clone(output), self.clone());
        std::thread::spawn(move || {
            let ended = watcher.started().and_then(|group| {
                let says = Arc::clone(&says);
                std::thread::spawn(move || feed_input(id, feed, &sent.script, &input, &says));
                watcher.ended(group)
            });
            drop(is_over);
            if !matches!(ended, Ok(agent_protocol::message::Ended::Status(_))) {
                // Who ended it may not read its output any more.
                running.flow.close();
            }
            for stream in streams {
                drop(stream.join());
            }
            *locked(&running.ending) = Ending::Over;
            if let Some(watcher) = Arc::into_inner(watcher) {
                watcher.reap();
            }
            locked(&commands.shared.running).remove(&id);
            commands.shared.ended.notify_all();
            let answer = match ended {
                Ok(ended) => Ok(Answer::Ended(ended)),
                Err(WatchError::Gone) => Err(AgentError::Watcher),
                Err(WatchError::NotStarted(reason)) => Err(AgentError::System {
                    what: "cannot start a command".to_owned(),
                    reason,
                    code: None,
                }),
            };
            says.answer(id, answer);
        });
        Ok(())
    }

    /// Begins what the agent itself works on.
    pub(crate) fn begin(&self, id: RequestId, output: &Arc<Output>) -> Option<Work> {
        if self.find(id).is_some() {
            output.answer(id, Err(AgentError::Duplicate));
            return None;
        }
        let (tell, input) = channel();
        let running = Arc::new(Running {
            ending: Mutex::new(Ending::Input),
            input: Mutex::new(Some(tell)),
            flow: Flow::default(),
        });
        locked(&self.shared.running).insert(id, Arc::clone(&running));
        Some(Work {
            id,
            running,
            input,
            came: VecDeque::new(),
            commands: self.clone(),
            output: Arc::clone(output),
        })
    }

    fn find(&self, id: RequestId) -> Option<Arc<Running>> {
        locked(&self.shared.running).get(&id).cloned()
    }

    /// Hands input on to a command. One that has ended needs none.
    pub(crate) fn input(&self, id: RequestId, bytes: Vec<u8>) {
        if let Some(running) = self.find(id)
            && let Some(input) = &*locked(&running.input)
        {
            drop(input.send(bytes));
        }
    }

    /// There is no more input.
    pub(crate) fn end_input(&self, id: RequestId) {
        if let Some(running) = self.find(id) {
            drop(locked(&running.input).take());
        }
    }

    /// The client took output in.
    pub(crate) fn taken(&self, id: RequestId, bytes: u32) {
        if let Some(running) = self.find(id) {
            running.flow.taken(bytes);
        }
    }

    /// Has a command ended.
    pub(crate) fn end(&self, id: RequestId) {
        if let Some(running) = self.find(id) {
            running.end();
        }
    }

    /// Has all commands ended, and waits for it. None of them sees the end of its input before.
    pub(crate) fn end_all(&self) {
        let mut all = locked(&self.shared.running);
        for running in all.values() {
            running.end();
            running.flow.close();
        }
        while !all.is_empty() {
            let changed = self.shared.ended.wait(all);
            all = changed.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Running {
    fn end(&self) {
        let mut ending = locked(&self.ending);
        match &*ending {
            Ending::Command(watcher) => return watcher.end(),
            // One that is closed already needs no closing.
            Ending::Connection(stream) => drop(stream.shutdown(Shutdown::Both)),
            Ending::Input | Ending::Over => {}
        }
        drop(locked(&self.input).take());
        *ending = Ending::Over;
    }
}

/// A request that the agent itself works on. It reads the request's data.
pub(crate) struct Work {
    id: RequestId,
    running: Arc<Running>,
    input: Receiver<Vec<u8>>,
    came: VecDeque<u8>,
    commands: Commands,
    output: Arc<Output>,
}

/// The output of [`Work`].
pub(crate) struct Outflow {
    id: RequestId,
    running: Arc<Running>,
    output: Arc<Output>,
}

impl Outflow {
    /// What is read as well is of no use any more.
    pub(crate) fn end_input(&self) {
        self.running.end();
    }

    /// Sends it as fast as the client takes it; false when nothing is sent any more.
    pub(crate) fn send(&self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(fits) = self.running.flow.claim(rest.len()) else {
                return false;
            };
            let (now, later) = rest.split_at(fits);
            let (id, stream, bytes) = (self.id, Stream::Stdout, now.to_vec());
            // A client that is gone is noticed by whoever reads.
            drop(self.output.send(&FromAgent::Data { id, stream, bytes }));
            rest = later;
        }
        true
    }
}

impl Work {
    /// Says that a connection is open, and has it closed when the request is to end.
    pub(crate) fn connected(&self, stream: TcpStream) {
        let mut ending = locked(&self.running.ending);
        match &*ending {
            Ending::Over => drop(stream.shutdown(Shutdown::Both)),
            _ => *ending = Ending::Connection(stream),
        }
        drop(self.output.send(&FromAgent::Connected { id: self.id }));
    }

    pub(crate) fn outflow(&self) -> Outflow {
        Outflow {
            id: self.id,
            running: Arc::clone(&self.running),
            output: Arc::clone(&self.output),
        }
    }

    /// Whether the client wants no more of it, or is gone.
    pub(crate) fn is_over(&self) -> bool {
        matches!(*locked(&self.running.ending), Ending::Over)
    }

    /// Sends what came of it, and ends it.
    pub(crate) fn end(self, told: Result<Vec<u8>, AgentError>) {
        let answer = told.map(|told| {
            self.outflow().send(&told);
            Answer::Done
        });
        locked(&self.commands.shared.running).remove(&self.id);
        self.commands.shared.ended.notify_all();
        self.output.answer(self.id, answer);
    }
}

impl io::Read for Work {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.came.is_empty() {
            let Ok(bytes) = self.input.recv() else {
                return Ok(0);
            };
            let (id, length) = (self.id, bytes.len());
            self.came = bytes.into();
            let bytes = u32::try_from(length).unwrap_or(u32::MAX);
            self.output.send(&FromAgent::Taken { id, bytes })?;
        }
        self.came.read(buffer)
    }
}

/// Writes the script and what the client sends to a command. Whatever it does not read is thrown away.
fn feed_input(
    id: RequestId,
    mut feed: PipeWriter,
    script: &[u8],
    input: &Receiver<Vec<u8>>,
    output: &Output,
) {
    let mut reads = feed.write_all(script).is_ok();
    for bytes in input {
        reads = reads && feed.write_all(&bytes).is_ok();
        let bytes = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        drop(output.send(&FromAgent::Taken { id, bytes }));
    }
}

/// Hands a command's output on until its end, or until the command has ended and nothing comes for a while.
fn hand_on(
    id: RequestId,
    stream: Stream,
    mut from: PipeReader,
    ended: &PipeReader,
    flow: &Flow,
    output: &Output,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let (mut left, mut bytes_left, mut is_over) = (LINGER, LINGER_BYTES, false);
    loop {
        let mut seen = [
            PollFd::new(&from, PollFlags::IN),
            PollFd::new(ended, PollFlags::IN),
        ];
        let began = Instant::now();
        let limit = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        let ready = match is_over {
            false => poll(&mut seen, None),
            true => poll(&mut seen[..1], Some(&limit)),
        };
        match ready {
            Err(rustix::io::Errno::INTR) => continue,
            ready => ready?,
        };
        if seen[0].revents().is_empty() {
            if is_over {
                return Ok(());
            }
            is_over = true;
            continue;
        }
        if is_over {
            left = left.saturating_sub(began.elapsed());
            if bytes_left == 0 {
                return Ok(());
            }
        }
        let length = from.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        if is_over {
            bytes_left = bytes_left.saturating_sub(length);
        }
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            let Some(fits) = flow.claim(rest.len()) else {
                return Ok(());
            };
            let (now, later) = rest.split_at(fits);
            let bytes = now.to_vec();
            output.send(&FromAgent::Data { id, stream, bytes })?;
            rest = later;
        }
    }
}
