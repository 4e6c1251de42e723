//! A host, and AWS's clients as a program sets them up.

use std::collections::BTreeMap;
use std::time::Duration;

use action::codebuild::CodeBuild;
use action::interrupt::Interrupt;
use action::program::Context;
use action::settings::layers::{Origin, Variable};
use aws::dial::Dialer;
use aws::limit::Limit;
use aws::session::Session;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use harness::FakeAws;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tunnel::{Host, Tunnel, Tunnels};

/// AWS, and what a program holds of it.
pub(crate) struct World {
    pub(crate) aws: FakeAws,
    pub(crate) session: Session,
    pub(crate) dialer: Dialer,
    pub(crate) tunnels: Tunnels,
}

/// The environment names an endpoint for every service.
#[derive(Debug)]
struct Named;

impl LoadServiceConfig for Named {
    fn load_config(&self, _: ServiceConfigKey<'_>) -> Option<String> {
        Some("http://127.0.0.1".to_owned())
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let aws = FakeAws::start_tls();
        let session = session(&aws);
        let dialer = Dialer::of(&context(&aws)).await.unwrap();
        Self {
            aws,
            session,
            dialer,
            tunnels: Tunnels::default(),
        }
    }

    /// Ends every tunnel; nothing may be left behind.
    pub(crate) async fn close(&self) {
        assert_eq!(self.tunnels.close(soon()).await, Vec::<String>::new());
    }
}

fn session(aws: &FakeAws) -> Session {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests");
    let limit = Limit::until(soon());
    let config = SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-west-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(limit.client(aws.http_client()))
        .sleep_impl(limit.sleep())
        .service_config(Named)
        .build();
    Session {
        config,
        region: "eu-west-1".to_owned(),
        limit,
    }
}

fn context(aws: &FakeAws) -> Context {
    let variable = Variable {
        value: aws.ca_bundle().into_os_string(),
        origin: Origin::Environment,
    };
    Context {
        command: None,
        dry_run: false,
        plan_file: None,
        deadline: soon(),
        timeout: Duration::from_secs(60),
        codebuild: CodeBuild::read(|_| None),
        even_if_failed: false,
        interrupt: Interrupt::never(),
        environment: BTreeMap::from([("AWS_CA_BUNDLE".to_owned(), variable)]),
    }
}

pub(crate) fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

pub(crate) fn host() -> Host {
    Host {
        instance: "i-0123456789abcdef0".to_owned(),
        vpc: "vpc-1".to_owned(),
        subnet: "subnet-1".to_owned(),
        ipv4: Some([10, 0, 0, 7].into()),
        ipv6: None,
    }
}

/// A port that sends back what it gets.
pub(crate) async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    port
}

/// Bytes that look like no others.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| random.u8(..))
        .take(count)
        .collect()
}

/// Sends bytes through a tunnel and back.
pub(crate) async fn there_and_back(tunnel: Tunnel, sent: &[u8]) -> Result<Tunnel, std::io::Error> {
    let (mut from, mut to) = tokio::io::split(tunnel);
    let mut back = vec![0; sent.len()];
    let both = async { tokio::try_join!(to.write_all(sent), from.read_exact(&mut back)) };
    timeout(Duration::from_secs(60), both).await.unwrap()?;
    assert!(back == sent, "the stream is another one");
    Ok(from.unsplit(to))
}
