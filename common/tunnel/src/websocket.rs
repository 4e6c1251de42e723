//! A websocket to a server of AWS's, and why there is none.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use aws::dial::{DialError, Dialer, Stream};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::header::{HeaderName, HeaderValue};
use std::future::poll_fn;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::http::Response;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tunnel_protocol::frames::Came;
use tunnel_protocol::plain;

/// A silent connection is kept open by a ping so often.
pub(crate) const PING: Duration = Duration::from_secs(60);
/// So long the other side has to say goodbye.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);
/// The largest message that is taken; what AWS sends is far smaller.
const MESSAGE: usize = 1 << 20;
/// So much is gathered before it goes to the network.
const WRITE: usize = 64 << 10;
/// A clock that is off by more makes signatures of one minute worthless.
const SKEW: Duration = Duration::from_secs(60);

/// Why there is no websocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// There is no stream to the server.
    #[error("{0}")]
    Dial(DialError),
    /// The server answered something else.
    #[error("the server refused the websocket: HTTP {status}{}", shown(.said))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The beginning of the body.
        said: String,
    },
    /// The same, and the clocks differ so much that this is why.
    #[error(
        "the server refused the signature (HTTP {status}), and the clock of this machine is {off} s {}",
        if *.is_behind { "behind" } else { "ahead" }
    )]
    Skew {
        /// The HTTP status.
        status: u16,
        /// By how many seconds.
        off: u64,
        /// Whether ours shows an earlier time.
        is_behind: bool,
    },
    /// It spoke no websocket.
    #[error("no websocket: {0}")]
    Protocol(String),
    /// The deadline came first.
    #[error("the websocket did not come about in time")]
    Late,
}

fn shown(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

/// An open websocket.
pub(crate) struct Socket {
    inner: WebSocketStream<Box<dyn Stream>>,
    /// Whether something was handed over that may not be with the network yet.
    is_dirty: bool,
}

/// What a websocket did.
pub(crate) enum Did {
    /// It takes a frame.
    Ready,
    /// A frame came.
    Came(Came),
}

impl Socket {
    /// Opens a websocket; `headers` go with the request.
    pub(crate) async fn open(
        dialer: &Dialer,
        url: &str,
        headers: &[(String, String)],
        deadline: Instant,
    ) -> Result<Self, OpenError> {
        let bad = |_| OpenError::Dial(DialError::Address("the address of the websocket".into()));
        let mut request = url.into_client_request().map_err(bad)?;
        for (name, value) in headers {
            let name = HeaderName::try_from(name.as_str());
            let value = HeaderValue::try_from(value.as_str());
            if let (Ok(name), Ok(value)) = (name, value) {
                request.headers_mut().insert(name, value);
            }
        }
        let stream = dialer.open(request.uri(), deadline).await;
        let stream = stream.map_err(OpenError::Dial)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE))
            .max_frame_size(Some(MESSAGE))
            .write_buffer_size(WRITE)
            .max_write_buffer_size(WRITE + 2 * MESSAGE);
        let opening = client_async_with_config(request, stream, Some(config));
        match timeout_at(deadline, opening).await {
            Ok(Ok((inner, _))) => Ok(Self {
                inner,
                is_dirty: false,
            }),
            Ok(Err(Error::Http(answer))) => Err(refused(&answer, SystemTime::now())),
            Ok(Err(error)) => Err(OpenError::Protocol(error.to_string())),
            Err(_) => Err(OpenError::Late),
        }
    }

    /// Waits until it takes a frame, where one is there to be sent, or until one came, where one is wanted. What was
    /// handed over before goes to the network meanwhile.
    pub(crate) async fn next(&mut self, has_frame: bool, wants_frame: bool) -> Did {
        poll_fn(|cx| self.poll(cx, has_frame, wants_frame)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, has_frame: bool, wants_frame: bool) -> Poll<Did> {
        let cut = |error: Error| Poll::Ready(Did::Came(Came::Cut(error.to_string())));
        if has_frame {
            match self.inner.poll_ready_unpin(cx) {
                Poll::Ready(Ok(())) => return Poll::Ready(Did::Ready),
                Poll::Ready(Err(error)) => return cut(error),
                Poll::Pending => {}
            }
        } else if self.is_dirty {
            match self.inner.poll_flush_unpin(cx) {
                Poll::Ready(Ok(())) => self.is_dirty = false,
                Poll::Ready(Err(error)) => return cut(error),
                Poll::Pending => {}
            }
        }
        if !wants_frame {
            return Poll::Pending;
        }
        self.inner
            .poll_next_unpin(cx)
            .map(|next| Did::Came(came(next)))
    }

    /// Hands a frame over; whether it takes another one at once.
    pub(crate) fn push(&mut self, frame: Message) -> Result<bool, String> {
        self.is_dirty = true;
        let pushed = Pin::new(&mut self.inner).start_send_unpin(frame);
        pushed.map_err(|error| error.to_string())?;
        let ready = poll_fn(|cx| self.inner.poll_ready_unpin(cx)).now_or_never();
        match ready {
            Some(Ok(())) => Ok(true),
            Some(Err(error)) => Err(error.to_string()),
            None => Ok(false),
        }
    }

    /// Another frame that has come already.
    pub(crate) fn came(&mut self) -> Option<Came> {
        self.inner.next().now_or_never().map(came)
    }

    /// Sends what was handed over, and the end.
    pub(crate) async fn close(&mut self, deadline: Instant) {
        // Whoever is gone already needs no farewell.
        drop(timeout_at(deadline, self.inner.close(None)).await);
    }
}

fn came(came: Option<Result<Message, Error>>) -> Came {
    match came {
        Some(Ok(Message::Binary(bytes))) => Came::Binary(bytes.into()),
        Some(Ok(Message::Text(text))) => Came::Text(text.as_str().to_owned()),
        Some(Ok(Message::Close(None))) => Came::Closed(None),
        Some(Ok(Message::Close(Some(frame)))) => {
            let reason = plain(frame.reason.as_str());
            Came::Closed(Some((frame.code.into(), reason)))
        }
        Some(Ok(_)) => Came::Other,
        Some(Err(error)) => Came::Cut(error.to_string()),
        None => Came::Cut("the connection ended".to_owned()),
    }
}

fn refused(answer: &Response<Option<Vec<u8>>>, now: SystemTime) -> OpenError {
    let status = answer.status().as_u16();
    let date = answer.headers().get("date");
    let date = date.and_then(|date| DateTime::from_str(date.to_str().ok()?, Format::HttpDate).ok());
    let theirs = date.and_then(|date| SystemTime::try_from(date).ok());
    if let Some(theirs) = theirs.filter(|_| matches!(status, 400..=403)) {
        let (off, is_behind) = match theirs.duration_since(now) {
            Ok(off) => (off, true),
            Err(error) => (error.duration(), false),
        };
        if off > SKEW {
            return OpenError::Skew {
                status,
                off: off.as_secs(),
                is_behind,
            };
        }
    }
    let body = answer.body().as_deref().unwrap_or_default();
    OpenError::Refused {
        status,
        said: plain(&String::from_utf8_lossy(body)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{OpenError, refused};
    use std::time::{Duration, SystemTime};
    use tokio_tungstenite::tungstenite::http::Response;

    #[test]
    fn a_clock_that_is_off_is_named_and_one_that_is_not_is_not() {
        let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        // 2026-11-23 09:00:00
        let theirs = 1_795_424_400;
        let answer = |status: u16| {
            Response::builder()
                .status(status)
                .header("date", "Mon, 23 Nov 2026 09:00:00 GMT")
                .body(Some(b"{\"message\":\n \"Signature expired\"}".to_vec()))
                .unwrap()
        };
        let said = |status: u16, now: u64| refused(&answer(status), at(now)).to_string();
        assert_eq!(
            said(403, theirs - 400),
            "the server refused the signature (HTTP 403), and the clock of this machine is 400 s behind"
        );
        assert!(said(403, theirs + 400).ends_with("is 400 s ahead"));
        assert_eq!(
            refused(&answer(403), at(theirs + 5)),
            OpenError::Refused {
                status: 403,
                said: "{\"message\": \"Signature expired\"}".to_owned()
            }
        );
        assert!(said(503, theirs + 400).contains("HTTP 503"));
    }
}
