//! How bytes reach the host: direct TCP today, any stream tomorrow.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::ssh::ConnectError;

/// Where an SSH server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// The port, 22 unless said otherwise.
    pub port: u16,
}

impl Address {
    /// Reads `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, port.strip_prefix(':')),
                None => return Err(format!("`{text}` has `[` without `]`")),
            }
        } else if text.matches(':').count() > 1 {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@') {
            return Err(format!("`{text}` is not `host` or `host:port`"));
        }
        let port = match port {
            None => 22,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => return Err(format!("`{port}` in `{text}` is not a port")),
            },
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Any stream of bytes to an SSH server: what is above does not know what carries it.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The way that the bytes take. Tunnels to private instances will be others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A TCP connection from here.
    Tcp(Address),
}

impl Route {
    /// Opens it.
    ///
    /// # Errors
    /// [`ConnectError::Tcp`] with the reason, or that the deadline came first.
    pub async fn open(&self, deadline: Instant) -> Result<Box<dyn Stream>, ConnectError> {
        match self {
            Self::Tcp(address) => Ok(Box::new(tcp(address, deadline).await?)),
        }
    }

    /// Where it ends.
    #[must_use]
    pub fn address(&self) -> &Address {
        match self {
            Self::Tcp(address) => address,
        }
    }
}

/// Opens a TCP connection.
///
/// # Errors
/// [`ConnectError::Tcp`] with the operating system's reason, or that the deadline came first.
async fn tcp(address: &Address, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let found = look_up(address, deadline).await.map_err(|why| {
        let host = &address.host;
        ConnectError::Tcp(format!("the name `{host}` leads nowhere: {why}"))
    })?;
    match timeout_at(deadline, TcpStream::connect(found.as_slice())).await {
        Ok(Ok(stream)) => {
            // Small packets must not wait for acknowledgements; failing to ask costs speed only.
            drop(stream.set_nodelay(true));
            Ok(stream)
        }
        Ok(Err(error)) => Err(ConnectError::Tcp(error.to_string())),
        Err(_) => Err(ConnectError::Tcp(
            "no answer in time (a firewall or security group drops the packets?)".to_owned(),
        )),
    }
}

/// The addresses of a name; one that is written as such is its own.
async fn look_up(address: &Address, deadline: Instant) -> Result<Vec<SocketAddr>, String> {
    let found = lookup_host((address.host.as_str(), address.port));
    match timeout_at(deadline, found).await {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no name server answered in time".to_owned()),
    }
}

/// A stream that remembers whether anything was ever read from it: tells a silent port from a
/// server that broke off.
pub(super) struct Watched<S> {
    stream: S,
    heard: Heard,
}

/// Whether the other side ever said anything.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<AtomicBool>);

impl Heard {
    pub(super) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> (Self, Heard) {
        let heard = Heard::default();
        (
            Self {
                stream,
                heard: heard.clone(),
            },
            heard,
        )
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.heard.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        for (text, expected) in [
            ("web", "web:22"),
            ("web:2222", "web:2222"),
            ("10.0.0.7", "10.0.0.7:22"),
            ("::1", "[::1]:22"),
            ("[::1]:2222", "[::1]:2222"),
            ("[::1]", "[::1]:22"),
        ] {
            assert_eq!(
                Address::parse(text).map(|address| address.to_string()),
                Ok(expected.to_owned())
            );
        }
        for text in [
            "",
            ":22",
            "web:",
            "web:0",
            "web:ssh",
            "a b",
            "[::1",
            "user@web",
            "http://web",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
