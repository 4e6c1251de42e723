//! A TCP connection to the host.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};

use crate::address::Address;
use crate::error::ConnectError;

impl Address {
    /// Opens a TCP connection to it.
    ///
    /// # Errors
    /// [`ConnectError::Tcp`] with the operating system's reason, or that the deadline passed first.
    pub async fn connect(
        &self,
        deadline: Instant,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, ConnectError> {
        connect(self, deadline).await
    }
}

async fn connect(address: &Address, deadline: Instant) -> Result<TcpStream, ConnectError> {
    let found = look_up(address, deadline).await.map_err(|why| {
        let host = &address.host;
        ConnectError::Tcp(format!("cannot resolve `{host}`: {why}"))
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

/// How much of what the other side says first is kept, in bytes.
const FIRST: usize = 512;

/// A stream that remembers what was read from it first: tells a silent port from a server that broke off, and from one
/// that says why it turns us away.
pub(crate) struct Watched<S> {
    stream: S,
    heard: Heard,
}

/// What the other side said first.
#[derive(Clone, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    pub(crate) fn any(&self) -> bool {
        !self.first().is_empty()
    }

    /// What was said instead of SSH's own first line, where that is text.
    pub(crate) fn instead(&self) -> Option<String> {
        let first = self.first();
        let text = std::str::from_utf8(&first).ok()?.trim();
        let is_text =
            !text.is_empty() && !text.contains(|c: char| c.is_control() && !c.is_whitespace());
        (is_text && !text.contains("SSH-"))
            .then(|| text.lines().next().unwrap_or_default().trim().to_owned())
    }

    fn first(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Watched<S> {
    pub(crate) fn new(stream: S) -> (Self, Heard) {
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
        let new = &buf.filled()[before..];
        let mut first = self.heard.first();
        let room = FIRST.saturating_sub(first.len());
        first.extend_from_slice(&new[..new.len().min(room)]);
        drop(first);
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
