//! What `signal-health` is told.

use std::fmt;
use std::str::FromStr;

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::value::{Count, InstanceId};
use hyper::Uri;
use serde::Deserialize;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The stack that waits, by name or ARN
    #[arg(long, value_name = "NAME", help_heading = "The signal")]
    stack: Given<StackName>,
    /// The logical id of the resource that waits: the group with the creation or update policy
    #[arg(long, value_name = "LOGICAL-ID", help_heading = "The signal")]
    resource: Given<LogicalId>,
    /// What must answer 200; asked from this instance, so plain http
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8001/collection",
        help_heading = "Health"
    )]
    url: Given<Guarded<HttpUrl>>,
    /// How many times in a row it must answer 200
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Health")]
    count: Given<Count<100>>,
    /// The instance that signals; unset: the one this runs on, by its metadata service
    #[arg(long, value_name = "i-…", help_heading = "The signal")]
    instance_id: Given<InstanceId>,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The stack, by name or ARN.
    pub stack: String,
    /// The logical id in it.
    pub resource: String,
    /// What must answer.
    pub url: HttpUrl,
    /// How many times in a row, at least once.
    pub count: u32,
    /// The instance, when it was named.
    pub instance: Option<String>,
}

impl Settings for Raw {
    type Checked = Checked;

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let stack = faults.required("stack", self.stack);
        let resource = faults.required("resource", self.resource);
        let url = faults.required("url", self.url).map(Guarded::reveal);
        let count = faults.required("count", self.count);
        let instance = faults.optional("instance_id", self.instance_id);
        Some(Checked {
            stack: stack?.0,
            resource: resource?.0,
            url: url?,
            count: count?.0,
            instance: instance.map(|id| id.0),
        })
    }
}

/// A stack's name (128 characters at most) or its ARN.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html>
#[derive(Debug, Clone, PartialEq, Eq)]
struct StackName(String);

impl FromStr for StackName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let arn = text.starts_with("arn:") && text.contains(":cloudformation:");
        let name = text.len() <= 128
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if arn || name {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is neither a stack's name (a letter, then letters, digits and -) nor its ARN"
            ))
        }
    }
}

/// A logical id: letters and digits.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html>
#[derive(Debug, Clone, PartialEq, Eq)]
struct LogicalId(String);

impl FromStr for LogicalId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not a logical id (letters and digits), as in AutoScalingGroup"
            ))
        }
    }
}

/// An `http://` address with host, port and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl(Uri);

impl HttpUrl {
    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        let host = self.0.host().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, 80 unless said otherwise.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(80)
    }

    /// Host and port as the `Host` header has them.
    pub fn authority(&self) -> &str {
        self.0
            .authority()
            .map_or("", hyper::http::uri::Authority::as_str)
    }

    /// Path and query.
    pub fn path(&self) -> &str {
        self.0
            .path_and_query()
            .map_or("/", hyper::http::uri::PathAndQuery::as_str)
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path())
    }
}

/// The address itself is not repeated: it may hold a password.
impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let uri: Uri = text.parse().map_err(|_| "not an address")?;
        if uri.scheme_str() != Some("http") {
            return Err(
                "does not start with http:// (it is asked from the instance itself, without TLS)",
            );
        }
        let host = uri.host().unwrap_or_default();
        let with_user = uri
            .authority()
            .is_some_and(|one| one.as_str().contains('@'));
        if host.is_empty() || with_user || uri.port_u16() == Some(0) {
            return Err(
                "not a host and port that can be asked, as in http://127.0.0.1:8001/collection",
            );
        }
        Ok(Self(uri))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Count, HttpUrl, LogicalId, StackName};

    #[test]
    fn addresses_are_taken_apart() {
        for (text, host, port, path) in [
            (
                "http://127.0.0.1:8001/collection",
                "127.0.0.1",
                8001,
                "/collection",
            ),
            ("http://localhost", "localhost", 80, "/"),
            ("http://[::1]:81/a?b=c", "::1", 81, "/a?b=c"),
        ] {
            let url: HttpUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.path()), (host, port, path));
        }
        for text in [
            "https://127.0.0.1/",
            "127.0.0.1:8001",
            "/collection",
            "http://",
            "http://user@h/",
            "http://h:0/",
            "http://h/a b",
        ] {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn stacks_have_names_or_arns() {
        let arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/rag-app-dev/0a1b";
        for good in ["rag-app-dev", arn] {
            assert_eq!(good.parse(), Ok(StackName(good.to_owned())));
        }
        for bad in ["1st", "rag_app", "arn:aws:s3:::bucket", &"x".repeat(129)] {
            assert!(bad.parse::<StackName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_and_counts_are_checked() {
        assert!("AutoScalingGroup".parse::<LogicalId>().is_ok());
        assert!("Auto.Scaling".parse::<LogicalId>().is_err());
        assert_eq!("3".parse(), Ok(Count::<100>(3)));
        for bad in ["0", "-1", "101", "three"] {
            assert!(bad.parse::<Count<100>>().is_err(), "{bad}");
        }
    }
}
