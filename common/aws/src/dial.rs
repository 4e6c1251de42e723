//! A stream of bytes to a server of AWS's that is no call: what a websocket runs over. It goes the way that calls go,
//! by the same proxies, and the server is judged by the same authorities.

use crate::authorities::Authorities;
use crate::environment;
use crate::error::chain;
use crate::proxy::{Address, Proxies, Proxy};
use crate::session::retries;
use action::failure::Failure;
use action::program::Context;
use aws_smithy_types::base64;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{HOST, PROXY_AUTHORIZATION};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, crypto};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

/// What is read and written.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Why there is no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// It is no address with a host.
    #[error("`{0}` is not the address of a server")]
    Address(String),
    /// The TCP connection was not made.
    #[error("no TCP connection to {to}: {why}")]
    Tcp {
        /// The server, or the proxy.
        to: String,
        /// The operating system's reason.
        why: String,
    },
    /// The proxy does not lead there.
    #[error("the proxy of {variable} does not connect to {to}: {why}")]
    Proxy {
        /// The variable that names the proxy.
        variable: &'static str,
        /// The server.
        to: String,
        /// What it answered.
        why: String,
    },
    /// The server could not prove who it is, or speaks no TLS.
    #[error("no TLS with {to}: {why}")]
    Tls {
        /// The server.
        to: String,
        /// What is wrong.
        why: String,
    },
    /// The deadline came first.
    #[error("{0} did not answer in time")]
    Late(String),
}

/// Opens streams.
#[derive(Debug, Clone)]
pub struct Dialer {
    proxies: Arc<Proxies>,
    tls: Arc<ClientConfig>,
}

impl Dialer {
    /// With the proxies and authorities of the environment.
    ///
    /// # Errors
    /// A refusal: settings for AWS that are wrong, a certificate file that cannot be read.
    pub async fn of(context: &Context) -> Result<Self, Failure> {
        let environment = environment::read(context, retries()).await?;
        let store = Authorities::of(context)?.store();
        let provider = Arc::new(crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::failed("cannot set up TLS").cause(error))?
            .with_root_certificates(store)
            .with_no_client_auth();
        Ok(Self {
            proxies: Arc::new(environment.proxies),
            tls: Arc::new(tls),
        })
    }

    /// Opens a stream to the server of an address: `https` and `wss` with TLS, `http` and `ws` without.
    ///
    /// # Errors
    /// Where it ended.
    pub async fn open(
        &self,
        address: &Uri,
        deadline: Instant,
    ) -> Result<Box<dyn Stream>, DialError> {
        let is_secret = matches!(address.scheme_str(), Some("https" | "wss"));
        let (scheme, port) = if is_secret {
            ("https", 443)
        } else {
            ("http", 80)
        };
        let bad = || DialError::Address(address.to_string());
        let host = address.host().ok_or_else(bad)?;
        let to = format!("{host}:{}", address.port_u16().unwrap_or(port));
        let opening = async {
            let stream: Box<dyn Stream> = match self.proxies.to(&format!("{scheme}://{to}/")) {
                Some(proxy) => self.by_proxy(proxy, &to).await?,
                None => Box::new(tcp(&to).await?),
            };
            match is_secret {
                true => self.secret(stream, host, &to).await,
                false => Ok(stream),
            }
        };
        let late = |_| DialError::Late(to.clone());
        timeout_at(deadline, opening).await.map_err(late)?
    }

    async fn secret(
        &self,
        stream: Box<dyn Stream>,
        host: &str,
        to: &str,
    ) -> Result<Box<dyn Stream>, DialError> {
        let failed = |why: String| DialError::Tls {
            to: to.to_owned(),
            why,
        };
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(plain.to_owned());
        let name = name.map_err(|error| failed(error.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let stream = connector.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| failed(chain(&error)))?))
    }

    /// Through an HTTP proxy, with `CONNECT`.
    async fn by_proxy(&self, named: &Proxy, to: &str) -> Result<Box<dyn Stream>, DialError> {
        let proxy = &named.address();
        let failed = |why: String| DialError::Proxy {
            variable: named.variable(),
            to: to.to_owned(),
            why,
        };
        // An address without a port was judged before; the scheme says which it is.
        let place = Address::of(&proxy.to_string()).ok_or_else(|| failed("no address".into()))?;
        let at = place.authority();
        let stream: Box<dyn Stream> = Box::new(tcp(&at).await?);
        let stream = match (proxy.scheme_str(), proxy.host()) {
            (Some("https"), Some(host)) => self.secret(stream, host, &at).await?,
            _ => stream,
        };
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| failed(chain(&error)))?;
        // It ends with the stream, which the upgrade takes out of it.
        tokio::spawn(connection.with_upgrades());
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(to)
            .header(HOST, to);
        if let Some(user) = user(proxy) {
            let value = format!("Basic {}", base64::encode(user));
            request = request.header(PROXY_AUTHORIZATION, value);
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|error| failed(chain(&error)))?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| failed(chain(&error)))?;
        if !answer.status().is_success() {
            return Err(failed(format!("it answered {}", answer.status())));
        }
        let upgraded = hyper::upgrade::on(answer).await;
        let upgraded = upgraded.map_err(|error| failed(chain(&error)))?;
        Ok(Box::new(TokioIo::new(upgraded)))
    }
}

async fn tcp(to: &str) -> Result<TcpStream, DialError> {
    let stream = TcpStream::connect(to).await.map_err(|error| {
        let (to, why) = (to.to_owned(), error.to_string());
        DialError::Tcp { to, why }
    })?;
    // Small packets must not wait for acknowledgements; failing to ask costs speed only.
    drop(stream.set_nodelay(true));
    Ok(stream)
}

/// `name:password` of a proxy's address, as it is sent: an address writes special characters as `%XX`.
fn user(proxy: &Uri) -> Option<Vec<u8>> {
    let (user, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let mut plain = Vec::new();
    let mut rest = user.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| char::from(*after.get(at)?).to_digit(16);
        rest = match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                plain.extend(u8::try_from(high * 16 + low));
                &after[2..]
            }
            _ => {
                plain.push(*first);
                after
            }
        };
    }
    Some(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
mod tests;
