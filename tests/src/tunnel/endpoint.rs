//! An EC2 Instance Connect Endpoint: HTTPS, a presigned request, a websocket, and behind it a TCP connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::Served;
use crate::{FakeAws, Reply};

/// How an endpoint behaves.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// It refuses with this HTTP status and body; with the `Date` of the given text.
    pub refuses: Option<(u16, String, Option<String>)>,
    /// It closes with this code and reason once the client has sent so many bytes.
    pub closes: Option<(usize, u16, String)>,
    /// It sends this text once the client has sent a byte.
    pub text: Option<String>,
    /// It drops the TCP connection once the client has sent so many bytes.
    pub cuts: Option<usize>,
}

/// The running endpoint.
pub struct Endpoint {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    manner: Arc<Mutex<Manner>>,
    _served: Served,
}

impl Endpoint {
    /// Starts one whose certificate is that of `aws`, which speaks TLS, and that leads to `port`.
    ///
    /// # Panics
    /// When `aws` speaks no TLS, or no port can be opened.
    pub fn start(aws: &FakeAws, port: u16) -> Self {
        let config = aws.server_config().expect("the fake must speak TLS");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("no free port");
        listener.set_nonblocking(true).expect("it cannot be set");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let manner = Arc::new(Mutex::new(Manner::default()));
        let (seen, how) = (Arc::clone(&requests), Arc::clone(&manner));
        let served = Served::start(move || async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let acceptor = TlsAcceptor::from(config);
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                let manner = how.lock().unwrap().clone();
                tokio::spawn(async move {
                    drop(stream.set_nodelay(true));
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream, port, &manner, &seen).await;
                    }
                });
            }
        });
        Self {
            address,
            requests,
            manner,
            _served: served,
        }
    }

    /// How it behaves from now on.
    pub fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// The addresses that were asked for, with their queries.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// Its name as EC2 lists it.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// The element that EC2 lists it as, in a VPC and a subnet.
    pub fn listed(&self, id: &str, vpc: &str, subnet: &str, state: &str) -> String {
        let name = self.name();
        format!(
            "<item><instanceConnectEndpointId>{id}</instanceConnectEndpointId><state>{state}</state>\
             <dnsName>{name}</dnsName><vpcId>{vpc}</vpcId><subnetId>{subnet}</subnetId>\
             <ipAddressType>ipv4</ipAddressType></item>"
        )
    }
}

/// Has EC2 list such elements.
pub(super) fn list(aws: &FakeAws, items: &str) {
    let xml = format!(
        "<DescribeInstanceConnectEndpointsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <instanceConnectEndpointSet>{items}</instanceConnectEndpointSet></DescribeInstanceConnectEndpointsResponse>"
    );
    aws.on("ec2:DescribeInstanceConnectEndpoints", [Reply::xml(xml)]);
}

/// Says goodbye, and waits until the client has heard it.
async fn close<S>(socket: &mut WebSocketStream<S>, code: u16, reason: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame {
        code: code.into(),
        reason: reason.to_owned().into(),
    };
    drop(socket.close(Some(frame)).await);
    while let Some(Ok(_)) = socket.next().await {}
}

/// Why a request is none that the service takes.
fn fault(target: &str) -> Option<&'static str> {
    let (path, query) = target.split_once('?')?;
    let value = |name: &str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(found, _)| *found == name)
            .map(|(_, value)| value)
            .next()
    };
    let scope = value("X-Amz-Credential").unwrap_or_default();
    [
        (path != "/openTunnel", "the path"),
        (value("instanceConnectEndpointId").is_none(), "the endpoint"),
        (value("remotePort") != Some("22"), "the port"),
        (value("privateIpAddress").is_none(), "the address"),
        (
            value("X-Amz-Algorithm") != Some("AWS4-HMAC-SHA256"),
            "the algorithm",
        ),
        (value("X-Amz-Expires") != Some("60"), "the time"),
        (value("X-Amz-SignedHeaders") != Some("host"), "the headers"),
        (
            value("X-Amz-Signature").is_none_or(|s| s.len() != 64),
            "the signature",
        ),
        (
            !scope.ends_with("%2Fec2-instance-connect%2Faws4_request"),
            "the scope",
        ),
    ]
    .into_iter()
    .find(|(is_wrong, _)| *is_wrong)
    .map(|(_, what)| what)
}

#[allow(clippy::result_large_err, reason = "the websocket library's own type")]
async fn connection<S>(stream: S, port: u16, manner: &Manner, seen: &Mutex<Vec<String>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let judge = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        let target = request.uri().to_string();
        seen.lock().unwrap().push(target.clone());
        let refusal = match (&manner.refuses, fault(&target)) {
            (Some(refusal), _) => refusal.clone(),
            (None, Some(what)) => (403, format!("{what} is wrong"), None),
            (None, None) => return Ok(response),
        };
        let (status, body, date) = refusal;
        let mut answer = ErrorResponse::new(Some(body));
        *answer.status_mut() = status.try_into().expect("a status");
        if let Some(date) = date {
            answer
                .headers_mut()
                .insert("date", date.parse().expect("a header"));
        }
        Err(answer)
    };
    let Ok(mut socket) = accept_hdr_async(stream, judge).await else {
        return;
    };
    let Ok(mut host) = TcpStream::connect(("127.0.0.1", port)).await else {
        close(&mut socket, 1011, "Unable to connect to target").await;
        return;
    };
    drop(host.set_nodelay(true));
    let (mut from_host, mut to_host) = host.split();
    let mut buffer = vec![0; 32 << 10];
    let mut received = 0;
    loop {
        tokio::select! {
            came = socket.next() => match came {
                Some(Ok(Message::Binary(bytes))) => {
                    received += bytes.len();
                    if let Some((after, code, reason)) = &manner.closes && received >= *after {
                        close(&mut socket, *code, reason).await;
                        return;
                    }
                    if manner.cuts.is_some_and(|after| received >= after) {
                        return;
                    }
                    if let Some(text) = &manner.text {
                        drop(socket.send(Message::text(text.clone())).await);
                    }
                    if to_host.write_all(&bytes).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return,
            },
            read = from_host.read(&mut buffer) => match read {
                Ok(count) if count > 0 => {
                    let frame = Message::binary(buffer[..count].to_vec());
                    if socket.send(frame).await.is_err() {
                        return;
                    }
                }
                _ => {
                    close(&mut socket, 1000, "").await;
                    return;
                }
            },
        }
    }
}
