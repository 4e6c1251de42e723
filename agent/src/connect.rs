//! TCP connections from the host: for the client, and for the agent's own questions.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent_protocol::message::{AgentError, Connect, RequestId};
use agent_protocol::window::CHUNK;

use crate::command::{Commands, Work};
use crate::output::Output;

/// An address is given up after this, where there is another one.
const ONE_ADDRESS: Duration = Duration::from_secs(5);

/// Connects to a name or an address, one of its addresses after the other.
pub(crate) fn connect(host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut addresses = (host, port).to_socket_addrs()?.peekable();
    while let Some(address) = addresses.next() {
        let left = until.saturating_duration_since(Instant::now());
        let limit = match addresses.peek() {
            Some(_) => left.min(ONE_ADDRESS),
            None => left,
        };
        if limit.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

/// Opens a connection for the client, and hands on what either side says, on threads of its own.
pub(crate) fn start(commands: &Commands, id: RequestId, wanted: Connect, output: &Arc<Output>) {
    let Some(work) = commands.begin(id, output) else {
        return;
    };
    std::thread::spawn(move || {
        let until = Instant::now() + Duration::from_millis(wanted.limit_ms);
        match connect(&wanted.host, wanted.port, until) {
            Ok(stream) => relay(work, stream),
            Err(error) => work.end(Err(unconnected(&error))),
        }
    });
}

/// Ends when the other side has said all, or the client wants no more.
fn relay(mut work: Work, mut stream: TcpStream) {
    let sides = stream
        .try_clone()
        .and_then(|to| Ok((to, stream.try_clone()?)));
    let (mut to, ender) = match sides {
        Ok(sides) => sides,
        Err(error) => return work.end(Err(unconnected(&error))),
    };
    work.connected(ender);
    let outflow = work.outflow();
    let writing = std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = work.read(&mut buffer) {
            // A side that does not listen any more may still say something.
            drop(to.write_all(&buffer[..length]));
        }
        drop(to.shutdown(Shutdown::Write));
        work
    });
    let mut buffer = vec![0; CHUNK];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(length @ 1..) if outflow.send(&buffer[..length]) => {}
            // The end, or a connection that broke: what was said tells whether that was all.
            Ok(_) | Err(_) => break,
        }
    }
    outflow.end_input();
    if let Ok(work) = writing.join() {
        work.end(Ok(Vec::new()));
    }
}

fn unconnected(error: &io::Error) -> AgentError {
    AgentError::Unconnected {
        reason: error.to_string(),
        is_refused: error.kind() == io::ErrorKind::ConnectionRefused,
    }
}
