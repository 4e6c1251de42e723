//! The SSM agent of an instance, with the message gateway before it: sessions to a port of this machine.

mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_types::base64;
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Mutex as AsyncMutex;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use self::session::{KMS_BLOB, KMS_PLAIN, Session};
use super::Served;
use super::network::Faults;
use crate::{FakeAws, Reply};

/// How an agent behaves.
#[derive(Debug, Clone)]
pub struct Behaviour {
    /// What the network does.
    pub faults: Faults,
    /// Acknowledgements wait for so long.
    pub acknowledges_after: Duration,
    /// It wants a pause after so many messages of the client, again and again.
    pub pauses_every: Option<u64>,
    /// The session is to be encrypted with this KMS key.
    pub kms_key: Option<String>,
    /// What it calls the session.
    pub session_type: String,
    /// It asks for this too.
    pub action: Option<String>,
    /// It closes the channel with this text, once the client has sent so many bytes of the stream.
    pub closes: Option<(usize, String)>,
    /// It closes the channel with this text when the handshake was refused.
    pub refusal: String,
    /// Nothing answers at its port.
    pub is_alone: bool,
    /// Whether a session can be resumed.
    pub resumes: bool,
    /// Each connection begins with `start_publication`. When AWS sends it is not known; PyPI's `aws-ssm-bridge` takes it for
    /// the end of the handshake, and sends bytes of the stream too early.
    pub greets: bool,
    /// The stream begins without a handshake, as that of a shell does.
    pub is_shell: bool,
    /// It takes no message with a wrong digest. Real agents do not look at digests (amazon-ssm-agent 3.3, `Validate` in
    /// `agent/session/contracts/agentmessage.go`), but nothing spoils their messages on the way either.
    pub judges_digests: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            faults: Faults::default(),
            acknowledges_after: Duration::ZERO,
            pauses_every: None,
            kms_key: None,
            session_type: "Port".to_owned(),
            action: None,
            closes: None,
            refusal: "the handshake was refused".to_owned(),
            is_alone: false,
            resumes: true,
            greets: true,
            is_shell: false,
            judges_digests: true,
        }
    }
}

/// What an agent knows of its sessions.
#[derive(Default)]
struct Book {
    tokens: HashMap<String, String>,
    sessions: HashMap<String, Arc<AsyncMutex<Session>>>,
    terminated: Vec<String>,
    requests: Vec<(String, Option<String>)>,
    flags: Vec<u32>,
    connections: usize,
}

/// The running agent.
pub struct Agent {
    /// Where it takes websockets: scheme, name and port.
    origin: String,
    book: Arc<Mutex<Book>>,
    behaviour: Behaviour,
    _served: Served,
}

impl Agent {
    /// Starts one that leads to `port`.
    ///
    /// # Panics
    /// When no port can be opened.
    pub fn start(port: u16, behaviour: &Behaviour) -> Self {
        Self::listen(port, behaviour, None)
    }

    /// Starts one whose websockets are at [`Agent::TLS_NAME`], with the certificate of `aws`, which speaks TLS.
    ///
    /// # Panics
    /// When `aws` speaks no TLS, or no port can be opened.
    pub fn start_tls(aws: &FakeAws, port: u16, behaviour: &Behaviour) -> Self {
        let config = aws.server_config().expect("the fake must speak TLS");
        Self::listen(port, behaviour, Some(TlsAcceptor::from(config)))
    }

    /// The service's own name, for clients that send their token nowhere else.
    pub const TLS_NAME: &str = "ssmmessages.eu-west-1.amazonaws.com";

    fn listen(port: u16, behaviour: &Behaviour, acceptor: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("no free port");
        listener.set_nonblocking(true).expect("it cannot be set");
        let address = listener.local_addr().expect("it is bound");
        let origin = match acceptor {
            Some(_) => format!("wss://{}:{}", Self::TLS_NAME, address.port()),
            None => format!("ws://{address}"),
        };
        let book = Arc::new(Mutex::new(Book::default()));
        let (known, how) = (Arc::clone(&book), behaviour.clone());
        let served = Served::start(move || async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                drop(stream.set_nodelay(true));
                let (book, behaviour) = (Arc::clone(&known), how.clone());
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => gateway(stream, port, book, behaviour).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                gateway(stream, port, book, behaviour).await;
                            }
                        }
                    }
                });
            }
        });
        Self {
            origin,
            book,
            behaviour: behaviour.clone(),
            _served: served,
        }
    }

    /// Has `aws` start, resume and end sessions with this agent, and list it as online.
    pub fn serve(&self, aws: &FakeAws) {
        let origin = self.origin.clone();
        let session = move |id: &str, token: &str| {
            let url = format!("{origin}/v1/data-channel/{id}?role=publish_subscribe");
            Reply::json(&json!({"SessionId": id, "StreamUrl": url, "TokenValue": token}))
        };
        let again = session.clone();
        let book = Arc::clone(&self.book);
        aws.on_call("ssm:StartSession", move |request| {
            let asked = request.json();
            let is_ssh = asked["DocumentName"] == "AWS-StartSSHSession"
                && asked["Parameters"]["portNumber"] == json!(["22"]);
            if !is_ssh {
                return Reply::error(400, "InvalidDocument", "the document is another");
            }
            let mut book = book.lock().unwrap();
            let id = format!("build-{:017x}", book.tokens.len());
            let token = format!("token-{}", fastrand::u64(..));
            book.tokens.insert(id.clone(), token.clone());
            session(&id, &token)
        });
        let (book, resumes) = (Arc::clone(&self.book), self.behaviour.resumes);
        aws.on_call("ssm:ResumeSession", move |request| {
            let id = request.json()["SessionId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let mut book = book.lock().unwrap();
            if !resumes || !book.tokens.contains_key(&id) || book.terminated.contains(&id) {
                return Reply::error(400, "DoesNotExistException", "there is no such session");
            }
            let token = format!("token-{}", fastrand::u64(..));
            book.tokens.insert(id.clone(), token.clone());
            again(&id, &token)
        });
        let book = Arc::clone(&self.book);
        aws.on_call("ssm:TerminateSession", move |request| {
            let id = request.json()["SessionId"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            book.lock().unwrap().terminated.push(id.clone());
            Reply::json(&json!({"SessionId": id}))
        });
        aws.on_call("ssm:DescribeInstanceInformation", |request| {
            let id = request.json()["Filters"][0]["Values"][0].clone();
            Reply::json(&json!({"InstanceInformationList": [
                {"InstanceId": id, "PingStatus": "Online", "AgentVersion": "3.3.3572.0"}
            ]}))
        });
        if self.behaviour.kms_key.is_some() {
            aws.on_call("kms:GenerateDataKey", |request| {
                let asked = request.json();
                let context = &asked["EncryptionContext"];
                let is_whole = asked["NumberOfBytes"] == 64
                    && context["aws:ssm:SessionId"].is_string()
                    && context["aws:ssm:TargetId"].is_string();
                if !is_whole {
                    return Reply::error(400, "ValidationException", "it is for another purpose");
                }
                Reply::json(&json!({
                    "KeyId": asked["KeyId"],
                    "Plaintext": base64::encode(KMS_PLAIN),
                    "CiphertextBlob": base64::encode(KMS_BLOB),
                }))
            });
        }
    }

    /// Where it takes websockets, for clients that are told.
    pub fn url(&self, session: &str) -> String {
        format!("{}/v1/data-channel/{session}", self.origin)
    }

    /// Opens a session by hand; gives its id and token.
    pub fn session(&self) -> (String, String) {
        let mut book = self.book.lock().unwrap();
        let id = format!("hand-{}", book.tokens.len());
        book.tokens.insert(id.clone(), "token-by-hand".to_owned());
        (id, "token-by-hand".to_owned())
    }

    /// The sessions that were started and not terminated.
    pub fn left_open(&self) -> Vec<String> {
        let book = self.book.lock().unwrap();
        let all = book.tokens.keys();
        all.filter(|id| !book.terminated.contains(id))
            .cloned()
            .collect()
    }

    /// How many websockets were opened with a good token.
    pub fn connections(&self) -> usize {
        self.book.lock().unwrap().connections
    }

    /// The requests for websockets: the address and the `Authorization` header.
    pub fn requests(&self) -> Vec<(String, Option<String>)> {
        self.book.lock().unwrap().requests.clone()
    }

    /// The flags that clients sent.
    pub fn flags(&self) -> Vec<u32> {
        self.book.lock().unwrap().flags.clone()
    }
}

/// Takes a websocket, and the token that says which session it is for.
#[allow(clippy::result_large_err, reason = "the websocket library's own type")]
async fn gateway<S>(stream: S, port: u16, book: Arc<Mutex<Book>>, behaviour: Behaviour)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let seen = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let authorization = request.headers().get("authorization");
        let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
        let mut book = book.lock().unwrap();
        book.requests
            .push((request.uri().to_string(), authorization));
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, seen).await else {
        return;
    };
    let Some(Ok(Message::Text(hello))) = socket.next().await else {
        return;
    };
    let hello: Value = serde_json::from_str(hello.as_str()).unwrap_or_default();
    // Of the client's own id AWS takes anything: the npm package `ssm-session` sends none, PyPI's `aws-ssm-bridge` the
    // session's.
    let is_whole = hello["MessageSchemaVersion"] == "1.0"
        && hello["RequestId"].as_str().is_some_and(|id| id.len() == 36);
    let session = {
        let mut book = book.lock().unwrap();
        let token = hello["TokenValue"].as_str().unwrap_or_default();
        let known = book.tokens.iter().find(|(_, known)| *known == token);
        let Some(id) = known.map(|(id, _)| id.clone()).filter(|_| is_whole) else {
            return;
        };
        book.connections += 1;
        let session = book.sessions.entry(id);
        Arc::clone(session.or_insert_with(|| Arc::new(AsyncMutex::new(Session::new(&behaviour)))))
    };
    // The connection before it has ended, or ends now.
    let mut session = session.lock().await;
    session.reconnected();
    session::serve(&mut socket, &mut session, port, &book, &behaviour).await;
}
