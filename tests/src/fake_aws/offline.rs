//! The fake without a socket: an HTTP client that turns the AWS SDK's requests into the fake's.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::ErrorKind;
use http_body_util::{BodyExt as _, Full, Limited};

use super::http::Raw;
use super::reply::{Answer, Sent};
use super::{Request, Shared};

pub(super) fn client(shared: &Arc<Shared>) -> SharedHttpClient {
    SharedHttpClient::new(Client(Arc::clone(shared)))
}

struct Client(Arc<Shared>);

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeAws")
    }
}

impl HttpClient for Client {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            shared: Arc::clone(&self.0),
            read_timeout: settings.read_timeout(),
        })
    }
}

#[derive(Clone)]
struct Connector {
    shared: Arc<Shared>,
    /// From the request to the head of the answer, as the SDK's own client counts it.
    read_timeout: Option<Duration>,
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("read_timeout", &self.read_timeout)
            .finish_non_exhaustive()
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self {
            shared,
            read_timeout,
        } = self.clone();
        HttpConnectorFuture::new(async move {
            let Some(limit) = read_timeout else {
                return answer(&shared, request).await;
            };
            let late = |_| {
                let outer = format!("HTTP read timeout occurred after {limit:?}");
                ConnectorError::timeout(Failure::of([outer, "timed out".to_owned()]).into())
            };
            tokio::time::timeout(limit, answer(&shared, request))
                .await
                .map_err(late)?
        })
    }
}

/// An error in the words of the SDK's own client, with the cause in its words.
#[derive(Debug)]
struct Failure {
    message: String,
    cause: Option<Box<Failure>>,
}

impl Failure {
    fn of<M: Into<String>>([message, cause]: [M; 2]) -> Self {
        Self {
            message: message.into(),
            cause: Some(Box::new(Self {
                message: cause.into(),
                cause: None,
            })),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}

async fn answer(shared: &Shared, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let raw = raw(request).await?;
    let (request, reply) = shared.decide(Request::from(raw, shared.started.elapsed()));
    if reply.delay.is_zero() {
        // Whoever else is ready, such as a signal's handler, has a turn as with a socket.
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(reply.delay).await;
    }
    let is_head = request.method == "HEAD";
    match reply.deed.sent(&request) {
        Sent::Whole(answer) | Sent::Unframed(answer) => Ok(response(answer, is_head, None)),
        Sent::Part(answer, sent) => Ok(response(answer, is_head, Some(sent))),
        // The kind that the SDK's own client gives to hyper's error of the same words.
        Sent::Nothing => Err(ConnectorError::other(
            Failure::of([
                "client error (SendRequest)",
                "connection closed before message completed",
            ])
            .into(),
            Some(ErrorKind::TransientError),
        )),
    }
}

/// The request as it would have come over the wire.
async fn raw(request: HttpRequest) -> Result<Raw, ConnectorError> {
    let method = request.method().to_owned();
    let address = request.uri().to_owned();
    let mut headers: Vec<(String, String)> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let after_scheme = address
        .split_once("://")
        .map_or(&*address, |(_, rest)| rest);
    let at = after_scheme.find(['/', '?']).unwrap_or(after_scheme.len());
    let (host, target) = after_scheme.split_at(at);
    if !headers.iter().any(|(name, _)| name == "host") {
        headers.push(("host".to_owned(), host.to_owned()));
    }
    let body = ByteStream::new(request.into_body()).collect().await;
    let mut raw = Raw {
        method,
        target: if target.starts_with('/') {
            target.to_owned()
        } else {
            format!("/{target}")
        },
        headers,
        body: body
            .map_err(|error| ConnectorError::user(error.into()))?
            .to_vec(),
    };
    raw.join_aws_chunks()
        .map_err(|error| ConnectorError::user(error.into()))?;
    Ok(raw)
}

/// The answer as the SDK's own client hands it on, with the body whole or broken after `sent`
/// bytes.
fn response(answer: Answer, is_head: bool, sent: Option<usize>) -> HttpResponse {
    let status = StatusCode::try_from(answer.status).expect("a status of HTTP");
    let length = answer.body.len();
    let body = match sent {
        _ if is_head => SdkBody::empty(),
        Some(sent) if sent < length => {
            let cut = Limited::new(Full::from(answer.body), sent).map_err(|_| {
                Failure::of([
                    "error reading a body from connection",
                    "end of file before message length reached",
                ])
            });
            SdkBody::from_body_1_x(cut)
        }
        _ => SdkBody::from(answer.body),
    };
    let mut response = HttpResponse::new(status, body);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        headers.append(name, value);
    }
    if !headers.contains_key("content-length") {
        headers.append("content-length", length.to_string());
    }
    response
}
