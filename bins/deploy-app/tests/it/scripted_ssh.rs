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
use tokio::sync::mpsc;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing: the server runs every command.
    None,
    /// No key is good enough.
    RefuseAuthentication,
    /// The command is taken, and then there is silence.
    Stall,
    /// The command is not taken.
    RefuseCommand,
    /// The connection ends after so many bytes of the script.
    CutScript(usize),
    /// The connection ends after so many bytes of the script's input.
    Cut(usize),
    /// The command ends without an exit status.
    NoStatus,
    /// The command is ended by a signal.
    Signal,
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
    /// The fault happens to scripts that contain `at`, so many `times`.
    fn start(fault: Fault, at: &'static str, times: usize) -> Self {
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
                    scripts: HashMap::new(),
                    inputs: HashMap::new(),
                    cut: HashMap::new(),
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
    at: &'static str,
    times: usize,
    met: Arc<AtomicUsize>,
    /// Commands whose scripts are still coming.
    scripts: HashMap<ChannelId, Script>,
    inputs: HashMap<ChannelId, mpsc::UnboundedSender<Vec<u8>>>,
    /// Bytes of input that are left until the cut.
    cut: HashMap<ChannelId, usize>,
}

/// A script that comes on a command's standard input.
struct Script {
    command: String,
    /// How many lines it has.
    lines: usize,
    came: Vec<u8>,
}

impl Script {
    fn of(command: String) -> Self {
        let (_, after) = command.split_once("-lt ").unwrap();
        let lines = after.split_once(' ').unwrap().0.parse().unwrap();
        Self {
            command,
            lines,
            came: Vec::new(),
        }
    }

    /// The length of the whole script; none as long as it is still coming.
    fn length(&self) -> Option<usize> {
        let ends = self
            .came
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1).nth(self.lines - 1)
    }
}

impl Connection {
    /// What happens to this script.
    fn fault(&self, script: &[u8]) -> Fault {
        let is_meant = String::from_utf8_lossy(script).contains(self.at);
        if !is_meant || self.met.load(Ordering::SeqCst) >= self.times {
            return Fault::None;
        }
        self.met.fetch_add(1, Ordering::SeqCst);
        self.fault
    }

    /// Runs a command whose script has come, with what came behind it.
    fn run(
        &mut self,
        channel: ChannelId,
        script: Script,
        length: usize,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let fault = self.fault(&script.came[..length]);
        if fault == Fault::RefuseCommand {
            return session.channel_failure(channel);
        }
        session.channel_success(channel)?;
        if fault == Fault::Stall {
            return Ok(());
        }
        if let Fault::Cut(at) = fault {
            self.cut.insert(channel, length + at);
        }
        if let Fault::CutScript(at) = fault {
            self.cut.insert(channel, at.min(length));
        }
        let (tell, heard) = mpsc::unbounded_channel::<Vec<u8>>();
        self.inputs.insert(channel, tell);
        tokio::spawn(run(
            script.command,
            heard,
            (channel, session.handle()),
            fault,
        ));
        self.hand_on(channel, &script.came)
    }

    /// Hands input on to a command, and cuts the connection where it is to be cut.
    fn hand_on(&mut self, channel: ChannelId, data: &[u8]) -> Result<(), russh::Error> {
        let left = self.cut.get_mut(&channel);
        let cut = left.as_ref().is_some_and(|left| data.len() >= **left);
        let whole = data.len();
        let data = &data[..left.as_ref().map_or(whole, |left| whole.min(**left))];
        if let Some(input) = self.inputs.get(&channel) {
            drop(input.send(data.to_vec()));
        }
        if cut {
            return Err(russh::Error::Disconnect);
        }
        if let Some(left) = left {
            *left -= whole;
        }
        Ok(())
    }
}

/// Runs a command, and tells how it ended.
async fn run(
    command: String,
    mut heard: mpsc::UnboundedReceiver<Vec<u8>>,
    (channel, handle): (ChannelId, server::Handle),
    fault: Fault,
) {
    let mut child = tokio::process::Command::new("sh")
        .args(["-c", &command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
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
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (mut stdout, mut stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (_, _) = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
    let status = child.wait().await.unwrap();
    for chunk in out.chunks(30_000) {
        let _ = handle.data(channel, chunk.to_vec()).await;
    }
    let _ = handle.extended_data(channel, 1, err).await;
    match fault {
        Fault::NoStatus => {}
        Fault::Signal => drop(
            handle
                .exit_signal_request(channel, Sig::KILL, false, String::new(), String::new())
                .await,
        ),
        _ => {
            let status = u32::try_from(status.code().unwrap_or(255)).unwrap();
            let _ = handle.exit_status_request(channel, status).await;
        }
    }
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
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.scripts.insert(channel, Script::of(command));
        Ok(())
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(script) = self.scripts.get_mut(&channel) else {
            return self.hand_on(channel, data);
        };
        script.came.extend_from_slice(data);
        match (script.length(), self.scripts.remove(&channel)) {
            (Some(length), Some(script)) => self.run(channel, script, length, session),
            (None, Some(script)) => {
                self.scripts.insert(channel, script);
                Ok(())
            }
            (_, None) => Ok(()),
        }
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.inputs.remove(&channel);
        Ok(())
    }
}

/// The command that unpacks the stream; no other contains this.
const UNPACK: &str = "$p.pieces/assemble";

#[test]
fn a_server_without_faults_is_deployed_to() {
    let server = Scripted::start(Fault::None, UNPACK, 0);
    server.program().run().assert_code(0);
    assert_eq!(server.current().as_deref(), Some("one"));
}

#[test]
fn a_silent_port_ends_in_time_with_the_step_that_failed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Scripted::start(Fault::None, UNPACK, 0);
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
    let server = Scripted::start(Fault::RefuseAuthentication, "", 1);
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
    let server = Scripted::start(Fault::RefuseAuthentication, "", 0);
    let other = Scripted::start(Fault::None, "", 0);
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
    let server = Scripted::start(Fault::Stall, UNPACK, usize::MAX);
    let began = Instant::now();
    server
        .program()
        .env("DEPLOY_APP_TIMEOUT", "4s")
        .run()
        .assert_code(6)
        .assert_stderr("cannot unpack release")
        .assert_stderr("did not end before the deadline");
    // Four seconds, five for the command to end, and a busy machine.
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!(server.current(), None);
    server
        .program()
        .env("DEPLOY_APP_TIMEOUT", "4s")
        .run()
        .assert_code(6);
}

#[test]
fn a_connection_cut_at_any_byte_of_the_stream_leaves_nothing_and_can_be_repeated() {
    let in_script = [1, 300, 1500].map(Fault::CutScript);
    let in_stream = [1, 300, 40_000, 150_000, 390_000].map(Fault::Cut);
    for fault in in_script.into_iter().chain(in_stream) {
        let server = Scripted::start(fault, UNPACK, 1);
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
        assert!(!server.folder.path().join("target/.deploy/lock").exists());
        server.program().run().assert_code(0);
        assert_eq!(server.current().as_deref(), Some("one"));
    }
}

#[test]
fn a_command_without_an_exit_status_has_failed() {
    for (fault, told) in [
        (Fault::NoStatus, "ended without an exit status"),
        (Fault::Signal, "was ended by signal KILL"),
        (Fault::RefuseCommand, "the server refused to run a command"),
    ] {
        // The release is unpacked, and nobody can know: it is not switched to.
        let server = Scripted::start(fault, UNPACK, 1);
        let began = Instant::now();
        server
            .program()
            .run()
            .assert_code(1)
            .assert_stderr("cannot unpack release")
            .assert_stderr(told);
        assert!(began.elapsed() < Duration::from_secs(30), "{fault:?}");
        assert_eq!(server.current(), None, "{fault:?}");
        server.program().run().assert_code(0);
        assert_eq!(server.current().as_deref(), Some("one"));
    }
}
