use super::{DialError, Dialer, user};
use crate::proxy::Proxies;
use rustls::{ClientConfig, RootCertStore, crypto};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::Instant;

fn dialer(variables: &[(&str, &str)]) -> Dialer {
    let found = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    let (proxies, faults) = Proxies::read(found, Vec::new());
    assert_eq!(faults, Vec::<String>::new());
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    Dialer {
        proxies: Arc::new(proxies),
        tls: Arc::new(tls),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// A proxy that takes one connection, answers it with `answer`, and then sends back what comes.
async fn proxy(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.split();
        drop(tokio::io::copy(&mut from, &mut to).await);
        String::from_utf8(head).unwrap()
    });
    (format!("http://me:pa%40ss@127.0.0.1:{port}"), served)
}

#[tokio::test]
async fn a_stream_goes_through_the_proxy_with_its_user() {
    let (address, served) = proxy("HTTP/1.1 200 Connection established\r\n\r\n").await;
    let dialer = dialer(&[("http_proxy", &address)]);
    let to = "ws://tunnel.example.com:8080/path".parse().unwrap();
    let mut stream = dialer.open(&to, soon()).await.unwrap();
    stream.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
    drop(stream);
    let head = served.await.unwrap();
    assert!(
        head.starts_with("CONNECT tunnel.example.com:8080 HTTP/1.1\r\n"),
        "{head}"
    );
    // me:pa@ss
    assert!(head.contains("Basic bWU6cGFAc3M="), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_its_answer() {
    let (address, _served) = proxy("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
    let dialer = dialer(&[("https_proxy", &address)]);
    let to = "wss://tunnel.example.com/".parse().unwrap();
    let error = dialer.open(&to, soon()).await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the proxy of https_proxy does not connect to tunnel.example.com:443: it answered 403 Forbidden"
    );
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_nothing() {
    let fake = harness::FakeAws::start_tls();
    let to = fake.url().parse().unwrap();
    let error = dialer(&[]).open(&to, soon()).await.err().unwrap();
    assert!(matches!(error, DialError::Tls { .. }), "{error}");
    assert_eq!(fake.operations(), Vec::<String>::new());
}

#[tokio::test]
async fn silence_ends_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("wss://{}/", listener.local_addr().unwrap());
    let deadline = Instant::now() + Duration::from_millis(50);
    let error = dialer(&[])
        .open(&to.parse().unwrap(), deadline)
        .await
        .err()
        .unwrap();
    assert!(matches!(error, DialError::Late(_)), "{error}");
}

#[test]
fn a_user_is_sent_as_it_is_and_not_as_it_is_written() {
    let of = |text: &str| user(&text.parse().unwrap()).map(|user| String::from_utf8(user).unwrap());
    assert_eq!(of("http://proxy:3128"), None);
    assert_eq!(of("http://me@proxy:3128"), Some("me".to_owned()));
    assert_eq!(
        of("http://me:a%2Fb%25%zz@proxy"),
        Some("me:a/b%%zz".to_owned())
    );
}
