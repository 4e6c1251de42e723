//! A client that says one message after the other.

use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use agent_protocol::frame::{Decoder, encode};
use agent_protocol::hello::{Hello, LENGTH};
use agent_protocol::message::{
    AgentError, Answer, Ended, FromAgent, Holder, Lock, Request, RequestId, Run, Stream, ToAgent,
};

pub(crate) const AGENT: &str = env!("CARGO_BIN_EXE_deploy-agent");

/// The digest that the agent was started with.
pub(crate) fn digest() -> [u8; 32] {
    [0xa7; 32]
}

pub(crate) struct Client {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    decoder: Decoder,
    next: RequestId,
}

/// What a command printed, and how it ended.
#[derive(Debug, Default)]
pub(crate) struct Ran {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Client {
    pub(crate) fn start() -> Self {
        let mut client = Self::silent();
        client.raw(&Hello::of_client().to_bytes());
        assert_eq!(client.hear_hello(), Hello::of_agent(digest()));
        client
    }

    /// One that has said nothing yet.
    pub(crate) fn silent() -> Self {
        Self::opened(&[])
    }

    /// One that has said nothing yet, of an agent that was started with these messages.
    pub(crate) fn opened(opening: &[u8]) -> Self {
        let opening: String = opening.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut child = Command::new(AGENT)
            .args(["serve", &"a7".repeat(32), &opening])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            child,
            decoder: Decoder::default(),
            next: 1,
        }
    }

    pub(crate) fn hear_hello(&mut self) -> Hello {
        let mut theirs = [0; LENGTH];
        let stdout = self.stdout.as_mut().unwrap();
        stdout.read_exact(&mut theirs).unwrap();
        Hello::from_bytes(&theirs).unwrap()
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    pub(crate) fn say(&mut self, message: &ToAgent) {
        self.raw(&encode(message).unwrap());
    }

    /// The next message; none at the end.
    pub(crate) fn hear(&mut self) -> Option<FromAgent> {
        let mut buffer = [0; 64 * 1024];
        loop {
            if let Some(message) = self.decoder.message().unwrap() {
                return Some(message);
            }
            match self.stdout.as_mut().unwrap().read(&mut buffer).unwrap() {
                0 => return None,
                length => self.decoder.push(&buffer[..length]),
            }
        }
    }

    /// Takes nothing from the agent any more.
    pub(crate) fn deafen(&mut self) {
        drop(self.stdout.take());
    }

    pub(crate) fn ask(&mut self, request: Request) -> RequestId {
        let id = self.next;
        self.next += 1;
        self.say(&ToAgent::Request { id, request });
        id
    }

    /// Starts a command.
    pub(crate) fn start_command(&mut self, script: &str, limit_ms: Option<u64>) -> RequestId {
        let script = script.to_owned();
        self.ask(Request::Run(Run { script, limit_ms }))
    }

    /// Hears until a command's standard output contains the text.
    pub(crate) fn hear_text(&mut self, text: &str) {
        let mut came = String::new();
        while !came.contains(text) {
            match self.hear().expect("the agent ended") {
                FromAgent::Data { bytes, .. } => came.push_str(&String::from_utf8_lossy(&bytes)),
                FromAgent::Taken { .. } | FromAgent::Connected { .. } => {}
                FromAgent::Answer { answer, .. } => panic!("{answer:?} after {came:?}"),
            }
        }
    }

    /// Hears the answer to a request, and what came before it, all of it taken in at once.
    pub(crate) fn answer(&mut self, id: RequestId) -> (Result<Answer, AgentError>, Ran) {
        let mut ran = Ran::default();
        loop {
            match self.hear().expect("the agent ended") {
                FromAgent::Data {
                    id: of,
                    stream,
                    bytes,
                } if of == id => {
                    let length = u32::try_from(bytes.len()).unwrap();
                    match stream {
                        Stream::Stdout => ran.stdout.extend(bytes),
                        Stream::Stderr => ran.stderr.extend(bytes),
                    }
                    self.say(&ToAgent::Taken { id, bytes: length });
                }
                FromAgent::Answer { id: of, answer } if of == id => return (answer, ran),
                _ => {}
            }
        }
    }

    /// Runs a command to its end.
    pub(crate) fn run(&mut self, script: &str, input: &[u8]) -> (Ended, Ran) {
        let id = self.start_command(script, None);
        if !input.is_empty() {
            let bytes = input.to_vec();
            self.say(&ToAgent::Data { id, bytes });
        }
        self.say(&ToAgent::End { id });
        match self.answer(id) {
            (Ok(Answer::Ended(ended)), ran) => (ended, ran),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn lock(&mut self, folder: &std::path::Path, token: &str, waits: bool) -> RequestId {
        let lock = Lock {
            folder: folder.to_str().unwrap().to_owned(),
            holder: Holder {
                owner: format!("build {token}"),
                token: token.to_owned(),
                since: 0,
                process: 0,
                lease_secs: None,
                judging: None,
            },
        };
        self.ask(Request::Lock { lock, waits })
    }

    /// Closes the connection, and waits for the agent's end.
    pub(crate) fn leave(mut self) -> bool {
        drop(self.stdin.take());
        self.child.wait().unwrap().success()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether it comes true in a time that is long enough for a busy machine.
pub(crate) fn comes_true(is_true: impl FnMut() -> bool) -> bool {
    comes_true_in(Duration::from_secs(20), is_true)
}

/// Whether it comes true within the limit.
pub(crate) fn comes_true_in(limit: Duration, mut is_true: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < limit {
        if is_true() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Whether a process is there and no zombie.
pub(crate) fn runs(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let state = stat.rsplit_once(')').map(|(_, after)| after.trim_start());
    state.is_some_and(|after| !after.starts_with('Z'))
}
