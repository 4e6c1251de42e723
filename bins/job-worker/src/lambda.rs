//! The worker as a Lambda function: the custom runtime, and a job for each event.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use crate::child::Programs;
use crate::job::Job;
use crate::worker::{Stopping, Worker};
use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// What a function keeps of its time for handing a job back and answering.
const RESERVE: Duration = Duration::from_secs(25);

/// The runtime's side of a function, at `AWS_LAMBDA_RUNTIME_API`.
pub(crate) struct Runtime {
    address: String,
}

/// An event.
struct Event {
    request_id: String,
    /// When the function must have answered.
    deadline: Instant,
    body: Bytes,
}

impl Runtime {
    pub(crate) fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
        }
    }

    /// Answers events until the function is frozen for good, or until a signal comes: then the job in hand is handed
    /// back, within the time for a stop. Lambda sends SIGTERM before it ends a function that has extensions.
    ///
    /// # Errors
    /// When the runtime's API cannot be spoken with.
    pub(crate) async fn serve<P: Programs>(
        &self,
        worker: &Worker<P>,
        tell: &watch::Sender<Stopping>,
        interrupt: &Interrupt,
    ) -> Result<(), Failure> {
        loop {
            let Ok(event) = interrupt.race(self.next()).await else {
                return Ok(());
            };
            let event = event?;
            let job = match Job::of_event(&event.body) {
                Ok(job) => job,
                Err(error) => {
                    tracing::error!(
                        "this is not the event of a CodePipeline invoke action: {error}"
                    );
                    let text = "not the event of a CodePipeline invoke action";
                    self.fail(&event.request_id, text).await?;
                    continue;
                }
            };
            tell.send_replace(Stopping::No);
            let hand_back = event
                .deadline
                .checked_sub(RESERVE)
                .unwrap_or(event.deadline);
            let mut work = std::pin::pin!(worker.given(job));
            tokio::select! {
                () = &mut work => {}
                () = tokio::time::sleep_until(hand_back) => {
                    tell.send_replace(Stopping::Now);
                    work.await;
                }
                _ = interrupt.signalled() => {
                    tell.send_replace(Stopping::Now);
                    return match timeout(worker.manner.stop_within, work).await {
                        Ok(()) => Ok(()),
                        Err(_) => Err(Failure::new(
                            Exit::Terminated,
                            "stopped before the job was reported",
                        )),
                    };
                }
            }
            let path = format!(
                "/2018-06-01/runtime/invocation/{}/response",
                event.request_id
            );
            self.send(Method::POST, &path, "null".to_owned()).await?;
        }
    }

    async fn next(&self) -> Result<Event, Failure> {
        let path = "/2018-06-01/runtime/invocation/next";
        let (head, body) = self.send(Method::GET, path, String::new()).await?;
        let header = |name: &str| head.get(name).and_then(|value| value.to_str().ok());
        let request_id = header("lambda-runtime-aws-request-id").unwrap_or_default();
        let deadline = header("lambda-runtime-deadline-ms").and_then(|text| text.parse().ok());
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let left = Duration::from_millis(deadline.unwrap_or(u64::MAX)).saturating_sub(now);
        Ok(Event {
            request_id: request_id.to_owned(),
            deadline: Instant::now() + left.min(Duration::from_secs(900)),
            body,
        })
    }

    async fn fail(&self, request_id: &str, message: &str) -> Result<(), Failure> {
        let path = format!("/2018-06-01/runtime/invocation/{request_id}/error");
        let body = json!({ "errorMessage": message, "errorType": "Event" }).to_string();
        self.send(Method::POST, &path, body).await.map(drop)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(hyper::HeaderMap, Bytes), Failure> {
        let asked = async {
            let stream = TcpStream::connect(&self.address).await?;
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", &self.address)
                .header("content-type", "application/json")
                .body(Full::new(Bytes::from(body)))?;
            let answer = sender.send_request(request).await?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            connection.abort();
            match head.status.is_success() {
                true => Ok((head.headers, body)),
                false => Err(format!("it answers {}", head.status).into()),
            }
        };
        asked
            .await
            .map_err(|error: Box<dyn std::error::Error + Send + Sync>| {
                Failure::failed(format!(
                    "cannot speak with the Lambda runtime at {}",
                    self.address
                ))
                .cause(error)
            })
    }
}
