//! A server on this machine's loopback for one worker: the job API, the artifacts of its job as objects in S3, and, for
//! a function, Lambda's runtime API. Whatever else is asked finds a closed door: AWS itself is not asked.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::job_api::{JobApi, Refused, Reported};

/// The bucket of the artifacts.
pub(crate) const BUCKET: &str = "run-pipeline-artifacts";

/// The longest head of a request, and the longest body that is no artifact, in bytes.
const MOST: usize = 4 << 20;

/// How long a function may take for one event:
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const FUNCTION_WITHIN: Duration = Duration::from_secs(900);

/// The paths of Lambda's runtime API:
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
const INVOCATION: &str = "/2018-06-01/runtime/invocation/";

/// What is served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) api: JobApi,
    /// The access key id of the worker, which alone may use the job API.
    pub(crate) worker_key: String,
    /// The access key id of the job, which alone may use its artifacts.
    pub(crate) job_key: String,
    /// The files of input artifacts, by the key of their object.
    pub(crate) inputs: BTreeMap<String, PathBuf>,
    /// Where output artifacts are written, in the same way.
    pub(crate) outputs: BTreeMap<String, PathBuf>,
    pub(crate) is_function: bool,
}

/// The server. It serves as long as [`JobServer::serve`] is awaited.
pub(crate) struct JobServer {
    listener: TcpListener,
    shared: Arc<Shared>,
}

struct Shared {
    api: Mutex<JobApi>,
    served: Served,
    reported: watch::Sender<Option<Reported>>,
    queued: Notify,
}

/// A request as far as it matters.
struct Request {
    method: String,
    path: String,
    /// `X-Amz-Target`.
    target: String,
    /// The access key id, and the service that was signed for.
    key: String,
    service: String,
    length: u64,
    /// A body in pieces, of which nothing here has a use.
    is_in_pieces: bool,
    waits: bool,
}

enum Answer {
    Text(u16, &'static str, Vec<(&'static str, String)>, String),
    File(PathBuf),
}

impl JobServer {
    pub(crate) async fn bind(mut served: Served) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let api = std::mem::replace(&mut served.api, JobApi::new(Value::Null));
        let shared = Arc::new(Shared {
            api: Mutex::new(api),
            served,
            reported: watch::channel(None).0,
            queued: Notify::new(),
        });
        Ok(Self { listener, shared })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The execution stops.
    pub(crate) fn give_up(&self) {
        self.shared.api().give_up();
    }

    /// Waits for what ends the action.
    pub(crate) async fn reported(&self) -> Reported {
        let mut reported = self.shared.reported.subscribe();
        loop {
            if let Some(reported) = reported.borrow_and_update().clone() {
                return reported;
            }
            // The sender is this server's.
            drop(reported.changed().await);
        }
    }

    /// Serves until it is no longer awaited; then every connection ends.
    pub(crate) async fn serve(&self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let shared = Arc::clone(&self.shared);
                        connections.spawn(async move { shared.answer(stream).await });
                    }
                    Err(error) => {
                        tracing::warn!("cannot take a connection: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

impl Shared {
    fn api(&self) -> MutexGuard<'_, JobApi> {
        self.api.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers the one request of a connection. Whoever asks hears of a fault by the end of the connection.
    async fn answer(&self, mut stream: TcpStream) {
        if let Err(error) = self.exchange(&mut stream).await {
            tracing::debug!("job server: {error}");
        }
    }

    async fn exchange(&self, stream: &mut TcpStream) -> io::Result<()> {
        let (request, begun) = head(stream).await?;
        if request.waits {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let answer = match self.upload(&request) {
            Some(file) => receive(stream, &request, &begun, &file).await?,
            None => {
                let body = body(stream, &request, begun).await?;
                self.decide(&request, &body).await
            }
        };
        send(stream, answer).await
    }

    /// Where the object of a request goes, if it is an upload.
    fn upload(&self, request: &Request) -> Option<PathBuf> {
        let is_job = request.key == self.served.job_key && request.method == "PUT";
        let found = self.served.outputs.get(object(&request.path)?);
        found.filter(|_| is_job && !request.is_in_pieces).cloned()
    }

    async fn decide(&self, request: &Request, body: &[u8]) -> Answer {
        if let Some(rest) = request.path.strip_prefix(INVOCATION)
            && self.served.is_function
        {
            return self.runtime(rest, body).await;
        }
        if request.key == self.served.worker_key && request.service == "codepipeline" {
            return self.call(request, body);
        }
        if request.key == self.served.job_key {
            let file = object(&request.path).and_then(|key| self.served.inputs.get(key));
            return match file.filter(|_| request.method == "GET") {
                Some(file) => Answer::File(file.clone()),
                None => refusal(request, "AccessDenied", "the job has no such artifact"),
            };
        }
        refusal(
            request,
            "AccessDenied",
            "AWS itself would be asked: allow it with --allow-aws, or name an emulator's endpoint with AWS_ENDPOINT_URL",
        )
    }

    fn call(&self, request: &Request, body: &[u8]) -> Answer {
        let called = self.api().call(&request.target, body);
        match called {
            Ok((answer, reported)) => {
                self.queued.notify_one();
                if reported.is_some() {
                    self.reported.send_replace(reported);
                }
                text(200, "application/x-amz-json-1.1", answer.to_string())
            }
            Err(Refused(code, message)) => refusal(request, code, &message),
        }
    }

    /// Lambda's runtime API: the next event, and what the function says of one.
    async fn runtime(&self, rest: &str, body: &[u8]) -> Answer {
        if rest == "next" {
            loop {
                let next = self.api().invoke();
                if let Some((id, event)) = next {
                    let until = SystemTime::now() + FUNCTION_WITHIN;
                    let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
                    let headers = vec![
                        ("Lambda-Runtime-Aws-Request-Id", id),
                        ("Lambda-Runtime-Deadline-Ms", until.as_millis().to_string()),
                    ];
                    return Answer::Text(200, "application/json", headers, event.to_string());
                }
                self.queued.notified().await;
            }
        }
        // CodePipeline would wait for the report until the action's time is over.
        if self.api().is_in_progress() {
            let message = match rest.ends_with("/error") {
                true => String::from_utf8_lossy(body).into_owned(),
                false => "the function answered and reported nothing of its job".to_owned(),
            };
            self.reported.send_replace(Some(Reported::Failed {
                kind: "JobFailed".to_owned(),
                message,
                external_id: None,
            }));
        }
        text(202, "application/json", "{}".to_owned())
    }
}

/// The key of an object of the bucket.
fn object(path: &str) -> Option<&str> {
    path.strip_prefix('/')?
        .strip_prefix(BUCKET)?
        .strip_prefix('/')
}

/// Reads the head of a request; gives the begin of its body too.
async fn head(stream: &mut TcpStream) -> io::Result<(Request, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 || bytes.len() > MOST {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        let length = match parsed.parse(&bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => continue,
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        let header = |name: &str| {
            let found = parsed.headers.iter();
            let mut found = found.filter(|one| one.name.eq_ignore_ascii_case(name));
            let value = found.next().map(|one| String::from_utf8_lossy(one.value));
            value.map_or_else(String::new, |value| value.into_owned())
        };
        // `… Credential=KEY/20260101/eu-west-1/s3/aws4_request, …`
        let signed = header("authorization");
        let scope = signed
            .split_once("Credential=")
            .map_or("", |(_, rest)| rest);
        let mut scope = scope.split('/');
        let (key, service) = (scope.next(), scope.nth(2));
        let whole = parsed.path.unwrap_or("/");
        let request = Request {
            method: parsed.method.unwrap_or("GET").to_owned(),
            path: whole.split('?').next().unwrap_or(whole).to_owned(),
            target: header("x-amz-target"),
            key: key.unwrap_or_default().to_owned(),
            service: service.unwrap_or_default().to_owned(),
            length: header("content-length").parse().unwrap_or(0),
            is_in_pieces: !header("transfer-encoding").is_empty()
                || header("content-encoding").contains("aws-chunked"),
            waits: header("expect").eq_ignore_ascii_case("100-continue"),
        };
        return Ok((request, bytes.split_off(length)));
    }
}

async fn body(stream: &mut TcpStream, request: &Request, begun: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = begun;
    let length = usize::try_from(request.length).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(io::Error::other("a body that is not used here"));
    }
    while body.len() < length {
        if stream.read_buf(&mut body).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(body)
}

/// Writes the body of an upload to a file, which is whole or not there.
async fn receive(
    stream: &mut TcpStream,
    request: &Request,
    begun: &[u8],
    file: &PathBuf,
) -> io::Result<Answer> {
    let part = file.with_extension("part");
    let mut written = tokio::fs::File::create(&part).await?;
    written.write_all(begun).await?;
    let rest = request.length.saturating_sub(begun.len() as u64);
    let copied = tokio::io::copy(&mut stream.take(rest), &mut written).await?;
    written.flush().await?;
    if copied < rest {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    tokio::fs::rename(&part, file).await?;
    let headers = vec![("ETag", "\"run-pipeline\"".to_owned())];
    Ok(Answer::Text(200, "application/xml", headers, String::new()))
}

fn text(status: u16, kind: &'static str, body: String) -> Answer {
    Answer::Text(status, kind, Vec::new(), body)
}

/// An error in the form that the client of the service reads.
fn refusal(request: &Request, code: &str, message: &str) -> Answer {
    let is_json = !request.target.is_empty();
    if is_json
        || !matches!(
            request.service.as_str(),
            "s3" | "ec2" | "sts" | "cloudformation"
        )
    {
        let headers = vec![("x-amzn-ErrorType", code.to_owned())];
        let body = json!({ "__type": code, "message": message }).to_string();
        let status = if code.starts_with("AccessDenied") {
            403
        } else {
            400
        };
        return Answer::Text(status, "application/x-amz-json-1.1", headers, body);
    }
    let error = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let body = match request.service.as_str() {
        "s3" => error,
        "ec2" => format!("<Response><Errors>{error}</Errors><RequestID>-</RequestID></Response>"),
        _ => format!("<ErrorResponse>{error}<RequestId>-</RequestId></ErrorResponse>"),
    };
    text(403, "application/xml", body)
}

async fn send(stream: &mut TcpStream, answer: Answer) -> io::Result<()> {
    let head = |status: u16, kind: &str, length: u64| {
        format!(
            "HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n"
        )
    };
    match answer {
        Answer::Text(status, kind, headers, body) => {
            let mut text = head(status, kind, body.len() as u64);
            for (name, value) in headers {
                text.push_str(&format!("{name}: {value}\r\n"));
            }
            text.push_str("\r\n");
            text.push_str(&body);
            stream.write_all(text.as_bytes()).await?;
        }
        Answer::File(file) => {
            let mut file = tokio::fs::File::open(file).await?;
            let length = file.metadata().await?.len();
            let text = head(200, "application/zip", length) + "\r\n";
            stream.write_all(text.as_bytes()).await?;
            tokio::io::copy(&mut file, stream).await?;
        }
    }
    stream.shutdown().await?;
    // What was not read would have the answer thrown away with the connection.
    let rest = async { while matches!(stream.read(&mut [0; 8192]).await, Ok(1..)) {} };
    drop(timeout(Duration::from_secs(2), rest).await);
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::BTreeMap;

    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::{BUCKET, JobApi, JobServer, Served};

    /// Asks as the owner of a key; gives the whole answer.
    async fn ask(server: &JobServer, key: &str, service: &str, line: &str, more: &str) -> String {
        let asking = async {
            let mut stream = TcpStream::connect(server.address().unwrap()).await.unwrap();
            let head = format!(
                "{line} HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-1/{service}/aws4_request, Signature=0\r\n{more}"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        tokio::select! {
            never = server.serve() => match never {},
            answer = asking => answer,
        }
    }

    #[tokio::test]
    async fn each_key_opens_its_own_door_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("in.zip"), folder.path().join("out.zip"));
        std::fs::write(&input, "the input").unwrap();
        let server = JobServer::bind(Served {
            api: JobApi::new(json!({"actionTypeId": {"provider": "P"}})),
            worker_key: "WORKER".to_owned(),
            job_key: "JOB".to_owned(),
            inputs: BTreeMap::from([("in/A.zip".to_owned(), input)]),
            outputs: BTreeMap::from([("out/B.zip".to_owned(), output.clone())]),
            is_function: false,
        })
        .await
        .unwrap();
        let get = format!("GET /{BUCKET}/in/A.zip?x-id=GetObject");
        let answer = ask(&server, "JOB", "s3", &get, "\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nthe input"),
            "{answer}"
        );
        let put = format!("PUT /{BUCKET}/out/B.zip");
        let whole = "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nxyz";
        for key in ["WORKER", "AKIAIOSFODNN7EXAMPLE", ""] {
            for line in [&get, &put] {
                let answer = ask(&server, key, "s3", line, whole).await;
                assert!(
                    answer.contains("<Code>AccessDenied</Code>"),
                    "{key}: {answer}"
                );
            }
        }
        assert!(!output.exists());
        let answer = ask(&server, "JOB", "s3", &put, whole).await;
        assert!(answer.contains("HTTP/1.1 200"), "{answer}");
        assert_eq!(std::fs::read(&output).unwrap(), b"xyz");
        for path in ["in/../in/A.zip", "in/B.zip", "out/B.zip", ""] {
            let line = format!("GET /{BUCKET}/{path}");
            let answer = ask(&server, "JOB", "s3", &line, "\r\n").await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
        }
        let poll = "X-Amz-Target: CodePipeline_20150709.PollForJobs\r\nContent-Length: 35\r\n\r\n{\"actionTypeId\": {\"provider\": \"P\"}}";
        let answer = ask(&server, "JOB", "codepipeline", "POST /", poll).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        let answer = ask(&server, "WORKER", "codepipeline", "POST /", poll).await;
        assert!(answer.contains("\"nonce\":\"1\""), "{answer}");
        let next = "GET /2018-06-01/runtime/invocation/next";
        let answer = ask(&server, "WORKER", "", next, "\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_artifact() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("out.zip");
        let server = JobServer::bind(Served {
            api: JobApi::new(json!({})),
            worker_key: "WORKER".to_owned(),
            job_key: "JOB".to_owned(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::from([("out/B.zip".to_owned(), output.clone())]),
            is_function: false,
        })
        .await
        .unwrap();
        let asking = async {
            let mut stream = TcpStream::connect(server.address().unwrap()).await.unwrap();
            let head = format!(
                "PUT /{BUCKET}/out/B.zip HTTP/1.1\r\nAuthorization: AWS4-HMAC-SHA256 Credential=JOB/1/r/s3/aws4_request\r\nContent-Length: 9\r\n\r\nhalf"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "");
        };
        tokio::select! {
            never = server.serve() => match never {},
            () = asking => {}
        }
        assert!(!output.exists());
    }
}
