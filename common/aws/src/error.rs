//! One honest description of an AWS error.
//!
//! `SdkError`'s own text is one fixed phrase ("service error"); what a person needs is AWS's code,
//! message and request id, or, where the answer was not AWS's, what it was instead.

use action::exit::Exit;
use action::failure::Failure;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;
use std::fmt;

/// What kind of trouble a call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The caller may not do this, or its credentials are not valid.
    NotPermitted,
    /// Throttled, or the service failed, or it could not be reached.
    Unavailable,
    /// The reply was lost: the call may or may not have been carried out.
    Lost,
    /// The answer did not come from AWS's service, or made no sense.
    Nonsense,
    /// The service refused the request for another reason; see the code.
    Refused,
}

/// An AWS error, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// What kind of trouble it is.
    pub kind: Kind,
    /// AWS's error code, such as `InvalidInstanceID.NotFound`.
    pub code: Option<String>,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    text: String,
}

impl AwsError {
    /// Describes the error of a call.
    pub fn of<E>(error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let code = error.code().map(str::to_owned);
        let kind = kind_of(error, code.as_deref(), status);
        let request_id = response.and_then(request_id);
        let told = match (&code, response) {
            (Some(code), _) => {
                let message = error.message().unwrap_or("no message");
                format!("{code}: {message}")
            }
            (None, Some(response)) => unreadable(response, error),
            (None, None) => chain(error),
        };
        let text = match request_id {
            Some(id) => format!("{told} (request id {id})"),
            None => told,
        };
        Self {
            kind,
            code,
            status,
            text,
        }
    }

    /// Whether AWS's code is this one.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// How a program ends because of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.kind {
            Kind::NotPermitted => Exit::NotPermitted,
            Kind::Unavailable | Kind::Lost | Kind::Nonsense => Exit::Unavailable,
            Kind::Refused => Exit::Failed,
        }
    }

    /// The failure of a deed because of this error, with a hint where the kind suggests one.
    /// `action` is the IAM action of the call, such as `ec2:StartInstances`.
    pub fn failure(&self, deed: impl Into<String>, action: &str) -> Failure {
        let failure = Failure::new(self.exit(), deed).cause(self);
        match self.kind {
            Kind::NotPermitted => failure.hint(format!(
                "allow {action} for the role that runs this, and check that its credentials are of the right account"
            )),
            Kind::Unavailable if self.text.contains("certificate") => failure.hint(
                "where the endpoint has an authority of its own, AWS_CA_BUNDLE names the PEM file with its certificate",
            ),
            Kind::Unavailable => failure.hint("the service or the way to it failed; running again is safe"),
            Kind::Lost => failure.hint("the answer was lost; running again looks first at what was done"),
            Kind::Nonsense => failure.hint(
                "something other than AWS answered: check AWS_ENDPOINT_URL, HTTPS_PROXY and AWS_REGION",
            ),
            Kind::Refused => failure,
        }
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Codes that mean "not permitted" or "not who you say you are".
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
const NOT_PERMITTED: [&str; 14] = [
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "Forbidden",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidToken",
    "OptInRequired",
    "PendingVerification",
];

/// Codes that mean "later".
const LATER: [&str; 12] = [
    "RequestLimitExceeded",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "SlowDown",
    "ServiceUnavailable",
    "Unavailable",
    "InternalError",
    "InternalFailure",
    "InsufficientInstanceCapacity",
];

fn kind_of<E>(error: &SdkError<E, Response>, code: Option<&str>, status: Option<u16>) -> Kind {
    match (code, status) {
        (Some(code), _) if NOT_PERMITTED.contains(&code) => Kind::NotPermitted,
        (Some(code), _) if LATER.contains(&code) => Kind::Unavailable,
        // The server does not have what was asked for, today or tomorrow.
        (_, Some(405 | 501)) => Kind::Refused,
        (Some(_), Some(500..)) => Kind::Unavailable,
        (Some(_), _) => Kind::Refused,
        (None, Some(401 | 403)) => Kind::NotPermitted,
        (None, Some(404)) => Kind::Refused,
        // The answer began: what was asked may be done, and the rest of it did not arrive.
        (None, Some(200..300)) if is_cut(error) => Kind::Lost,
        (None, Some(_)) => Kind::Nonsense,
        (None, None) => match error {
            SdkError::DispatchFailure(failure) if failure.is_user() => Kind::Refused,
            SdkError::DispatchFailure(_) => Kind::Unavailable,
            SdkError::TimeoutError(_) => Kind::Lost,
            _ => Kind::Refused,
        },
    }
}

/// Whether the connection ended inside the body: one that was read whole is kept.
fn is_cut<E>(error: &SdkError<E, Response>) -> bool {
    let response = error.raw_response();
    response.is_some_and(|response| response.body().bytes().is_none())
}

fn request_id(response: &Response) -> Option<&str> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| response.headers().get(*name))
}

/// What an answer without an error code looks like.
fn unreadable(response: &Response, error: &(dyn Error + 'static)) -> String {
    let status = response.status().as_u16();
    let kind = response
        .headers()
        .get("content-type")
        .unwrap_or("no content type");
    let body = response.body().bytes().unwrap_or_default();
    let start = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let start: String = start
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut text = format!("HTTP {status}, body is {kind}");
    if !start.trim().is_empty() {
        text.push_str(&format!(" (first 80 bytes: {:?})", start.trim()));
    }
    if (200..300).contains(&status) {
        text.push_str(&format!("; {}", chain(error)));
    }
    text
}

/// An error and its sources on one line, each said once.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|said| said.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}
