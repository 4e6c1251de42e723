//! One honest description of an AWS error.
//!
//! `SdkError`'s own text is one fixed phrase ("service error"); what a person needs is AWS's code,
//! message and request id, or, where the answer was not AWS's, what it was instead.

use crate::proxy::ProxyFailed;
use crate::unanswered::{Unanswered, Why};
use action::exit::Exit;
use action::failure::Failure;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::{Headers, Response};
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
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
    /// The deadline came before there was an answer: the call may or may not have been carried out.
    Late,
    /// The service refused the request for another reason; see the code.
    Refused,
}

impl Kind {
    fn exit(self) -> Exit {
        match self {
            Kind::NotPermitted => Exit::NotPermitted,
            Kind::Unavailable | Kind::Lost | Kind::Nonsense => Exit::Unavailable,
            Kind::Late => Exit::Deadline,
            Kind::Refused => Exit::Failed,
        }
    }
}

impl From<Why> for Kind {
    fn from(why: Why) -> Self {
        match why {
            Why::Late => Kind::Late,
            Why::Cut => Kind::Lost,
            Why::Foreign => Kind::Nonsense,
        }
    }
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
    /// The variable that names the proxy, where the request failed on its way through one.
    proxy: Option<&'static str>,
    text: String,
}

impl AwsError {
    /// Describes the error of a call.
    pub fn of<E>(error: &SdkError<E, Response>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if let Some(unanswered) = find::<Unanswered>(error) {
            return Self {
                kind: Kind::from(unanswered.why),
                code: None,
                status: unanswered.status,
                proxy: None,
                text: unanswered.to_string(),
            };
        }
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
            proxy: find::<ProxyFailed>(error).map(|failed| failed.variable),
            text,
        }
    }

    /// Whether AWS's code is this one.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    fn is_expired(&self) -> bool {
        let code = self.code.as_deref();
        code.is_some_and(|code| EXPIRED.contains(&code))
    }

    /// How a program ends because of it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.kind.exit()
    }

    /// The failure of a deed because of this error, with a hint where the kind suggests one.
    /// `action` is the IAM action of the call, such as `ec2:StartInstances`.
    pub fn failure(&self, deed: impl Into<String>, action: &str) -> Failure {
        let failure = Failure::new(self.exit(), deed).cause(self);
        match self.kind {
            Kind::NotPermitted if self.is_expired() => failure.hint(
                "the credentials are too old, or the clock of this machine is wrong: get new ones and compare `date -u`",
            ),
            Kind::NotPermitted => failure.hint(format!(
                "allow {action} for the role that runs this, and check that its credentials are of the right account"
            )),
            Kind::Unavailable if self.text.contains("certificate") => failure.hint(
                "where the endpoint has an authority of its own, AWS_CA_BUNDLE names the PEM file with its certificate",
            ),
            Kind::Unavailable => failure.hint(match self.proxy {
                Some(variable) => format!(
                    "check {variable}: the proxy's address, and its user and password; NO_PROXY names hosts that need no proxy"
                ),
                None => "the service or the network failed; running again is safe".to_owned(),
            }),
            Kind::Lost => failure.hint("the answer was lost; running again first looks at what was done"),
            Kind::Nonsense => failure.hint(
                "something other than AWS answered: check AWS_ENDPOINT_URL, HTTPS_PROXY and AWS_REGION",
            ),
            Kind::Late => failure.hint(
                "run it again with more time (--timeout): it first looks at what was done",
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

/// Codes that mean "not permitted" or "not who you say you are", which a clock that is wrong and
/// credentials that are old say too.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_common-errors.html>,
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>.
const NOT_PERMITTED: [&str; 31] = [
    "UnauthorizedOperation",
    "UnauthorizedAccess",
    "AccessDenied",
    "AccessDeniedException",
    "KMSAccessDeniedException",
    "AllAccessDisabled",
    "AuthFailure",
    "AuthorizationError",
    "NotAuthorized",
    "Forbidden",
    "Blocked",
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestInTheFuture",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "UnrecognizedClientException",
    "InvalidToken",
    "NotSignedUp",
    "OptInRequired",
    "PendingVerification",
];

/// Codes of credentials that were good once, or of a clock that is wrong.
const EXPIRED: [&str; 6] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestInTheFuture",
];

/// Codes that mean "later". A status of 429 or from 500 on means it whatever the code.
const LATER: [&str; 22] = [
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequests",
    "TooManyRequestsException",
    "EC2ThrottledException",
    "ProvisionedThroughputExceededException",
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "SlowDown",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Unavailable",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InsufficientInstanceCapacity",
];

fn kind_of_code(code: &str) -> Option<Kind> {
    if NOT_PERMITTED.contains(&code) {
        return Some(Kind::NotPermitted);
    }
    LATER.contains(&code).then_some(Kind::Unavailable)
}

/// The failure to get credentials, where it was a call of theirs that failed; nothing where they
/// are simply not there, or the reason is not known. `status` is what their endpoint answered last, where one
/// was asked: the SDK tells it in words alone.
pub(crate) fn of_credentials(
    error: &(dyn Error + 'static),
    status: Option<u16>,
) -> Option<Failure> {
    let code = || {
        let metadata = find::<ErrorMetadata>(error)?;
        kind_of_code(metadata.code()?)
    };
    let answered = || match status? {
        401 | 403 => Some(Kind::NotPermitted),
        429 | 500.. => Some(Kind::Unavailable),
        200..300 => Some(Kind::Nonsense),
        _ => None,
    };
    let exit = match find::<Unanswered>(error) {
        Some(unanswered) => Kind::from(unanswered.why).exit(),
        None => code().or_else(answered)?.exit(),
    };
    let deed = "cannot get the AWS credentials; nothing was touched";
    Some(Failure::new(exit, deed).cause(chain(error)))
}

/// The first error of a type in a chain.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn kind_of<E>(error: &SdkError<E, Response>, code: Option<&str>, status: Option<u16>) -> Kind
where
    E: Error + 'static,
{
    // Credentials that were to be renewed on the way: their service has said why not.
    let renewing = || match status {
        Some(_) => None,
        None => find::<ErrorMetadata>(error)?.code(),
    };
    if let Some(kind) = code.or_else(renewing).and_then(kind_of_code) {
        return kind;
    }
    match (code, status) {
        // The server does not have what was asked for, today or tomorrow.
        (_, Some(405 | 501)) => Kind::Refused,
        (Some(_), Some(429 | 500..)) => Kind::Unavailable,
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

pub(crate) fn request_id(response: &Response) -> Option<&str> {
    ["x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"]
        .iter()
        .find_map(|name| response.headers().get(*name))
}

/// What an answer without an error code looks like.
fn unreadable(response: &Response, error: &(dyn Error + 'static)) -> String {
    let status = response.status().as_u16();
    let body = response.body().bytes();
    // JSON that AWS answers may hold a secret.
    let shown = body.filter(|body| !body.trim_ascii_start().starts_with(b"{"));
    let text = page(status, response.headers(), shown.unwrap_or_default());
    match (status, body) {
        (200..300, None) => format!("{text}; {}", chain(error)),
        (200..300, Some(_)) => format!("{text}; it is not the answer that was asked for"),
        _ => text,
    }
}

/// An answer that nobody understands, as a person would look at it.
pub(crate) fn page(status: u16, headers: &Headers, body: &[u8]) -> String {
    let kind = headers.get("content-type").unwrap_or("no content type");
    let start = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
    let start: String = start
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let mut text = format!("HTTP {status}, body is {kind}");
    if !start.trim().is_empty() {
        text.push_str(&format!(" (first 80 bytes: {:?})", start.trim()));
    }
    text
}

/// An error and its sources on one line, each said once, for people.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = words(error);
        if !text.is_empty() && !parts.iter().any(|said| said.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

/// An error's own text without what only its programmer reads: some of the SDK's errors print a
/// value of theirs into it, such as a whole HTTP response.
fn words(error: &(dyn Error + 'static)) -> String {
    if let Some(metadata) = error.downcast_ref::<ErrorMetadata>() {
        let parts = [metadata.code(), metadata.message()];
        return parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
    }
    let text = error.to_string();
    // `Response { status: …`, `StartEl { name: …`
    let value = text.match_indices(" { ").find_map(|(at, _)| {
        let name = text[..at].rsplit(|c: char| !c.is_alphanumeric()).next()?;
        name.starts_with(|c: char| c.is_uppercase())
            .then_some(at - name.len())
    });
    match value {
        Some(at) => text[..at]
            .trim_end_matches([' ', '.', ':', ',', '('])
            .to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::chain;
    use aws_smithy_types::error::metadata::ErrorMetadata;

    #[test]
    fn what_only_a_programmer_reads_is_left_out() {
        let metadata = ErrorMetadata::builder()
            .code("AccessDenied")
            .message("not you")
            .custom("aws_request_id", "7f3a")
            .build();
        assert_eq!(chain(&metadata), "AccessDenied: not you");
        for (text, said) in [
            (
                "error response from IMDS (code: 404). Response { status: 404, headers: {} }",
                "error response from IMDS (code: 404)",
            ),
            (
                "invalid root, expected A got StartEl { name: Name { prefix: \"\" } }",
                "invalid root, expected A got",
            ),
            ("expected `{ ` at the start", "expected `{ ` at the start"),
        ] {
            assert_eq!(chain(&std::io::Error::other(text)), said);
        }
    }
}
