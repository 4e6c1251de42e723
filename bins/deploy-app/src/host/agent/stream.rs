//! A TCP connection from the host, as a stream.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use agent_protocol::message::{AgentError, Connect, Request};
use agent_protocol::window::CHUNK;
use ssh::ExecError;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::link::{Asked, Came, Input, Link};

/// The agent has this much more time than the client waits, so that it is the agent that says what is wrong.
const SOONER: Duration = Duration::from_millis(200);

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The other side refused.
    #[error("nothing listens on {0} on the host")]
    Refused(String),
    /// It was not reached.
    #[error("the host cannot connect to {0}: {1}")]
    Unreached(String, String),
    /// It did not come about in time.
    #[error("the host did not connect to {0} in time")]
    Late(String),
    /// The agent is gone, or does not do it.
    #[error(transparent)]
    Agent(#[from] ExecError),
}

/// A TCP connection from the host. It is closed when this is dropped.
pub(crate) struct HostStream {
    near: DuplexStream,
    pump: JoinHandle<()>,
}

/// Connects from the host to `host:port`, as the host sees these names.
pub(super) async fn connect(
    link: &Link,
    host: &str,
    port: u16,
    deadline: Instant,
) -> Result<HostStream, ConnectError> {
    let shown = || match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    let left = deadline
        .saturating_duration_since(Instant::now())
        .saturating_sub(SOONER);
    let mut asked = link.ask(Request::Connect(Connect {
        host: host.to_owned(),
        port,
        limit_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
    }))?;
    match timeout_at(deadline, asked.next()).await {
        Ok(Ok(Came::Connected)) => {}
        Ok(Ok(Came::Answer(Err(AgentError::Unconnected {
            is_refused: true, ..
        })))) => {
            return Err(ConnectError::Refused(shown()));
        }
        Ok(Ok(Came::Answer(Err(AgentError::Unconnected { reason, .. })))) => {
            return Err(ConnectError::Unreached(shown(), reason));
        }
        Ok(Ok(Came::Answer(Err(error)))) => {
            return Err(ConnectError::Unreached(shown(), error.to_string()));
        }
        Ok(Ok(Came::Answer(Ok(_)) | Came::Data(..))) => return Err(ExecError::NoStatus.into()),
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => return Err(ConnectError::Late(shown())),
    }
    let (near, far) = tokio::io::duplex(CHUNK);
    let input = asked.input();
    let pump = tokio::spawn(pump(far, asked, input));
    Ok(HostStream { near, pump })
}

/// Hands on what either side says, until the host's side has said all.
async fn pump(far: DuplexStream, mut asked: Asked, input: Input) {
    let (mut from_near, mut to_near) = tokio::io::split(far);
    let sending = async {
        let mut buffer = vec![0; CHUNK];
        while let Ok(length @ 1..) = from_near.read(&mut buffer).await {
            if input.send(&buffer[..length]).await.is_err() {
                return;
            }
        }
        // Who is gone is noticed by who reads.
        drop(input.end());
    };
    let receiving = async {
        while let Ok(Came::Data(_, bytes)) = asked.next().await {
            if to_near.write_all(&bytes).await.is_err() {
                return;
            }
        }
        drop(to_near.shutdown().await);
    };
    tokio::pin!(sending, receiving);
    tokio::select! {
        () = &mut receiving => {}
        () = &mut sending => receiving.await,
    }
}

impl Drop for HostStream {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl AsyncRead for HostStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_read(cx, buffer)
    }
}

impl AsyncWrite for HostStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.near).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.near).poll_shutdown(cx)
    }
}
