//! A fake AWS that does what a script says and records what it was asked.
//!
//! It listens on a free loopback port and answers many connections at once. It recognises the
//! operations of every service that the programs call, but knows no behaviour: a test says what
//! each operation answers, in sequence or by a closure, or installs a small world
//! ([`crate::ec2::Ec2World`]) that keeps state.
//!
//! [`FakeAws::http_client`] reaches the same fake without a socket, for code that runs inside the
//! test under tokio's virtual time.

mod http;
mod offline;
mod reply;
mod request;
pub(crate) mod tls;

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::server::{self, Server};

use self::reply::Sent;
pub(crate) use self::reply::escaped;
pub use self::reply::{REQUEST_ID, Reply};
pub use self::request::Request;
use self::tls::Authority;

/// Decides an answer from the request and whatever state it keeps.
type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// Decides what happens to any call, whatever its operation.
type Interceptor = Arc<dyn Fn(&Request) -> Fate + Send + Sync>;

/// What happens to a call that an interceptor has seen.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The script, or the world, answers it.
    Served,
    /// It gets this reply; the script never hears of it.
    Answered(Reply),
    /// The script does its work, but its reply never arrives.
    Lost,
    /// The script does its work at once, but its reply arrives so late.
    Late(Duration),
    /// The script does its work, but only so many percent of its reply's body arrive, with a length
    /// that fits.
    Shortened(u8),
}

/// The running fake; dropping it closes every connection and stops it.
pub struct FakeAws {
    /// Where it listens; nowhere when it is offline.
    address: Option<SocketAddr>,
    authority: Option<Authority>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    /// In tokio's time, which is virtual where a test has paused it.
    started: tokio::time::Instant,
    state: Mutex<State>,
    /// Told when the fake stops, so that a hanging reply ends.
    stopping: Condvar,
}

#[derive(Default)]
struct State {
    stopped: bool,
    scripts: HashMap<String, Handler>,
    /// What the next calls get before the script has its say.
    first: HashMap<String, VecDeque<Fate>>,
    requests: Vec<Request>,
    unscripted: Vec<String>,
    interceptor: Option<Interceptor>,
    /// The port of the server that answers what has no script.
    upstream: Option<u16>,
    connections: Vec<TcpStream>,
}

impl FakeAws {
    /// Starts a fake that speaks plain HTTP.
    ///
    /// # Panics
    /// When no loopback port can be opened.
    pub fn start() -> Self {
        Self::with(None)
    }

    /// Starts a fake that speaks HTTPS with a certificate of its own authority, whose certificate
    /// is in the file [`FakeAws::ca_bundle`].
    ///
    /// # Panics
    /// When no loopback port can be opened.
    pub fn start_tls() -> Self {
        Self::with(Some(Authority::new()))
    }

    fn with(authority: Option<Authority>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("cannot open a loopback port");
        let address = listener.local_addr().expect("a bound port has an address");
        let shared = Arc::new(Shared::new());
        let server = authority
            .as_ref()
            .map(|authority| Arc::clone(&authority.server));
        let accepting = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let mut state = accepting.state.lock().unwrap();
                if state.stopped {
                    return;
                }
                state.connections.extend(stream.try_clone());
                drop(state);
                let (shared, server) = (Arc::clone(&accepting), server.clone());
                // The client sees a broken connection; the test sees it through the client.
                std::thread::spawn(move || connection(&shared, stream, server));
            }
        });
        Self {
            address: Some(address),
            authority,
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// A fake that listens nowhere; only [`FakeAws::http_client`] reaches it.
    pub fn offline() -> Self {
        Self {
            address: None,
            authority: None,
            shared: Arc::new(Shared::new()),
            acceptor: None,
        }
    }

    /// Starts a fake that hands every call without a script to `server` and its answer back: what is
    /// said with [`FakeAws::first`], [`FakeAws::lose_reply`] and [`FakeAws::intercept`] then spoils the
    /// answers of a server that knows more than a script.
    ///
    /// # Panics
    /// When no loopback port can be opened.
    pub fn before(server: &Server) -> Self {
        let fake = Self::start();
        fake.shared.state.lock().unwrap().upstream = Some(server.port());
        fake
    }

    /// An HTTP client for the AWS SDK that asks this fake directly, whatever the endpoint.
    ///
    /// Late replies and the SDK's read timeout pass in tokio's time, so that a wait of hours takes
    /// no time under a paused clock. A reply that closes the connection or cuts the body fails as
    /// with the SDK's own client. The client must be used inside a tokio runtime.
    pub fn http_client(&self) -> SharedHttpClient {
        offline::client(&self.shared)
    }

    /// The endpoint, such as `http://127.0.0.1:40123`; a name that never resolves when the fake is
    /// offline.
    pub fn url(&self) -> String {
        let Some(address) = self.address else {
            return "http://offline.invalid".to_owned();
        };
        let scheme = if self.authority.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{address}")
    }

    /// The port it listens on.
    ///
    /// # Panics
    /// When the fake is offline.
    pub fn port(&self) -> u16 {
        self.address.expect("an offline fake has no port").port()
    }

    /// The authority's certificate as a PEM file.
    ///
    /// # Panics
    /// When the fake does not speak TLS.
    pub fn ca_bundle(&self) -> PathBuf {
        self.authority
            .as_ref()
            .expect("only start_tls() has an authority")
            .pem()
    }

    /// The server side of TLS with the fake's own certificate, for other servers that a test trusts with it.
    pub(crate) fn server_config(&self) -> Option<Arc<rustls::ServerConfig>> {
        let authority = self.authority.as_ref()?;
        Some(Arc::clone(&authority.server))
    }

    /// The environment that sends a program here: `AWS_ENDPOINT_URL`, and `AWS_CA_BUNDLE` with TLS.
    pub fn env(&self) -> Vec<(String, String)> {
        let mut pairs = vec![("AWS_ENDPOINT_URL".to_owned(), self.url())];
        if let Some(authority) = &self.authority {
            pairs.push((
                "AWS_CA_BUNDLE".to_owned(),
                authority.pem().display().to_string(),
            ));
        }
        pairs
    }

    /// Answers `operation`, such as `ec2:CreateImage`, with `replies` one after the other; the last
    /// one repeats. Replaces what was said before.
    ///
    /// # Panics
    /// When there is no reply.
    pub fn on(&self, operation: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut replies: VecDeque<Reply> = replies.into_iter().collect();
        assert!(!replies.is_empty(), "{operation}: a script needs a reply");
        let left = Mutex::new(move || match replies.len() {
            1 => replies[0].clone(),
            _ => replies.pop_front().expect("more than one is left"),
        });
        self.on_call(operation, move |_| left.lock().unwrap()());
    }

    /// Answers `operation` with whatever `decide` says, which may keep state. Replaces what was said
    /// before.
    pub fn on_call(
        &self,
        operation: &str,
        decide: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) {
        let mut state = self.shared.state.lock().unwrap();
        state.scripts.insert(operation.to_owned(), Arc::new(decide));
    }

    /// Answers the next calls of `operation` with `replies`; the script, or the world, goes on after
    /// them and never hears of these calls.
    pub fn first(&self, operation: &str, replies: impl IntoIterator<Item = Reply>) {
        let replies = replies.into_iter().map(Fate::Answered);
        self.shared
            .state
            .lock()
            .unwrap()
            .queue(operation)
            .extend(replies);
    }

    /// Lets the script, or the world, do the next call of `operation` and loses the reply: the
    /// connection closes without an answer although the deed is done.
    pub fn lose_reply(&self, operation: &str) {
        self.shared
            .state
            .lock()
            .unwrap()
            .queue(operation)
            .push_back(Fate::Lost);
    }

    /// Shows every call to `decide`, whatever its operation, before it is answered: for random
    /// faults, or to do something at the n-th call. What was said with [`FakeAws::first`] and
    /// [`FakeAws::lose_reply`] comes before it. Replaces the interceptor before.
    pub fn intercept(&self, decide: impl Fn(&Request) -> Fate + Send + Sync + 'static) {
        self.shared.state.lock().unwrap().interceptor = Some(Arc::new(decide));
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.state.lock().unwrap().requests.clone()
    }

    /// The requests for one operation, such as `ec2:CreateImage`, in order.
    pub fn requests_for(&self, operation: &str) -> Vec<Request> {
        let mut found = self.requests();
        found.retain(|request| request.name() == operation);
        found
    }

    /// The names of all operations called, in order.
    pub fn operations(&self) -> Vec<String> {
        self.requests().iter().map(Request::name).collect()
    }

    /// The operations that were called but have no script; each was answered with 501.
    pub fn unscripted(&self) -> Vec<String> {
        self.shared.state.lock().unwrap().unscripted.clone()
    }

    /// Checks that every operation called had a script.
    ///
    /// # Panics
    /// With the operations that had none.
    #[track_caller]
    pub fn assert_all_scripted(&self) {
        let unscripted = self.unscripted();
        assert!(
            unscripted.is_empty(),
            "called without a script: {unscripted:?}"
        );
    }
}

impl Drop for FakeAws {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap();
        state.stopped = true;
        for stream in &state.connections {
            // A connection that is closed already is what we want.
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.stopping.notify_all();
        // The acceptor looks at `stopped` when the next connection arrives.
        let _ = self.address.map(TcpStream::connect);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl State {
    fn queue(&mut self, operation: &str) -> &mut VecDeque<Fate> {
        self.first.entry(operation.to_owned()).or_default()
    }
}

impl Shared {
    fn new() -> Self {
        Self {
            started: tokio::time::Instant::now(),
            state: Mutex::default(),
            stopping: Condvar::new(),
        }
    }

    /// Records the request and says what to do with it.
    fn decide(&self, mut request: Request) -> (Request, Reply) {
        let name = request.name();
        let mut state = self.state.lock().unwrap();
        request.number = state.requests.len();
        request.turn = state
            .requests
            .iter()
            .filter(|seen| seen.name() == name)
            .count();
        state.requests.push(request.clone());
        let first = state.queue(&name).pop_front();
        let interceptor = state.interceptor.clone();
        let script = state.scripts.get(&name).cloned();
        let upstream = state.upstream;
        // Scripts and interceptors may take their time and ask the fake for what was recorded.
        drop(state);
        let fate = first
            .or_else(|| interceptor.map(|decide| decide(&request)))
            .unwrap_or(Fate::Served);
        let run = || match (script, upstream) {
            (Some(script), _) => script(&request),
            (None, Some(port)) => relayed(port, &request),
            (None, None) => {
                self.state.lock().unwrap().unscripted.push(name.clone());
                Reply::error(501, "NotScripted", format!("no script for {name}"))
            }
        };
        let reply = match fate {
            Fate::Served => run(),
            Fate::Answered(reply) => reply,
            Fate::Lost => {
                run();
                Reply::close()
            }
            Fate::Late(delay) => Reply::after(delay, run()),
            Fate::Shortened(percent) => run().shortened(percent),
        };
        (request, reply)
    }

    /// Sleeps, but not longer than the fake lives.
    fn pause(&self, duration: Duration) {
        let deadline = Instant::now() + duration;
        let mut state = self.state.lock().unwrap();
        while !state.stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.stopping.wait_timeout(state, left).unwrap().0;
        }
    }
}

/// What the server on `port` answers to the request; a closed connection when it does not.
fn relayed(port: u16, request: &Request) -> Reply {
    let coded = [
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "transfer-encoding",
        "x-amz-decoded-content-length",
        "x-amz-trailer",
    ];
    // The body was joined and its trailers are headers now.
    let headers: Vec<(&str, String)> = request
        .headers
        .iter()
        .filter(|(name, _)| !coded.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    server::exchange(
        port,
        &request.method,
        &request.target,
        &headers,
        &request.body,
    )
    .map_or_else(|_| Reply::close(), Reply::relayed)
}

/// Serves one connection until the client, the script or the end of the fake closes it.
fn connection(
    shared: &Shared,
    stream: TcpStream,
    server: Option<Arc<rustls::ServerConfig>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let closing = stream.try_clone()?;
    let served = match server {
        None => serve(shared, Duplex(BufReader::new(stream))),
        Some(server) => {
            let tls = rustls::ServerConnection::new(server).map_err(io::Error::other)?;
            let stream = rustls::StreamOwned::new(tls, stream);
            serve(shared, Duplex(BufReader::new(stream)))
        }
    };
    // The fake keeps a handle of its own, so going out of scope would close nothing.
    closing.shutdown(Shutdown::Both)?;
    served
}

fn serve<S: Read + Write>(shared: &Shared, mut stream: Duplex<S>) -> io::Result<()> {
    while let Some(raw) = http::read(&mut stream)? {
        let (request, reply) = shared.decide(Request::from(raw, shared.started.elapsed()));
        shared.pause(reply.delay);
        let is_head = request.method == "HEAD";
        match reply.deed.sent(&request) {
            Sent::Whole(answer) => http::write(&mut stream, &answer, is_head, None)?,
            Sent::Unframed(answer) => return http::write_unframed(&mut stream, &answer),
            Sent::Part(answer, sent) => {
                return http::write(&mut stream, &answer, is_head, Some(sent));
            }
            Sent::Nothing => return Ok(()),
        }
    }
    Ok(())
}

/// A stream that reads with a buffer and writes without.
struct Duplex<S>(BufReader<S>);

impl<S: Read> Read for Duplex<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl<S: Read> BufRead for Duplex<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}

impl<S: Read + Write> Write for Duplex<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}
