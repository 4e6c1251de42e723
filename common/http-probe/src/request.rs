use std::error::Error as _;
use std::io;
use std::str::FromStr;

use action::settings::value::Lines;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use crate::url::HttpUrl;

/// An answer longer than this, in bytes, is cut: it is only looked at, never used as data.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Where.
    pub url: &'a HttpUrl,
    /// The program that asks and its version, such as `deploy-app/1.0.0`.
    pub agent: &'a str,
    /// Headers beyond our own; one of them may replace one of ours, such as `Host`.
    pub headers: &'a [Header],
    /// What is sent with it.
    pub content: Content,
}

/// What a request sends, which decides its method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Content {
    /// Nothing: a GET.
    #[default]
    None,
    /// JSON: a POST.
    Json(Vec<u8>),
    /// Bytes without a content type: a PUT. A presigned address of S3 is often signed without one.
    Put(Vec<u8>),
}

impl Content {
    const fn method(&self) -> &'static str {
        match self {
            Self::None => "GET",
            Self::Json(_) => "POST",
            Self::Put(_) => "PUT",
        }
    }

    fn bytes(&self) -> Bytes {
        match self {
            Self::None => Bytes::new(),
            Self::Json(bytes) | Self::Put(bytes) => Bytes::from(bytes.clone()),
        }
    }
}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header `X-Release-Id`, by which an application says which release it is.
    pub release_id: Option<String>,
    /// The body, no longer than [`BODY_LIMIT`].
    pub body: Vec<u8>,
}

/// Why there is no complete answer.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The deadline came first.
    #[error("no complete answer in time")]
    Deadline,
    /// What was answered is no HTTP, or it ended too early.
    #[error("{}", with_causes(.0))]
    Http(#[from] hyper::Error),
    /// The path or a header cannot be sent.
    #[error("{}", with_causes(.0))]
    Unsendable(#[from] hyper::http::Error),
    /// There is no TLS with this server.
    #[error("TLS: {0}")]
    Tls(String),
}

/// Asks once, over a stream on which nothing was said yet. `each` sees the body as it comes and may end the reading by
/// returning false.
///
/// # Errors
/// [`RequestError`], when there is no complete answer before the deadline.
pub async fn request<S>(
    stream: S,
    asked: &Request<'_>,
    deadline: Instant,
    each: &mut (dyn FnMut(&[u8]) -> bool + Send),
) -> Result<Answer, RequestError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    timeout_at(deadline, exchange(stream, asked, each))
        .await
        .unwrap_or(Err(RequestError::Deadline))
}

async fn exchange<S>(
    stream: S,
    asked: &Request<'_>,
    each: &mut (dyn FnMut(&[u8]) -> bool + Send),
) -> Result<Answer, RequestError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let _driver = Driver(tokio::spawn(connection));
    let mut response = sender.send_request(asked.to_http()?).await?;
    let mut answer = Answer {
        status: response.status().as_u16(),
        release_id: response
            .headers()
            .get("x-release-id")
            .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()),
        body: Vec::new(),
    };
    let ends_with_connection = [CONTENT_LENGTH, TRANSFER_ENCODING]
        .iter()
        .all(|name| !response.headers().contains_key(name));
    while let Some(frame) = response.frame().await {
        let frame = match frame {
            // Many servers just close a TLS connection. Where the end of the connection is the end of the body,
            // that is one.
            Err(error) if ends_with_connection && is_unexpected_eof(&error) => break,
            frame => frame?,
        };
        let Some(data) = frame.data_ref() else {
            continue;
        };
        let room = BODY_LIMIT - answer.body.len();
        answer.body.extend_from_slice(&data[..data.len().min(room)]);
        if !each(data) {
            break;
        }
    }
    Ok(answer)
}

fn is_unexpected_eof(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    cause.is_some_and(|cause: &io::Error| cause.kind() == io::ErrorKind::UnexpectedEof)
}

impl Request<'_> {
    /// All headers of the question but `Connection`, for another client that asks in this one's place. Their values may
    /// be secrets.
    ///
    /// # Errors
    /// When the path or a header cannot be sent.
    pub fn all_headers(&self) -> Result<Vec<(String, String)>, RequestError> {
        let request = self.to_http()?;
        let headers = request.headers().iter();
        let headers = headers.filter(|(name, _)| *name != hyper::header::CONNECTION);
        Ok(headers
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect())
    }

    fn to_http(&self) -> Result<hyper::Request<Full<Bytes>>, hyper::http::Error> {
        let mut request = hyper::Request::builder()
            .method(self.content.method())
            .uri(&self.url.path)
            .header("host", self.url.authority())
            .header("user-agent", self.agent)
            .header("accept", "*/*")
            .header("connection", "close");
        if matches!(self.content, Content::Json(_)) {
            request = request.header("content-type", "application/json");
        }
        let mut request = request.body(Full::new(self.content.bytes()))?;
        for Header(name, value) in self.headers {
            request.headers_mut().insert(name, value.clone());
        }
        Ok(request)
    }
}

/// Drives a connection for as long as it lives: an exchange that is given up closes its stream.
struct Driver<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// A header of a question. Its value may be a secret, so neither an error nor `Debug` repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header(HeaderName, HeaderValue);

impl Header {
    /// The `Host` header with this value, where a header can hold it.
    #[must_use]
    pub fn host(value: &str) -> Option<Self> {
        let value = HeaderValue::from_str(value).ok()?;
        Some(Self(hyper::header::HOST, value))
    }

    /// The value, when this is the `Host` header.
    #[must_use]
    pub fn as_host(&self) -> Option<&str> {
        let is_host = self.0 == hyper::header::HOST;
        is_host.then(|| self.1.to_str().ok()).flatten()
    }
}

/// `Name: value`, as HTTP writes it.
impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const UNUSABLE: &str = "not a header such as `Host: app.example.com`";
        let (name, value) = text.split_once(':').ok_or(UNUSABLE)?;
        let name: HeaderName = name.trim().parse().map_err(|_| UNUSABLE)?;
        let mut value: HeaderValue = value.trim().parse().map_err(|_| UNUSABLE)?;
        if matches!(
            name.as_str(),
            "connection" | "content-length" | "transfer-encoding"
        ) {
            return Err("Connection, Content-Length and Transfer-Encoding are the program's own");
        }
        value.set_sensitive(true);
        Ok(Self(name, value))
    }
}

/// Headers as a setting has them: one a line, or a flag given several times.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(pub Vec<Header>);

impl FromStr for Headers {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let Ok(Lines(lines)) = text.parse();
        let headers = lines.iter().map(|line| line.parse());
        headers.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{Answer, Content, Header, Request, RequestError, request};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::Instant;

    async fn ask(
        reply: &'static str,
        headers: &[Header],
    ) -> (Result<Answer, RequestError>, String) {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(theirs.read_u8().await.unwrap());
            }
            theirs.write_all(reply.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let asked = Request {
            url: &"http://127.0.0.1:8001/collection?a=b".parse().unwrap(),
            agent: "probe/1",
            headers,
            content: Content::None,
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        let answer = request(ours, &asked, deadline, &mut |_| true).await;
        (answer, server.await.unwrap())
    }

    /// An address of S3 is signed for one content type, and most often for none.
    #[tokio::test]
    async fn a_put_sends_bytes_and_no_content_type() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"hello") {
                asked.push(theirs.read_u8().await.unwrap());
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            theirs.write_all(answer).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let asked = Request {
            url: &"http://127.0.0.1:8001/key?X-Amz-Signature=1"
                .parse()
                .unwrap(),
            agent: "probe/1",
            headers: &[],
            content: Content::Put(b"hello".to_vec()),
        };
        let deadline = Instant::now() + Duration::from_secs(5);
        let answer = request(ours, &asked, deadline, &mut |_| true).await;
        assert_eq!(answer.unwrap().status, 200);
        let sent = server.await.unwrap();
        assert!(
            sent.starts_with("PUT /key?X-Amz-Signature=1 HTTP/1.1\r\n"),
            "{sent}"
        );
        assert!(sent.contains("content-length: 5\r\n"), "{sent}");
        assert!(!sent.contains("content-type"), "{sent}");
    }

    #[tokio::test]
    async fn answers_are_read_however_their_length_is_told() {
        for reply in [
            "HTTP/1.1 200 OK\r\nX-Release-Id: r1\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nx-release-id: r1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nX-RELEASE-ID:  r1 \r\n\r\nhello",
        ] {
            let (answer, asked) = ask(reply, &[]).await;
            let expected = Answer {
                status: 200,
                release_id: Some("r1".to_owned()),
                body: b"hello".to_vec(),
            };
            assert_eq!(answer.unwrap(), expected, "{reply}");
            let start =
                "GET /collection?a=b HTTP/1.1\r\nhost: 127.0.0.1:8001\r\nuser-agent: probe/1\r\n";
            assert!(asked.starts_with(start), "{asked}");
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for reply in [
            "",
            "SSH-2.0-OpenSSH_9\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        ] {
            let (answer, _) = ask(reply, &[]).await;
            assert!(matches!(answer, Err(RequestError::Http(_))), "{reply}");
        }
    }

    #[tokio::test]
    async fn headers_are_added_and_may_replace_ours() {
        let headers = ["Host: app.example.com", "authorization:Bearer a:b"];
        let headers = headers.map(|header| header.parse().unwrap());
        let (_, asked) = ask("HTTP/1.1 204 No Content\r\n\r\n", &headers).await;
        assert!(asked.contains("\r\nhost: app.example.com\r\n"), "{asked}");
        assert_eq!(asked.matches("host:").count(), 1, "{asked}");
        assert!(
            asked.contains("\r\nauthorization: Bearer a:b\r\n"),
            "{asked}"
        );
        assert_eq!(headers[0].as_host(), Some("app.example.com"));
        assert_eq!(headers[1].as_host(), None);
        assert!(!format!("{headers:?}").contains("Bearer"));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for text in [
            "",
            "Host",
            "a b: c",
            ": x",
            "x: a\nb: c",
            "Content-Length: 3",
        ] {
            assert!(text.parse::<Header>().is_err(), "{text}");
        }
    }
}
