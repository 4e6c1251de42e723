//! Signatures of requests that no SDK makes: those that open a websocket.

use std::time::{Duration, SystemTime};

use aws::session::Session;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use hyper::Uri;

use crate::error::TunnelError;

/// What a signature is for.
pub(crate) struct Scope<'a> {
    /// The service's name in signatures.
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    /// Within the address for so long, or in headers.
    pub(crate) in_address: Option<Duration>,
}

/// What a signature adds to a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
}

/// Signs a GET of an address without a body, with the credentials of a session.
pub(crate) async fn of(
    session: &Session,
    scope: &Scope<'_>,
    address: &str,
) -> Result<Signature, TunnelError> {
    let unsigned = |why: String| TunnelError::Unsigned(why);
    let provider = session.config.credentials_provider();
    let provider = provider.ok_or_else(|| unsigned("there are no credentials".to_owned()))?;
    let credentials = provider.provide_credentials().await;
    let credentials = credentials.map_err(|error| unsigned(aws::error::chain(&error)))?;
    made(&credentials.into(), scope, address, SystemTime::now()).map_err(unsigned)
}

fn made(
    identity: &Identity,
    scope: &Scope<'_>,
    address: &str,
    time: SystemTime,
) -> Result<Signature, String> {
    let mut settings = SigningSettings::default();
    if let Some(expires) = scope.in_address {
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(expires);
    }
    let params = SigningParams::builder()
        .identity(identity)
        .region(scope.region)
        .name(scope.service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    // The host is signed as the websocket's request will name it.
    let uri: Uri = address.parse().map_err(|_| "no address".to_owned())?;
    let host = uri.authority().map(|authority| authority.as_str());
    let headers = host.map(|host| ("host", host)).into_iter();
    let request = SignableRequest::new("GET", address, headers, SignableBody::Bytes(b""));
    let request = request.map_err(|error| error.to_string())?;
    let (made, _) = sign(request, &params.into())
        .map_err(|error| error.to_string())?
        .into_parts();
    let (headers, query) = made.into_parts();
    let owned = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Ok(Signature {
        headers: headers
            .iter()
            .map(|header| owned(header.name(), header.value()))
            .collect(),
        query: query
            .iter()
            .map(|(name, value)| owned(name, value))
            .collect(),
    })
}

/// A text as a query carries it (RFC 3986).
pub fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Scope, encoded, made};
    use aws_credential_types::Credentials;
    use std::time::{Duration, SystemTime};

    /// What botocore 1.44.5 makes of the same with SigV4QueryAuth and SigV4Auth.
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
        let scope = |service, in_address| Scope {
            service,
            region: "eu-west-1",
            in_address,
        };
        let address = "wss://eice-0123456789abcdef0.example.ec2-instance-connect-endpoint.eu-west-1.amazonaws.com/openTunnel\
             ?instanceConnectEndpointId=eice-0123456789abcdef0&remotePort=22&privateIpAddress=10.0.0.7";
        let minute = Some(Duration::from_secs(60));
        let signed = made(
            &identity,
            &scope("ec2-instance-connect", minute),
            address,
            time,
        );
        let query = signed.unwrap().query;
        let value = |name: &str| {
            let found = query.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        assert_eq!(value("X-Amz-Date"), "20261123T090000Z");
        assert_eq!(value("X-Amz-Expires"), "60");
        assert_eq!(value("X-Amz-SignedHeaders"), "host");
        assert_eq!(value("X-Amz-Security-Token"), "a+session/token=");
        assert_eq!(
            value("X-Amz-Signature"),
            include_str!("signature/eic.txt").trim()
        );
        let address =
            "wss://ssmmessages.eu-west-1.amazonaws.com/v1/data-channel/s-1?role=publish_subscribe";
        let signed = made(&identity, &scope("ssmmessages", None), address, time).unwrap();
        let headers = signed.headers;
        let mut names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["authorization", "x-amz-date", "x-amz-security-token"]
        );
        let found = headers.iter().find(|(name, _)| name == "authorization");
        let authorization = &found.unwrap().1;
        let signature = include_str!("signature/ssm.txt").trim();
        assert!(
            authorization.ends_with(&format!("Signature={signature}")),
            "{authorization}"
        );
    }

    #[test]
    fn a_query_carries_any_text() {
        assert_eq!(encoded("a b+c/ä~"), "a%20b%2Bc%2F%C3%A4~");
    }
}
