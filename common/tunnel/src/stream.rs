//! The end of a tunnel that SSH holds: bytes in, bytes out, and in the end why there are no more.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::TunnelError;

/// Bytes between SSH and the task that carries them on, in each direction.
const PIPE: usize = 128 << 10;

/// A stream of bytes to the SSH port of a host.
pub struct Tunnel {
    pipe: DuplexStream,
    end: Ending,
    /// Goes with the tunnel.
    _held: oneshot::Sender<()>,
}

/// The other end, for the task that carries the bytes.
pub(crate) struct Other {
    pub(crate) pipe: DuplexStream,
    pub(crate) end: Ending,
    pub(crate) dropped: Dropped,
}

/// That nobody holds the tunnel any more, for when the pipe is not read and cannot tell.
pub(crate) struct Dropped(oneshot::Receiver<()>);

impl Dropped {
    pub(crate) async fn wait(&mut self) {
        // Nothing is ever sent.
        drop((&mut self.0).await);
    }
}

/// Why a tunnel ended, once it did. Clones are one and the same.
#[derive(Debug, Clone, Default)]
pub struct Ending(Arc<Mutex<Option<TunnelError>>>);

impl Ending {
    /// The reason; none while the tunnel lives, and when this side closed it.
    #[must_use]
    pub fn reason(&self) -> Option<TunnelError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn is(&self, reason: TunnelError) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    fn error(&self) -> Option<io::Error> {
        self.reason().map(io::Error::other)
    }
}

impl Tunnel {
    /// A tunnel and its other end.
    pub(crate) fn new() -> (Self, Other) {
        let (ours, theirs) = duplex(PIPE);
        let (held, dropped) = oneshot::channel();
        let end = Ending::default();
        let tunnel = Self {
            pipe: ours,
            end: end.clone(),
            _held: held,
        };
        let other = Other {
            pipe: theirs,
            end,
            dropped: Dropped(dropped),
        };
        (tunnel, other)
    }

    /// Where the reason of its end will be.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.end.clone()
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.pipe).poll_read(cx, buf);
        match (&read, self.end.error()) {
            (Poll::Ready(Ok(())), Some(error)) if buf.filled().len() == before => {
                Poll::Ready(Err(error))
            }
            _ => read,
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.pipe).poll_write(cx, buf);
        match (written, self.end.error()) {
            (Poll::Ready(Err(_)), Some(error)) => Poll::Ready(Err(error)),
            (written, _) => written,
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// The tunnels that a program opened. What they need to end well takes longer than a drop: [`Tunnels::close`] waits
/// for it.
#[derive(Debug, Default)]
pub struct Tunnels {
    running: Mutex<Vec<Running>>,
}

#[derive(Debug)]
struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), String>>,
}

/// How the task of a tunnel hears that it shall end.
pub(crate) type Stop = watch::Receiver<bool>;

impl Tunnels {
    /// Runs the task of a tunnel, which ends once it is told to; its error is what it left behind.
    pub(crate) fn run<F>(&self, task: impl FnOnce(Stop) -> F)
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(task(stopped));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.push(Running { stop, task });
    }

    /// Ends every tunnel, and waits until they ended. Gives what is left behind, a line each.
    pub async fn close(&self, deadline: Instant) -> Vec<String> {
        let running =
            std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for one in &running {
            // Whoever does not listen has ended.
            let _ = one.stop.send(true);
        }
        let mut left = Vec::new();
        for one in running {
            match timeout_at(deadline, one.task).await {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(what))) => left.push(what),
                Ok(Err(_)) | Err(_) => left.push("a tunnel did not end in time".to_owned()),
            }
        }
        left
    }
}

/// Waits until the tunnel shall end.
pub(crate) async fn stopped(stop: &mut Stop) {
    // Without whom could tell, nobody will.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
