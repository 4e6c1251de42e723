//! A bucket by which content reaches the host where the way to it is slow.
//!
//! Three requests with signed addresses: store, fetch, delete. The SDK for S3 makes them too, and adds 1.2 MB to a program that
//! may weigh 10 MiB. What it does beyond, such as trying again, is of no use here: where a request fails, the content goes
//! another way.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use aws::dial::{DialError, Dialer};
use aws::session::Session;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::base64;
use bundle::digest::Digest;
use futures_util::stream;
use http_body_util::{BodyExt as _, Empty, Limited, StreamBody};
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, HOST};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

/// How long an address is good for: that of the host, which may have to wait for its turn.
const EXPIRES: Duration = Duration::from_secs(15 * 60);
/// Deleting may take this long, also when the deadline is over.
const DELETING: Duration = Duration::from_secs(10);
/// So much of what S3 says of a failure is read.
const SAID: usize = 64 << 10;
/// So much of a file is read at once.
const READ: usize = 64 << 10;
const CHECKSUM: &str = "x-amz-checksum-sha256";

/// Why something was not done with the bucket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BucketError {
    /// There are no credentials, or nothing can be signed with them.
    #[error("it cannot be signed: {0}")]
    Unsigned(String),
    /// The file cannot be read.
    #[error("the file cannot be read: {0}")]
    File(std::io::Error),
    /// S3 is not reached.
    #[error("{0}")]
    Dial(DialError),
    /// The connection broke, or the time was up.
    #[error("no answer: {0}")]
    Lost(String),
    /// S3 did not do it.
    #[error("HTTP {status}{}", shown(.said))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Its code and message.
        said: String,
    },
}

fn shown(said: &str) -> String {
    match said {
        "" => String::new(),
        said => format!(": {said}"),
    }
}

/// The bucket, with one object by its content.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    session: &'a Session,
    dialer: &'a Dialer,
    bucket: &'a str,
    digest: Digest,
}

impl<'a> Stored<'a> {
    /// The object for content of this digest; nothing is stored yet.
    pub(crate) fn new(
        session: &'a Session,
        dialer: &'a Dialer,
        bucket: &'a str,
        digest: Digest,
    ) -> Self {
        Self {
            session,
            dialer,
            bucket,
            digest,
        }
    }

    fn key(&self) -> String {
        format!("deploy-app/{}", self.digest)
    }

    /// How messages name it.
    pub(crate) fn shown(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key())
    }

    /// Stores the content of a file. Needs `s3:PutObject`.
    pub(crate) async fn put(&self, file: &Path, deadline: Instant) -> Result<(), BucketError> {
        let file = File::open(file).map_err(BucketError::File)?;
        let length = file.metadata().map_err(BucketError::File)?.len();
        let checksum = base64::encode(self.digest.as_bytes());
        let address = self.signed(&Method::PUT, &[(CHECKSUM, &checksum)]).await?;
        let chunks = stream::unfold(file, |mut file| async {
            let mut chunk = vec![0; READ];
            match file.read(&mut chunk) {
                Ok(0) => None,
                Ok(count) => {
                    chunk.truncate(count);
                    Some((Ok(Frame::data(Bytes::from(chunk))), file))
                }
                Err(error) => Some((Err(error), file)),
            }
        });
        let request = Request::builder()
            .method(Method::PUT)
            .header(CONTENT_LENGTH, length)
            .header(CHECKSUM, checksum);
        self.ask(
            &address,
            request,
            StreamBody::new(Box::pin(chunks)),
            deadline,
        )
        .await
    }

    /// An address by which whoever has it may fetch the content. Needs `s3:GetObject`, which S3 checks when it is used.
    pub(crate) async fn address(&self) -> Result<String, BucketError> {
        self.signed(&Method::GET, &[]).await
    }

    /// Deletes it. Needs `s3:DeleteObject`.
    pub(crate) async fn delete(&self) -> Result<(), BucketError> {
        let address = self.signed(&Method::DELETE, &[]).await?;
        let request = Request::builder().method(Method::DELETE);
        let body = Empty::<Bytes>::new();
        let deadline = Instant::now() + DELETING;
        self.ask(&address, request, body, deadline).await
    }

    async fn signed(
        &self,
        method: &Method,
        headers: &[(&str, &str)],
    ) -> Result<String, BucketError> {
        let unsigned = |why: String| BucketError::Unsigned(why);
        let provider = self.session.config.credentials_provider();
        let provider = provider.ok_or_else(|| unsigned("there are no credentials".to_owned()))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials.map_err(|error| unsigned(aws::error::chain(&error)))?;
        let own = self.session.own_endpoint("S3");
        let config = &self.session.config;
        let at = At {
            bucket: self.bucket,
            region: &self.session.region,
            fips: config.use_fips().unwrap_or_default(),
            dual_stack: config.use_dual_stack().unwrap_or_default(),
        };
        let address = format!("{}/{}", at.origin(own.as_deref()), self.key());
        let region = &self.session.region;
        let identity = Identity::from(credentials);
        let request = (method, address.as_str(), headers);
        signed(&identity, region, request, SystemTime::now()).map_err(unsigned)
    }

    async fn ask<B>(
        &self,
        address: &str,
        request: hyper::http::request::Builder,
        body: B,
        deadline: Instant,
    ) -> Result<(), BucketError>
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync,
    {
        let lost =
            |error: &(dyn std::error::Error + 'static)| BucketError::Lost(aws::error::chain(error));
        let uri: Uri = address.parse().map_err(|error| lost(&error))?;
        let stream = self.dialer.open(&uri, deadline).await;
        let stream = TokioIo::new(stream.map_err(BucketError::Dial)?);
        let host = uri.authority().map_or("", |authority| authority.as_str());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = request.uri(path).header(HOST, host).body(body);
        let request = request.map_err(|error| lost(&error))?;
        let asking = async {
            let shaken = hyper::client::conn::http1::handshake(stream).await;
            let (mut sender, connection) = shaken.map_err(|error| lost(&error))?;
            // What breaks it is what the answer says.
            tokio::spawn(connection);
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| lost(&error))?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), SAID).collect().await;
            // The status tells enough where the rest does not come.
            let body = body.map(|body| body.to_bytes()).unwrap_or_default();
            match status.is_success() {
                true => Ok(()),
                false => Err(BucketError::Refused {
                    status: status.as_u16(),
                    said: of_xml(&String::from_utf8_lossy(&body)),
                }),
            }
        };
        let late = |_| BucketError::Lost("the time was up".to_owned());
        timeout_at(deadline, asking).await.map_err(late)?
    }
}

/// Where a bucket is.
struct At<'a> {
    bucket: &'a str,
    region: &'a str,
    fips: bool,
    dual_stack: bool,
}

impl At<'_> {
    /// Scheme and name of the bucket, with the bucket in the path where it cannot be in the name: at an endpoint that the
    /// environment names, and where a dot in it fits no certificate
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>).
    fn origin(&self, own: Option<&str>) -> String {
        let Self { bucket, region, .. } = self;
        if let Some(own) = own {
            return format!("{}/{bucket}", own.trim_end_matches('/'));
        }
        let s3 = if self.fips { "s3-fips" } else { "s3" };
        let stack = if self.dual_stack { ".dualstack" } else { "" };
        let suffix = match region.starts_with("cn-") {
            true => "amazonaws.com.cn",
            false => "amazonaws.com",
        };
        let name = format!("{s3}{stack}.{region}.{suffix}");
        match bucket.contains('.') {
            true => format!("https://{name}/{bucket}"),
            false => format!("https://{bucket}.{name}"),
        }
    }
}

/// An address with its signature.
fn signed(
    identity: &Identity,
    region: &str,
    (method, address, headers): (&Method, &str, &[(&str, &str)]),
    time: SystemTime,
) -> Result<String, String> {
    // As S3 wants it: no path is normalised, no payload is hashed.
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    let params = SigningParams::builder()
        .identity(identity)
        .region(region)
        .name("s3")
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let uri: Uri = address.parse().map_err(|_| "no address".to_owned())?;
    let host = uri
        .authority()
        .map(|authority| ("host", authority.as_str()));
    let all = host.into_iter().chain(headers.iter().copied());
    let body = SignableBody::UnsignedPayload;
    let request = SignableRequest::new(method.as_str(), address, all, body);
    let request = request.map_err(|error| error.to_string())?;
    let (made, _) = sign(request, &params.into())
        .map_err(|error| error.to_string())?
        .into_parts();
    let query = made.params().iter();
    let query: Vec<String> = query
        .map(|(name, value)| format!("{name}={}", tunnel::encoded(value)))
        .collect();
    Ok(format!("{address}?{}", query.join("&")))
}

/// Code and message of what S3 answers.
fn of_xml(text: &str) -> String {
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
    };
    let found = ["Code", "Message"].into_iter().filter_map(element);
    found.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{At, CHECKSUM, of_xml, signed};
    use aws_credential_types::Credentials;
    use hyper::Method;
    use std::time::{Duration, SystemTime};

    /// What botocore 1.44.5 makes of the same with S3SigV4QueryAuth.
    #[test]
    fn signatures_are_those_of_awss_own_client() {
        let credentials = Credentials::new(
            "AKIAIOSFODNN7EXAMPLE",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            Some("a+session/token=".to_owned()),
            None,
            "test",
        );
        let identity = credentials.into();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_424_400);
        let address = "https://b.s3.eu-west-1.amazonaws.com/deploy-app/e3b0";
        let checksum = [(CHECKSUM, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")];
        for (method, headers, signature) in [
            (
                Method::GET,
                &[][..],
                "f49cf8c73e121183872d243d3f5962a91fad8f4b454bc7004eae0baf3a4c872c",
            ),
            (
                Method::PUT,
                &checksum[..],
                "32ef7ff9bcf5192c9fecc39dfcb80d46572c32475ab7ed5924a8f2e25acba73d",
            ),
        ] {
            let request = (&method, address, headers);
            let signed = signed(&identity, "eu-west-1", request, time).unwrap();
            assert!(signed.starts_with(&format!("{address}?X-Amz-")), "{signed}");
            let expected = format!("X-Amz-Signature={signature}");
            assert!(signed.split('&').any(|one| one == expected), "{signed}");
        }
    }

    #[test]
    fn a_bucket_is_where_s3_has_it() {
        let at = |bucket, region| At {
            bucket,
            region,
            fips: false,
            dual_stack: false,
        };
        for (at, own, origin) in [
            (
                at("b", "eu-west-1"),
                None,
                "https://b.s3.eu-west-1.amazonaws.com",
            ),
            (
                at("b", "cn-north-1"),
                None,
                "https://b.s3.cn-north-1.amazonaws.com.cn",
            ),
            (
                at("a.b", "eu-west-1"),
                None,
                "https://s3.eu-west-1.amazonaws.com/a.b",
            ),
            (
                at("b", "eu-west-1"),
                Some("http://127.0.0.1:9/"),
                "http://127.0.0.1:9/b",
            ),
            (
                At {
                    fips: true,
                    dual_stack: true,
                    ..at("b", "us-east-1")
                },
                None,
                "https://b.s3-fips.dualstack.us-east-1.amazonaws.com",
            ),
        ] {
            assert_eq!(at.origin(own), origin);
        }
    }

    #[test]
    fn what_s3_says_is_told_in_one_line() {
        let answer = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
        assert_eq!(of_xml(answer), "AccessDenied: Access Denied");
        assert_eq!(of_xml("<html>"), "");
    }
}
