//! An SSH server of ours that does what a script says: what no real one does on command.

use crate::noise::noise;
use harness::Program;
use russh::keys::key::safe_rng;
use russh::keys::{Algorithm, PrivateKey};
use russh::server::{self, Auth, ChannelOpenHandle, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Sig};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Notify, mpsc};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: the server runs every command.
    None,
    /// No key is good enough.
    RefuseAuthentication,
    /// No command is taken.
    RefuseCommand,
    /// From there on there is silence.
    Stall,
    /// The connection ends so many bytes behind that.
    Cut(usize),
    /// What ran on the host is killed.
    Kill,
}

/// The server; it ends with its runtime.
struct Scripted {
    port: u16,
    host_key: String,
    /// How often the fault was met.
    met: Arc<AtomicUsize>,
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Scripted {
    /// The fault happens where the client sends `at`, so many `times`.
    fn start(fault: Fault, at: &'static [u8], times: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        let host_key = key.public_key().to_openssh().unwrap();
        let config = Arc::new(server::Config {
            keys: vec![key],
            auth_rejection_time: Duration::ZERO,
            ..server::Config::default()
        });
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let met = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&met);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handler = Connection {
                    fault,
                    at,
                    times,
                    met: Arc::clone(&counted),
                    running: HashMap::new(),
                };
                let config = Arc::clone(&config);
                tokio::spawn(async move {
                    if let Ok(running) = server::run_stream(config, stream, handler).await {
                        drop(running.await);
                    }
                });
            }
        });
        let folder = TempDir::with_prefix("scripted").unwrap();
        for name in ["source", "home"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("source/a"), "one").unwrap();
        std::fs::write(folder.path().join("source/noise"), noise(400_000)).unwrap();
        let status = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(folder.path().join("key"))
            .status();
        assert!(status.unwrap().success());
        Self {
            port,
            host_key,
            met,
            folder,
            _runtime: runtime,
        }
    }

    fn program(&self) -> Program {
        let at = self.folder.path();
        Program::new(env!("CARGO_BIN_EXE_deploy-app"))
            .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", self.port))
            .env("DEPLOY_APP_HOST_KEY", &self.host_key)
            .env("DEPLOY_APP_USER", "deploy")
            .env("DEPLOY_APP_SSH_KEY", at.join("key"))
            .env("DEPLOY_APP_SOURCE", at.join("source"))
            .env("DEPLOY_APP_TARGET", at.join("target"))
            .env("DEPLOY_APP_RUNTIME", "none")
            .env("DEPLOY_APP_SSH_TIMEOUT", "5s")
            .env("DEPLOY_APP_TIMEOUT", "60s")
            .limit(Duration::from_secs(100))
    }

    fn current(&self) -> Option<String> {
        let current = self.folder.path().join("target/current");
        std::fs::read_to_string(current.join("a")).ok()
    }

    fn met(&self) -> usize {
        self.met.load(Ordering::SeqCst)
    }
}

/// One connection. Commands run on this machine, as the host's would.
struct Connection {
    fault: Fault,
    at: &'static [u8],
    times: usize,
    met: Arc<AtomicUsize>,
    running: HashMap<ChannelId, Running>,
}

/// A command that runs.
struct Running {
    input: mpsc::UnboundedSender<Vec<u8>>,
    kill: Arc<Notify>,
    /// The last bytes that came: what is looked for may come in two pieces.
    came: Vec<u8>,
    /// How many bytes are still handed on, once the fault was met.
    left: Option<usize>,
}

impl Connection {
    /// Hands input on to a command, as far as the fault lets it.
    fn hand_on(&mut self, channel: ChannelId, data: &[u8]) -> Result<(), russh::Error> {
        let Some(running) = self.running.get_mut(&channel) else {
            return Ok(());
        };
        let mut passed = data.len();
        if running.left.is_none() && self.met.load(Ordering::SeqCst) < self.times {
            let before = running.came.len();
            running.came.extend_from_slice(data);
            let at = self.at;
            let found = running
                .came
                .windows(at.len().max(1))
                .position(|it| it == at);
            if let Some(found) = found {
                self.met.fetch_add(1, Ordering::SeqCst);
                passed = (found + at.len()).saturating_sub(before);
                running.left = Some(match self.fault {
                    Fault::Cut(behind) => behind,
                    _ => 0,
                });
            }
            let keep = running.came.len().saturating_sub(at.len());
            running.came.drain(..keep);
        } else if running.left.is_some() {
            passed = 0;
        }
        if let Some(left) = &mut running.left {
            let more = (*left).min(data.len() - passed);
            *left -= more;
            passed += more;
        }
        drop(running.input.send(data[..passed].to_vec()));
        match (self.fault, running.left) {
            (Fault::Cut(_), Some(0)) => Err(russh::Error::Disconnect),
            (Fault::Kill, Some(_)) => {
                running.kill.notify_one();
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Runs a command, and tells what it prints and how it ended.
async fn run(
    command: String,
    mut heard: mpsc::UnboundedReceiver<Vec<u8>>,
    kill: Arc<Notify>,
    (channel, handle): (ChannelId, server::Handle),
) {
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::spawn(async move {
        while let Some(bytes) = heard.recv().await {
            if stdin.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
    let mut stdout = child.stdout.take().unwrap();
    let mut buffer = vec![0; 30_000];
    loop {
        let length = tokio::select! {
            read = stdout.read(&mut buffer) => read.unwrap_or(0),
            () = kill.notified() => {
                child.start_kill().unwrap();
                continue;
            }
        };
        if length == 0
            || handle
                .data(channel, buffer[..length].to_vec())
                .await
                .is_err()
        {
            break;
        }
    }
    let status = child.wait().await.unwrap();
    let _ = match status.code() {
        Some(code) => {
            let status = u32::try_from(code).unwrap();
            handle.exit_status_request(channel, status).await
        }
        None => {
            let none = String::new();
            handle
                .exit_signal_request(channel, Sig::KILL, false, none.clone(), none)
                .await
        }
    };
    let _ = handle.eof(channel).await;
    let _ = handle.close(channel).await;
}

impl server::Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        if self.fault == Fault::RefuseAuthentication {
            self.met.fetch_add(1, Ordering::SeqCst);
            return Ok(Auth::reject());
        }
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.fault == Fault::RefuseCommand && self.met.load(Ordering::SeqCst) < self.times {
            self.met.fetch_add(1, Ordering::SeqCst);
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        let command = String::from_utf8_lossy(command).into_owned();
        let (input, heard) = mpsc::unbounded_channel::<Vec<u8>>();
        let kill = Arc::new(Notify::new());
        let replies = (channel, session.handle());
        tokio::spawn(run(command, heard, Arc::clone(&kill), replies));
        let running = Running {
            input,
            kill,
            came: Vec::new(),
            left: None,
        };
        self.running.insert(channel, running);
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.hand_on(channel, data)
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.running.remove(&channel);
        Ok(())
    }
}

/// How the request begins that the stream of files belongs to, behind the name of the target folder: the layout, the operation
/// `Receive`, and the length of a release's name. No other request contains this.
const RECEIVE: &[u8] = b"/target\x00\x07\x16";

#[test]
fn a_server_without_faults_is_deployed_to() {
    let server = Scripted::start(Fault::None, RECEIVE, 0);
    server.program().run().assert_code(0);
    assert_eq!(server.current().as_deref(), Some("one"));
}

#[test]
fn a_silent_port_ends_in_time_with_the_step_that_failed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Scripted::start(Fault::None, RECEIVE, 0);
    let began = Instant::now();
    server
        .program()
        .env(
            "DEPLOY_APP_ADDRESS",
            listener.local_addr().unwrap().to_string(),
        )
        .env("DEPLOY_APP_SSH_TIMEOUT", "2s")
        .run()
        .assert_code(4)
        .assert_stderr("no SSH server answered: it sent nothing in time");
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn refused_authentication_is_told_at_once() {
    let server = Scripted::start(Fault::RefuseAuthentication, b"", 1);
    server
        .program()
        .run()
        .assert_code(3)
        .assert_stderr("cannot log in")
        .assert_stderr("refused user `deploy`");
    assert_eq!(server.met(), 1, "a stored key is not tried again");
}

#[test]
fn a_wrong_host_key_gets_no_authentication() {
    // It counts every key that it is shown.
    let server = Scripted::start(Fault::RefuseAuthentication, b"", 0);
    let other = Scripted::start(Fault::None, b"", 0);
    server
        .program()
        .env("DEPLOY_APP_HOST_KEY", &other.host_key)
        .run()
        .assert_code(2)
        .assert_stderr("is not the known one; nothing was sent");
    assert_eq!(server.met(), 0, "no key was shown");
}

#[test]
fn a_command_that_stalls_ends_at_the_deadline() {
    let server = Scripted::start(Fault::Stall, RECEIVE, usize::MAX);
    let began = Instant::now();
    server
        .program()
        .env("DEPLOY_APP_TIMEOUT", "4s")
        .run()
        .assert_code(6)
        .assert_stderr("cannot unpack release")
        .assert_stderr("did not end before the deadline");
    // Four seconds, eight for the command to end, a new connection to clean up, and a busy machine.
    assert!(began.elapsed() < Duration::from_secs(40));
    assert_eq!(server.current(), None);
    server
        .program()
        .env("DEPLOY_APP_TIMEOUT", "4s")
        .run()
        .assert_code(6);
}

#[test]
fn a_connection_cut_at_any_byte_of_the_stream_leaves_nothing_and_can_be_repeated() {
    for behind in [0, 1, 300, 1500, 40_000, 150_000, 390_000] {
        let fault = Fault::Cut(behind);
        let server = Scripted::start(fault, RECEIVE, 1);
        server
            .program()
            .run()
            .assert_code(1)
            .assert_stderr("cannot unpack release")
            .assert_stderr("connecting again to clean up")
            .assert_stderr("nothing was switched");
        assert_eq!(server.met(), 1, "{fault:?}");
        let left: Vec<_> = std::fs::read_dir(server.folder.path().join("target/releases"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(left.is_empty(), "{fault:?}: {left:?}");
        server.program().run().assert_code(0);
        assert_eq!(server.current().as_deref(), Some("one"));
    }
}

#[test]
fn a_release_of_which_nobody_knows_whether_it_is_whole_is_not_switched_to() {
    let server = Scripted::start(Fault::Kill, RECEIVE, 1);
    server
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("cannot unpack release")
        .assert_stderr("the agent on the host ended")
        .assert_stderr("nothing was switched");
    assert_eq!(server.current(), None);
    server.program().run().assert_code(0);
    assert_eq!(server.current().as_deref(), Some("one"));
}

#[test]
fn a_server_that_runs_no_commands_is_told() {
    let server = Scripted::start(Fault::RefuseCommand, b"", 1);
    server
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("cannot start the agent")
        .assert_stderr("the server refused to run a command");
    server.program().run().assert_code(0);
}
