//! The kinds of faults: what each does to a call, and by which proxy.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use harness::{FakeAws, Fate, Reply};
use serde_json::{Value, json};

use crate::table::Row;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing: how the job ends by itself, over an emulator that lacks a part of it.
    Nothing,
    /// The service throttles, in its own words.
    Throttled,
    /// The same, with as many tries as the programs make unless told otherwise, for longer than a
    /// program may be silent.
    ThrottledLong,
    /// The caller may not do it.
    Denied,
    /// The caller's credentials have expired.
    Expired,
    /// The signature is not right.
    Unsigned,
    /// The service failed: 500.
    Internal,
    /// A web page comes instead of an answer.
    Page,
    /// The connection is reset before the call reaches the service.
    Reset,
    /// The call is carried out and its answer never arrives.
    Lost,
    /// The connection breaks inside the answer.
    Cut,
    /// The answer ends after so many percent, with whole framing: a chunked body that ends early.
    Chunked(u8),
    /// The answer ends after so many percent, with a length that fits.
    Shortened(u8),
    /// One byte of the answer is another.
    Corrupt,
    /// The answer holds no checksum.
    NoChecksum,
    /// The connection is reset inside the request's body.
    CutUpload,
    /// The answer comes late, and comes.
    Slow,
    /// No answer comes within the deadline.
    Late,
    /// No answer comes for longer than a program may be silent, nor within the deadline.
    Silent,
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        let (word, percent) = word.split_once('@').unwrap_or((word, ""));
        let percent = || percent.parse().map_err(|_| ());
        Ok(match word {
            "nothing" => Self::Nothing,
            "throttled" => Self::Throttled,
            "throttled-long" => Self::ThrottledLong,
            "denied" => Self::Denied,
            "expired" => Self::Expired,
            "unsigned" => Self::Unsigned,
            "internal" => Self::Internal,
            "page" => Self::Page,
            "reset" => Self::Reset,
            "lost" => Self::Lost,
            "cut" => Self::Cut,
            "chunked" => Self::Chunked(percent()?),
            "shortened" => Self::Shortened(percent()?),
            "corrupt" => Self::Corrupt,
            "no-checksum" => Self::NoChecksum,
            "cut-upload" => Self::CutUpload,
            "slow" => Self::Slow,
            "late" => Self::Late,
            "silent" => Self::Silent,
            _ => return Err(()),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Longer than any deadline here.
const NEVER_MS: u64 = 120_000;

impl Kind {
    /// The deadline that the program is given.
    #[must_use]
    pub fn deadline(self) -> Duration {
        Duration::from_secs(match self {
            Self::Late => 6,
            Self::Silent | Self::ThrottledLong => 36,
            _ => 30,
        })
    }

    /// How often the SDK tries, where a user would say so; otherwise it is the programs' own number.
    #[must_use]
    pub fn attempts(self) -> Option<&'static str> {
        (self != Self::ThrottledLong).then_some("2")
    }

    /// The code and status with which `service` says it.
    fn words(self, service: &str) -> Option<(&'static str, u16)> {
        Some(match (self, service) {
            (Self::Throttled | Self::ThrottledLong, "ec2") => ("RequestLimitExceeded", 503),
            (Self::Throttled | Self::ThrottledLong, "s3") => ("SlowDown", 503),
            (Self::Throttled | Self::ThrottledLong, "cloudformation") => ("Throttling", 400),
            (Self::Throttled | Self::ThrottledLong, _) => ("ThrottlingException", 400),
            (Self::Denied, "ec2") => ("UnauthorizedOperation", 403),
            (Self::Denied, "s3" | "cloudformation") => ("AccessDenied", 403),
            (Self::Denied, _) => ("AccessDeniedException", 400),
            (Self::Expired, "ec2") => ("RequestExpired", 400),
            (Self::Expired, "s3") => ("ExpiredToken", 400),
            (Self::Expired, "cloudformation") => ("ExpiredToken", 403),
            (Self::Expired, _) => ("ExpiredTokenException", 400),
            (Self::Unsigned, _) => ("SignatureDoesNotMatch", 403),
            (Self::Internal, "ec2" | "s3") => ("InternalError", 500),
            (Self::Internal, "cloudformation") => ("InternalFailure", 500),
            (Self::Internal, _) => ("InternalServerError", 500),
            _ => return None,
        })
    }

    /// The code that a service says with this fault, where it says one.
    #[must_use]
    pub fn code(self, service: &str) -> Option<&'static str> {
        self.words(service).map(|(code, _)| code)
    }
}

/// The rule of microburst for a row, for calls with this access key; `None` when microburst cannot.
#[must_use]
pub fn rule(row: &Row, key: &str) -> Option<Value> {
    let (service, operation) = row.operation.split_once(':')?;
    let mut rule = match row.kind {
        Kind::Nothing | Kind::Page | Kind::Lost | Kind::Shortened(_) => return None,
        Kind::Reset => json!({"reset": true}),
        Kind::Cut => json!({"response": {"abort_frac": 0.5}}),
        Kind::Chunked(percent) => {
            json!({"response": {"truncate_frac": f64::from(percent) / 100.0}})
        }
        Kind::Corrupt => json!({"response": {"corrupt_bytes": 1}}),
        Kind::NoChecksum => json!({"response": {"strip_headers": [
            "x-amz-checksum-sha256", "x-amz-checksum-crc32", "x-amz-checksum-type"
        ]}}),
        Kind::CutUpload => json!({"request": {"cut_upload": {"after_bytes": 100}}}),
        Kind::Slow => json!({"latency": 1500}),
        Kind::Late | Kind::Silent => json!({"latency": NEVER_MS}),
        said => {
            let (code, status) = said.words(service)?;
            json!({"error": {"code": code, "status": status, "message": "said by the test"}})
        }
    };
    rule["service"] = json!(service);
    rule["operation"] = json!(operation);
    if let Some(calls) = row.calls {
        rule["times"] = json!(calls);
    }
    rule["headers"] = json!({"authorization": key});
    Some(rule)
}

/// Spoils the answers that `relay` hands back as a row says, where microburst cannot.
pub fn spoil(relay: &FakeAws, row: &Row) {
    let (operation, kind, calls) = (row.operation.clone(), row.kind, row.calls);
    relay.intercept(move |request| {
        let is_meant = request.name() == operation;
        let comes_late = calls.is_some_and(|calls| request.turn as u64 >= calls);
        if !is_meant || comes_late {
            return Fate::Served;
        }
        match kind {
            Kind::Lost => Fate::Lost,
            Kind::Shortened(percent) => Fate::Shortened(percent),
            Kind::Page => Fate::Answered(Reply::html(
                502,
                "<html><body>502 Bad Gateway</body></html>",
            )),
            _ => Fate::Served,
        }
    });
}
