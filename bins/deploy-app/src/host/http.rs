//! Plain HTTP over a stream, usually a connection forwarded by the host: hosts and images often
//! have no curl, and the service then answers from where it is used.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

/// An `http://` address, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// The host, as the deployed-to host resolves it.
    pub host: String,
    /// The port, 80 unless said otherwise.
    pub port: u16,
    /// Path and query, with the leading slash.
    pub path: String,
}

impl HttpUrl {
    /// Reads an `http://host[:port][/path]` address.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text
            .strip_prefix("http://")
            .ok_or_else(|| format!("`{text}` does not start with `http://` (it is asked from the host itself, without TLS)"))?;
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let path = path.split('#').next().unwrap_or("/");
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(format!("`{text}` has blanks in it"));
        }
        let with_port = if authority.ends_with(']') || !authority.contains(':') {
            format!("{authority}:80")
        } else {
            authority.to_owned()
        };
        let address = with_port
            .parse::<ssh::Address>()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            host: address.host,
            port: address.port,
            path,
        })
    }

    /// The same server, another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    fn authority(&self) -> String {
        ssh::Address {
            host: self.host.clone(),
            port: self.port,
        }
        .to_string()
    }
}

impl std::fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
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

/// An answer longer than this, in bytes, is cut: it is only looked at, never used as data.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Asks once. With `body` it is a POST of JSON, without a GET. `each` sees the body as it comes and
/// may end the reading by returning false.
///
/// # Errors
/// In words, when there is no complete answer before the deadline.
pub async fn request<S>(
    stream: S,
    url: &HttpUrl,
    body: Option<Vec<u8>>,
    deadline: Instant,
    each: &mut (dyn FnMut(&[u8]) -> bool + Send),
) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let exchange = async {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let _driver = Driver(tokio::spawn(connection));
        let method = if body.is_some() { "POST" } else { "GET" };
        let request = hyper::Request::builder()
            .method(method)
            .uri(&url.path)
            .header("host", url.authority())
            .header(
                "user-agent",
                concat!("deploy-app/", env!("CARGO_PKG_VERSION")),
            )
            .header("accept", "*/*")
            .header("connection", "close");
        let request = match &body {
            Some(_) => request.header("content-type", "application/json"),
            None => request,
        };
        let request = request.body(Full::new(Bytes::from(body.unwrap_or_default())))?;
        let mut response = sender.send_request(request).await?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            release_id: response
                .headers()
                .get("x-release-id")
                .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned()),
            body: Vec::new(),
        };
        while let Some(frame) = response.frame().await {
            let frame = frame?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            let room = BODY_LIMIT - answer.body.len();
            answer.body.extend_from_slice(&data[..data.len().min(room)]);
            if !each(data) {
                break;
            }
        }
        Ok::<Answer, Box<dyn std::error::Error + Send + Sync>>(answer)
    };
    match timeout_at(deadline, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(with_causes(error.as_ref())),
        Err(_) => Err("no complete answer in time".to_owned()),
    }
}

/// Drives a connection for as long as it lives: an exchange that is given up closes its stream.
struct Driver<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Driver<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
    use super::{Answer, HttpUrl, request};
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    async fn ask(reply: &'static str) -> (Result<Answer, String>, String) {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let server = tokio::spawn(async move {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(theirs.read_u8().await.unwrap());
            }
            theirs.write_all(reply.as_bytes()).await.unwrap();
            String::from_utf8(asked).unwrap()
        });
        let url = HttpUrl::parse("http://127.0.0.1:8001/collection?a=b").unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        let answer = request(ours, &url, None, deadline, &mut |_| true).await;
        (answer, server.await.unwrap())
    }

    #[tokio::test]
    async fn answers_are_read_however_their_length_is_told() {
        for reply in [
            "HTTP/1.1 200 OK\r\nX-Release-Id: r1\r\nContent-Length: 5\r\n\r\nhello",
            "HTTP/1.1 200 OK\r\nx-release-id: r1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\nX-RELEASE-ID:  r1 \r\n\r\nhello",
        ] {
            let (answer, asked) = ask(reply).await;
            let expected = Answer {
                status: 200,
                release_id: Some("r1".to_owned()),
                body: b"hello".to_vec(),
            };
            assert_eq!(answer, Ok(expected), "{reply}");
            assert!(
                asked.starts_with("GET /collection?a=b HTTP/1.1\r\nhost: 127.0.0.1:8001\r\n"),
                "{asked}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_an_error() {
        for reply in [
            "",
            "SSH-2.0-OpenSSH_9\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello",
        ] {
            assert!(ask(reply).await.0.is_err(), "{reply}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        for (text, expected) in [
            (
                "http://127.0.0.1:8001/collection",
                "http://127.0.0.1:8001/collection",
            ),
            ("http://localhost", "http://localhost:80/"),
            ("http://[::1]:80?x", "http://[::1]:80/?x"),
            ("http://h/a#frag", "http://h:80/a"),
        ] {
            assert_eq!(
                HttpUrl::parse(text).map(|url| url.to_string()),
                Ok(expected.to_owned())
            );
        }
        for text in [
            "",
            "127.0.0.1:80",
            "https://h/",
            "http://",
            "http://h:0/",
            "http://h/a b",
        ] {
            assert!(HttpUrl::parse(text).is_err(), "{text}");
        }
    }
}
