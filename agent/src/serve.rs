//! The agent's life: requests come on standard input, answers go to standard output.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use agent_protocol::frame::{Decoder, FrameError};
use agent_protocol::hello::{Hello, HelloError, LENGTH};
use agent_protocol::message::{AgentError, Answer, Lock, Request, RequestId, ToAgent};
use agent_protocol::plan::Plan;
use rustix::event::PollFlags;

use crate::command::Commands;
use crate::connect;
use crate::files;
use crate::guardian::Guardian;
use crate::health;
use crate::lock::{self, Held, Taken};
use crate::output::{Output, is_passing, wait_for};

/// Why the agent cannot serve.
#[derive(Debug)]
pub(crate) enum ServeError {
    Io(io::Error),
    Hello(HelloError),
    Frame(FrameError),
    /// The client's hello did not come, or not as the first thing.
    NoHello,
    /// It was not started as it should be.
    Arguments,
}

impl std::fmt::Display for ServeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Hello(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::NoHello => f.write_str(
                "what deploy-app says first did not arrive whole; does a start-up file of the login shell read standard input?",
            ),
            Self::Arguments => f.write_str("the arguments are not in hexadecimal"),
        }
    }
}

impl From<io::Error> for ServeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The lock that the agent holds.
type Holding = Arc<Mutex<Option<Holder>>>;

/// The lock, and who takes over with it should the agent end.
struct Holder {
    held: Held,
    guardian: Option<Guardian>,
}

/// Serves one client until it is gone, and ends everything that runs for it.
///
/// `digest` is that of the program's file, which whoever started it has verified, and `opening` the first messages: what
/// comes as an argument need not be waited for. Both are in hexadecimal.
pub(crate) fn serve(
    own: &OsStr,
    digest: &str,
    opening: &str,
    once: bool,
) -> Result<(), ServeError> {
    let digest = bytes(digest).and_then(|digest| digest.try_into().ok());
    let digest = digest.ok_or(ServeError::Arguments)?;
    let opening = bytes(opening).ok_or(ServeError::Arguments)?;
    if once {
        drop(std::fs::remove_file(own));
    }
    let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let output = Arc::new(Output::new(stdout)?);
    output.raw(&Hello::of_agent(digest).to_bytes())?;
    let (commands_end, alive) = io::pipe()?;
    let commands = Commands::new(alive);
    let holding = Holding::default();
    let came = (opening, stdin);
    let ended = until_gone(came, &output, &commands, &holding, &commands_end);
    commands.end_all();
    filesync::temporary::remove_all();
    // The lock ends with the process, after everything that ran under it, or goes to the guardian.
    ended
}

/// Reads hexadecimal.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    let byte = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    digits.map(byte).collect::<Option<_>>()
}

fn until_gone(
    (opening, stdin): (Vec<u8>, File),
    output: &Arc<Output>,
    commands: &Commands,
    holding: &Holding,
    commands_end: &PipeReader,
) -> Result<(), ServeError> {
    let (tell, heard) = sync_channel(16);
    std::thread::spawn(move || read(&opening, stdin, &tell));
    for message in heard {
        match message? {
            ToAgent::Request { id, request } => match request {
                Request::Run(run) => commands.start(id, run, output),
                Request::Files { paths, operation } => {
                    files::start(commands, id, paths, operation, output);
                }
                Request::Lock { lock, waits: true } => {
                    let (output, holding) = (Arc::clone(output), Arc::clone(holding));
                    std::thread::spawn(move || take(id, &lock, true, &output, &holding));
                }
                Request::Lock { lock, waits: false } => take(id, &lock, false, output, holding),
                Request::Unlock => {
                    let holder = locked(holding).take();
                    let given_back = holder.map_or(Ok(()), Holder::give_back);
                    output.answer(id, given_back.map(|()| Answer::Done));
                }
                Request::Plan(plan) => {
                    let done = match &mut *locked(holding) {
                        Some(holder) => holder.plan(plan, commands_end),
                        None => Err(AgentError::NoLock),
                    };
                    output.answer(id, done.map(|()| Answer::Done));
                }
                Request::Connect(wanted) => connect::start(commands, id, wanted, output),
                Request::AskHealth { check, answer_ms } => {
                    health::start(commands, id, check, answer_ms, output);
                }
                Request::Holder { folder } => output.answer(id, lock::holder(Path::new(&folder))),
            },
            ToAgent::Data { id, bytes } => commands.input(id, bytes),
            ToAgent::End { id } => commands.end_input(id),
            ToAgent::Taken { id, bytes } => commands.taken(id, bytes),
            ToAgent::Cancel { id } => commands.end(id),
            ToAgent::Alive => {}
        }
    }
    Ok(())
}

/// Reads what there is, once there is something; 0 bytes at the end.
fn receive(stdin: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        wait_for(stdin, PollFlags::IN)?;
        match stdin.read(buffer) {
            Err(error) if is_passing(&error) => {}
            read => return read,
        }
    }
}

impl Holder {
    /// Has the guardian follow this plan should the agent end, or no plan any more.
    fn plan(
        &mut self,
        plan: Option<Box<Plan>>,
        commands_end: &PipeReader,
    ) -> Result<(), AgentError> {
        let Some(plan) = plan else {
            if let Some(guardian) = self.guardian.take() {
                guardian.dismiss();
            }
            return Ok(());
        };
        if let Some(guardian) = &mut self.guardian
            && guardian.guard(&self.held, &plan).is_ok()
        {
            return Ok(());
        }
        // None yet, or somebody killed it.
        let started = Guardian::start(&self.held, commands_end).and_then(|mut guardian| {
            guardian.guard(&self.held, &plan)?;
            Ok(guardian)
        });
        let guardian = started.map_err(|error| AgentError::System {
            what: "cannot start the process that decides alone".to_owned(),
            reason: error.to_string(),
            code: error.raw_os_error(),
        })?;
        self.guardian = Some(guardian);
        Ok(())
    }

    fn give_back(self) -> Result<(), AgentError> {
        if let Some(guardian) = self.guardian {
            guardian.dismiss();
        }
        self.held.give_back()
    }
}

fn locked(holding: &Holding) -> std::sync::MutexGuard<'_, Option<Holder>> {
    holding.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(id: RequestId, lock: &Lock, waits: bool, output: &Output, holding: &Holding) {
    if let Some(holder) = &*locked(holding) {
        let folder = holder.held.folder.clone();
        output.answer(id, Err(AgentError::Locked { folder }));
        return;
    }
    let answer = lock::take(lock, waits).map(|taken| match taken {
        Taken::Theirs(holder) => Answer::Held(holder),
        Taken::Ours { held, left_by } => {
            *locked(holding) = Some(Holder {
                held,
                guardian: None,
            });
            Answer::Locked { left_by }
        }
    });
    output.answer(id, answer);
}

/// Reads messages until there are no more, or what comes is none.
fn read(opening: &[u8], mut stdin: File, tell: &SyncSender<Result<ToAgent, ServeError>>) {
    let ended = read_all(opening, &mut stdin, &|message| {
        tell.send(Ok(message)).is_ok()
    });
    if let Err(error) = ended {
        // Nobody hears any more when the agent ends.
        drop(tell.send(Err(error)));
    }
}

/// Hands on the messages of the opening, and after the client's hello those that come.
fn read_all(
    opening: &[u8],
    stdin: &mut File,
    hand_on: &impl Fn(ToAgent) -> bool,
) -> Result<(), ServeError> {
    let (mut decoder, mut buffer) = (Decoder::default(), vec![0; 128 * 1024]);
    let mut came = opening;
    let mut has_heard = false;
    loop {
        decoder.push(came);
        while let Some(message) = decoder.message().map_err(ServeError::Frame)? {
            if !hand_on(message) {
                return Ok(());
            }
        }
        if !has_heard {
            if decoder.is_partial() {
                return Err(ServeError::Arguments);
            }
            hear(stdin)?;
            has_heard = true;
        }
        // Gone, or not heard of any more.
        let Ok(length @ 1..) = receive(stdin, &mut buffer) else {
            return Ok(());
        };
        came = &buffer[..length];
    }
}

/// Reads the client's hello.
fn hear(stdin: &mut File) -> Result<(), ServeError> {
    let mut theirs = [0; LENGTH];
    let mut rest = &mut theirs[..];
    while !rest.is_empty() {
        match receive(stdin, rest)? {
            0 => return Err(ServeError::NoHello),
            length => rest = &mut rest[length..],
        }
    }
    let theirs = Hello::from_bytes(&theirs).map_err(|_| ServeError::NoHello)?;
    theirs.is_of_this_version().map_err(ServeError::Hello)
}
